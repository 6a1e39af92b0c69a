"""`python -m tests.bench.clouds PORT FOLDER SITES NODES`: a simulated OpenStack of many sites, booked all over."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.local.openstack.cloud import SimulatedCloud
from shared.availability import utc_now
from tests.bench.fleet import fleet
from tests.bench.limits import many_files
from tests.bench.running import LOCALHOST

LEASES = 3
HOUR = timedelta(hours=1)


async def run(port: int, folder: Path, sites: int, nodes: int) -> None:
    """Answers on `port` once clouds.yaml is in `folder`."""
    world = fleet(sites, nodes)
    hosts = {site_id: [place.uid for place in world.places(site_id)] for site_id in world.sites}
    async with SimulatedCloud(hosts) as cloud:
        now = utc_now().replace(second=0, microsecond=0)
        for site_id, uids in hosts.items():
            for number, uid in enumerate(uids):
                for lease in range(LEASES):
                    start = now + (number % 7 + 20 * lease) * HOUR
                    cloud.sites[site_id].add_lease(uid, start, start + 9 * HOUR)
        (folder / "clouds.yaml").write_text(cloud.clouds_yaml())
        app = web.Application()
        app.router.add_get("/", lambda _: _ready())
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, LOCALHOST, port).start()
        await asyncio.Event().wait()


async def _ready() -> web.Response:
    return web.json_response({})


if __name__ == "__main__":
    many_files()
    uvloop.run(run(int(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])))

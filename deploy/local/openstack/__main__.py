"""`python -m deploy.local.openstack`: a cloud with the hosts of an inventory, whose leases change while it runs."""

import argparse
import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.openstack.bookings import Bookings, hostnames_of, inventory
from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.sample import FOLDER, write_sample


def main(argv: Sequence[str] | None = None) -> None:
    """Runs until SIGINT or SIGTERM; says where its clouds.yaml is as soon as it answers."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.openstack", description=__doc__)
    inventory = parser.add_mutually_exclusive_group(required=True)
    inventory.add_argument("--ref-dir", type=Path, help="folder of the inventory, as the API service's")
    inventory.add_argument("--sample", type=Path, help="folder of a sample repository, which is made if it is missing")
    parser.add_argument(
        "--port", type=int, default=0, help="Keystone's port; the sites' follow it (default: free ones)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--name", default="", help="what clients call the host, if not by its address")
    parser.add_argument("--clouds", type=Path, help="where to write clouds.yaml (default: a new folder)")
    parser.add_argument("--seed", type=int, default=1, help="of the bookings")
    parser.add_argument("--every", type=float, default=5, help="seconds between two changes of a site's leases")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args(argv)))


async def _run(options: argparse.Namespace) -> None:
    sites = list(inventory(options.ref_dir or _sample(options.sample)))
    cloud = SimulatedCloud(
        {site_id: hostnames_of(nodes) for site_id, nodes, _ in sites},
        flavors={site_id: flavors for site_id, _, flavors in sites if flavors},
        host=options.host,
        port=options.port,
        name=options.name,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with cloud:
        changes = [_changing(cloud, site_id, options) for site_id in cloud.sites]
        path = _write(cloud.clouds_yaml(), options.clouds)
        print(f"OS_CLIENT_CONFIG_FILE={path}", flush=True)
        print(f"sites: {' '.join(cloud.sites)}; with flavors: {' '.join(s for s, _, f in sites if f)}", flush=True)
        await stopped.wait()
        for change in changes:
            change.cancel()


def _changing(cloud: SimulatedCloud, site_id: str, options: argparse.Namespace) -> asyncio.Task[None]:
    bookings = Bookings(cloud.sites[site_id], seed=options.seed)
    bookings.fill()
    return asyncio.create_task(bookings.run(options.every), name=f"bookings of {site_id}")


def _sample(folder: Path) -> Path:
    """The folder of its inventory."""
    ref_dir = folder / FOLDER
    return ref_dir if ref_dir.exists() else write_sample(folder, now=datetime.now(UTC))


def _write(clouds_yaml: str, path: Path | None) -> Path:
    path = path or Path(tempfile.mkdtemp(prefix="simulated-openstack-")) / "clouds.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(clouds_yaml)
    return path.resolve()


if __name__ == "__main__":
    main()

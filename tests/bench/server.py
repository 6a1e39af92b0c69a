"""`python -m tests.bench.server PORT bare`, or `PORT SIZE BEGAN [FOLDER]`: what is measured, in a process of its own.

`bare` answers with bytes that it is given; the service has a world that is fed to it once a second.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import uvloop
from aiohttp import web

from api_service import keys
from api_service.app import Context, create_app, inventory
from api_service.domain.inventory import Inventory
from api_service.http.kept_answers import KEPT_ANSWERS
from api_service.http.past import PAST
from api_service.http.representation import REPRESENTATIONS
from api_service.settings import Settings
from shared.availability import utc_now
from shared.embedded import EmbeddedTransport
from shared.logs import LogFormat, configure_logging
from shared.serving import SERVER_OPTIONS, serve, set_aside_anew
from tests.bench.running import LOCALHOST
from tests.bench.world import Bookings, World
from tests.inventories import cluster, linear_history, sha, site
from tests.inventories import inventory as inventory_of

LARGEST = 256 * 1024 * 1024
FEED_SECONDS = 1.0


class Given:
    """A handler that does nothing but answer with what was put there, headers included."""

    def __init__(self) -> None:
        self._status, self._body, self._headers = 200, b"{}", dict[str, str]()

    async def get(self, request: web.Request) -> web.Response:
        return web.Response(body=self._body, status=self._status, headers=self._headers)

    async def put(self, request: web.Request) -> web.Response:
        self._status, self._body = int(request.headers["Bench-Status"]), await request.read()
        self._headers = json.loads(request.headers["Bench-Headers"])
        return web.Response()


def bare() -> web.Application:
    """What aiohttp costs by itself."""
    app, given = web.Application(client_max_size=LARGEST), Given()
    # One resource for all paths: so many parts of a path cost the router as much as they do in any other service.
    app.router.add_get("/{path:.*}", given.get)
    app.router.add_put("/{path:.*}", given.put)
    return app


def ours(size: int, began: datetime, folder: Path | None) -> web.Application:
    """The service. POST to `/bench/feed` lets polls come, to `/bench/hold` stops them; the past may be forgotten."""
    settings = Settings() if folder is None else Settings.model_validate({"reference": {"ref_dir": folder}})
    world = World.of(size)
    # From a repository of this world, or of one too large to be written to a disk, as if from a repository.
    contexts: list[Context] = [inventory if folder else lasting(made(world))]
    app = create_app(settings, transport=EmbeddedTransport(), contexts=contexts)
    feeding = Feeding(app, Bookings(world, began))
    app.cleanup_ctx.append(feeding.run)
    app.router.add_post("/bench/feed", feeding.feed)
    app.router.add_post("/bench/hold", feeding.hold)
    app.router.add_post("/bench/forget", _forget)
    return app


def made(world: World) -> Inventory:
    """The inventory of a world, as it is loaded."""
    sites = [
        site(
            site_id,
            *(
                cluster(site_id, uid, [world.documents[place] for place in world.places(site_id, uid)])
                for uid in world.clusters(site_id)
            ),
            **{name: value for name, value in document.items() if name != "uid"},
        )
        for site_id, document in world.sites.items()
    ]
    return inventory_of(*sites, version=sha("0"), history=linear_history(["sites"]))


def lasting(loaded: Inventory) -> Context:
    """Serves an inventory that nothing looks after, as if it had been loaded."""

    @asynccontextmanager
    async def context(app: web.Application) -> AsyncIterator[None]:
        app[REPRESENTATIONS].prepare(loaded)
        app[keys.INVENTORY].replace(loaded)
        set_aside_anew()
        yield

    return context


class Feeding:
    """Tells the service what polls find, once a second while it is to."""

    def __init__(self, app: web.Application, bookings: Bookings) -> None:
        self._app, self._bookings = app, bookings
        self._going = asyncio.Event()
        self._polls: list[str] = []

    async def run(self, app: web.Application) -> AsyncIterator[None]:
        for snapshot in self._bookings.snapshots.values():
            app[keys.AVAILABILITY].replace(snapshot, received_at=utc_now())
        task = asyncio.create_task(self._feed())
        yield
        task.cancel()

    async def feed(self, request: web.Request) -> web.Response:
        self._going.set()
        return web.Response()

    async def hold(self, request: web.Request) -> web.Response:
        """Answers the moments of all polls so far."""
        self._going.clear()
        return web.json_response(self._polls)

    async def _feed(self) -> None:
        while True:
            await self._going.wait()
            moment = utc_now()
            for snapshot in self._bookings.poll(moment):
                assert self._app[keys.AVAILABILITY].replace(snapshot, received_at=utc_now())
            self._polls.append(moment.isoformat())
            await asyncio.sleep(FEED_SECONDS)


async def _forget(request: web.Request) -> web.Response:
    request.app[PAST].remembered.forget()
    request.app[KEPT_ANSWERS].forget()
    return web.Response()


def main(arguments: list[str]) -> None:
    configure_logging(LogFormat.JSON)
    port = int(arguments[0])
    if arguments[1] == "bare":
        loop = uvloop.new_event_loop()
        web.run_app(bare(), host=LOCALHOST, port=port, loop=loop, print=None, **SERVER_OPTIONS)
    else:
        size, began, folder = int(arguments[1]), datetime.fromisoformat(arguments[2]), [*map(Path, arguments[3:])]
        app = ours(size, began, folder[0] if folder else None)
        serve(app, prog="bench", host=LOCALHOST, port=port, shutdown_seconds=1)


if __name__ == "__main__":
    main(sys.argv[1:])

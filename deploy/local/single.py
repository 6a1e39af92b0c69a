"""`python -m deploy.local.single`: both services in one process, where there is no broker to run two."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web

import api_service.app
import api_service.settings
import sync_service.app
import sync_service.settings
from api_service.http.problems import MAX_LINE_BYTES
from shared.embedded import EmbeddedTransport
from shared.logs import configure_logging
from shared.process import ending_in_good_order
from shared.serving import SERVER_OPTIONS

SHUTDOWN_SECONDS = 5.0


def main(argv: Sequence[str] | None = None) -> None:
    """Runs both until they are told to stop."""
    with ending_in_good_order():
        _run(argv)


def _run(argv: Sequence[str] | None) -> None:
    api = api_service.settings.load_settings(argv, os.environ)
    sync = sync_service.settings.load_settings(argv, os.environ)
    configure_logging(api.settings.log.format, debug=api.debug)
    asyncio.run(_serve(api.settings, sync.settings))


async def _serve(api: api_service.settings.Settings, sync: sync_service.settings.Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    transport = EmbeddedTransport()
    async with AsyncExitStack() as stack:
        for app, host, port in (
            (sync_service.app.create_app(sync, transport=transport), sync.sync.host, sync.sync.port),
            (api_service.app.create_app(api, transport=transport), api.server.host, api.server.port),
        ):
            runner = web.AppRunner(
                app, shutdown_timeout=SHUTDOWN_SECONDS, max_line_size=MAX_LINE_BYTES, **SERVER_OPTIONS
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
        await stop.wait()


if __name__ == "__main__":
    main(sys.argv[1:])

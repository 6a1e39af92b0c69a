"""`python -m sync_service`: settings, logging, run."""

import os
import sys
from collections.abc import Sequence

import uvloop
from aiohttp import web

from shared.logs import configure_logging
from sync_service.app import create_app
from sync_service.settings import load_settings

SHUTDOWN_SECONDS = 2.0
"""For probes that are being answered; what polls and publishes ends by itself."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the sync service until it is told to stop; a poll that hangs does not delay that."""
    loaded = load_settings(argv, os.environ)
    configure_logging(loaded.settings.log.format, debug=loaded.debug)
    own = loaded.settings.sync
    web.run_app(
        create_app(loaded.settings),
        host=own.host,
        port=own.port,
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

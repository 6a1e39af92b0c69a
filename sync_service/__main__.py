"""`python -m sync_service`: settings, logging, run."""

import os
import sys
from collections.abc import Sequence

from shared.logs import configure_logging
from shared.serving import serve
from sync_service.app import create_app
from sync_service.settings import PROG, load_settings

SHUTDOWN_SECONDS = 2.0
"""For probes that are being answered; what polls and publishes ends by itself."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the sync service until it is told to stop; a poll that hangs does not delay that."""
    loaded = load_settings(argv, os.environ)
    configure_logging(loaded.settings.log.format, debug=loaded.debug)
    own = loaded.settings.sync
    serve(create_app(loaded.settings), prog=PROG, host=own.host, port=own.port, shutdown_seconds=SHUTDOWN_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])

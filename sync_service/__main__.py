"""`python -m sync_service`: settings, logging, run."""

import os
import sys
from collections.abc import Sequence

from shared.process import ending_in_good_order

SHUTDOWN_SECONDS = 2.0
"""For probes that are being answered; what polls and publishes ends by itself."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the sync service until a signal stops it; neither imports nor a poll that hangs delay that."""
    with ending_in_good_order():
        _run(argv)


def _run(argv: Sequence[str] | None) -> None:
    from shared.logs import configure_logging  # noqa: PLC0415
    from sync_service.settings import PROG, load_settings  # noqa: PLC0415

    loaded = load_settings(argv, os.environ)
    configure_logging(loaded.settings.log.format, debug=loaded.debug)
    # OpenStack's clients take more than a second.
    from shared.serving import serve  # noqa: PLC0415
    from sync_service.app import create_app  # noqa: PLC0415

    own = loaded.settings.sync
    serve(create_app(loaded.settings), prog=PROG, host=own.host, port=own.port, shutdown_seconds=SHUTDOWN_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])

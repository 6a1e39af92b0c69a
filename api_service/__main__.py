"""`python -m api_service`: settings, logging, run."""

import os
import sys
from collections.abc import Sequence

from shared.process import ending_in_good_order


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the API service until a signal stops it, which may be while all else is being imported."""
    with ending_in_good_order():
        _run(argv)


def _run(argv: Sequence[str] | None) -> None:
    from api_service.adapters.early_reading import EarlyReading  # noqa: PLC0415
    from api_service.settings import load_settings  # noqa: PLC0415
    from shared.logs import configure_logging  # noqa: PLC0415

    loaded = load_settings(argv, os.environ)
    configure_logging(loaded.settings.log.format, debug=loaded.debug)
    # No thread lives on in workers, which are made of this process.
    early = EarlyReading(loaded.settings.reference.ref_dir) if loaded.settings.server.workers == 1 else None
    # All else is imported meanwhile, which takes half a second.
    from api_service.running import run  # noqa: PLC0415

    run(loaded.settings, early)


if __name__ == "__main__":
    main(sys.argv[1:])

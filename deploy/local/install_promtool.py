"""`python -m deploy.local.install_promtool`: promtool from Debian's packages, where it is missing and root asks."""

import shutil
import sys
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError, Machine, install


def find_promtool() -> Path | None:
    """Where it is; None if it is not installed."""
    found = shutil.which("promtool")
    return Path(found) if found else None


THIS_MACHINE: Final = Machine(find_promtool)


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        install("prometheus", "promtool", THIS_MACHINE)
    except CannotInstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

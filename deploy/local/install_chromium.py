"""`python -m deploy.local.install_chromium`: Chromium from Debian's packages, where it is missing and root asks."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError, Machine, install

NO_BROWSER: Final = 3
"""The exit code where there is none and can be none, which is no error of the program."""

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_chromium() -> Path | None:
    """Where it is, `CHROMIUM` first; None if it is not installed."""
    asked = (os.environ.get("CHROMIUM", ""), *NAMES)
    return next((Path(found) for name in asked if name and (found := shutil.which(name))), None)


THIS_MACHINE: Final = Machine(find_chromium)


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        install("chromium", "Chromium", THIS_MACHINE)
    except CannotInstallError as error:
        print(error, file=sys.stderr)
        sys.exit(NO_BROWSER)


if __name__ == "__main__":
    main()

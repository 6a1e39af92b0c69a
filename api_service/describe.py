"""`python -m api_service.describe`: writes the contract to `docs/openapi.json`."""

import sys
from pathlib import Path
from typing import Final

from api_service.app import contract

DOCUMENT: Final = Path("docs/openapi.json")


def main() -> int:
    """Writes that of a service with default settings; with `--check` only says whether the committed one is current."""
    made = contract("")
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_bytes(made)
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_bytes() == made:
        return 0
    sys.stderr.write(f"{DOCUMENT} is out of date: run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

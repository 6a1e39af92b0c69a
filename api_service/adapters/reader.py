"""`python -m api_service.adapters.reader REPOSITORY COMMIT PREFIX NUMBER OF`: reads a part of a commit for another."""

import gc
import signal
import sys

from api_service.adapters.git_repository import read_at
from api_service.adapters.pieces import Part, tell
from api_service.adapters.reading_apart import Place


def main(repository: str, commit: str, prefix: str, number: str, of: str) -> None:
    """Tells what there is on its standard output."""
    # Whoever reads decides when this ends, and needs no word about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # It ends before garbage would matter.
    gc.disable()
    place = Place(repository, commit, prefix)
    tell(lambda found: read_at(place, Part(int(number), int(of), found)), sys.stdout.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])

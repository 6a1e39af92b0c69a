"""An inventory in a plain folder, without git: read as of one moment, or not at all."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

from api_service.adapters.entries import Entry, File, Folder, Unusable, reason_of
from api_service.adapters.json_document import MAX_FILE_BYTES
from api_service.adapters.json_repository import MAX_ENTRIES, read_inventory
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryUnreadableError

_ATTEMPTS: Final = 3
_MAX_DEPTH: Final = 5
"""sites, a site, clusters, a cluster, nodes: nothing below is read."""


def read_file(path: Path) -> bytes:
    """A plain file's content, or a little more of it than may be served."""
    # It was a plain file a moment ago; if it became a pipe or a link, neither wait nor follow.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def read_plain_folder(top: Path, *, read: Callable[[Path], bytes] = read_file) -> Inventory:
    """What `top`, a path without symbolic links, holds.

    Raises:
        InventoryUnreadableError: if it keeps changing.
        InventoryRefusedError: if it holds too much.
        OSError: if it cannot be listed.
    """
    files = _Files(top, read)
    before = fingerprint(top)
    for _ in range(_ATTEMPTS):
        inventory = read_inventory(files.folder(top))
        after = fingerprint(top)
        if after == before:
            return inventory
        before = after
    raise InventoryUnreadableError("the folder keeps changing while it is read")


def fingerprint(top: Path, *, most: int = MAX_ENTRIES) -> str:
    """Differs once anything was written, came or went in `top`, a path without symbolic links; opens no file.

    Raises:
        InventoryRefusedError: if it holds more than `most` files.
        OSError: if it cannot be listed.
    """
    digest = blake2b(digest_size=16)
    for count, line in enumerate(_stamps(_Files(top, read_file).folder(top).entries(), "")):
        if count >= most:
            raise InventoryRefusedError(f"it holds more than {most} files")
        digest.update(line.encode())
    return digest.hexdigest()


def _stamps(entries: Iterable[tuple[str, Entry]], path: str, depth: int = 0) -> Iterator[str]:
    for name, entry in sorted(entries, key=lambda named: named[0]):
        below = f"{path}/{name}"
        if name.startswith("."):
            continue
        match entry:
            case File(stamp=stamp):
                yield f"{below}\0{stamp}\0"
            case Unusable(why):
                yield f"{below}\0{why}\0"
            case Folder() if depth < _MAX_DEPTH:
                try:
                    yield from _stamps(entry.entries(), below, depth + 1)
                except OSError as error:
                    yield f"{below}\0{reason_of(error)}\0"
            case Folder():
                pass


@dataclass(frozen=True, slots=True)
class _Files:
    """The files below `top`. Links are followed as far as they stay there: mounted volumes consist of such links."""

    top: Path
    read: Callable[[Path], bytes]

    def folder(self, path: Path) -> Folder:
        return Folder(partial(self._entries, path))

    def _entries(self, folder: Path) -> Iterator[tuple[str, Entry]]:
        with os.scandir(os.fsencode(folder)) as found:
            for each in islice(found, MAX_ENTRIES + 1):
                path = os.fsdecode(os.path.realpath(each.path) if each.is_symlink() else each.path)
                # A name that is not UTF-8 could not be told in JSON.
                yield each.name.decode(errors="backslashreplace"), self._entry(Path(path))

    def _entry(self, path: Path) -> Entry:
        if not path.is_relative_to(self.top):
            return Unusable("a symbolic link that leads out of the folder")
        try:
            found = path.lstat()
        except OSError as error:
            return Unusable(f"cannot be read: {reason_of(error)}")
        if stat.S_ISDIR(found.st_mode):
            return self.folder(path)
        if stat.S_ISREG(found.st_mode):
            stamp = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            return File(lambda: found.st_size, partial(self.read, path), stamp)
        return Unusable("neither a file nor a folder")

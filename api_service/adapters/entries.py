"""Files and folders that were not read yet, wherever they are: in a file system or in a commit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class File:
    """A file that was not read yet.

    Attributes:
        size: In bytes. May raise OSError if this file cannot be read; any other error is about all files.
        read: Its content; likewise.
        stamp: Differs once the file was written again, as far as can be told without reading it.
        content: What names its content: two files that have it in common hold the same. None if nothing does.
    """

    size: Callable[[], int] = field(repr=False)
    read: Callable[[], bytes] = field(repr=False)
    stamp: tuple[int, ...] = ()
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was not listed yet; `entries` gives names and what bears them, and may raise OSError."""

    entries: Callable[[], Iterable[tuple[str, "Entry"]]]


@dataclass(frozen=True, slots=True)
class Unusable:
    """An entry that is never followed or opened, such as a device, and why."""

    why: str


type Entry = File | Folder | Unusable


def reason_of(error: OSError) -> str:
    """What the operating system says of an error, for a sentence: not every library passes `strerror` on."""
    return error.strerror or str(error) or type(error).__name__

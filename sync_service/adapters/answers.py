"""What a site may answer: how many bytes, of which there is one store for all sites, and rows that are read one by one.

A large answer is never made into objects as a whole: 60 MB of `{}` would take 3 GB, and the interpreter for seconds.
"""

import json
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any, Final, overload

import msgspec

from sync_service.domain.ports import SourceError, TroubleKind

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Of one decoded body; 20 000 hosts with 60 capabilities each are about 60 MB."""

MAX_ANSWERS_BYTES: Final = 128 * 1024 * 1024
"""Of all bodies that are being read, but for what each has of `SMALL_ANSWER_BYTES`."""

SMALL_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Such a body is read as JSON is read anywhere: that takes 110 MB at worst."""

MAX_ROWS: Final = 100_000
"""Hosts, allocations or flavors of one answer."""

MAX_OBJECTS: Final = 350_000
"""Of a large answer: rows, and bookings or segments in them."""

MAX_ROW_BYTES: Final = 1024 * 1024
"""A longer row of a large answer is an odd record."""


class AnswerStore:
    """Lets all answers together take so many bytes; threads share it."""

    def __init__(self, most: int = MAX_ANSWERS_BYTES) -> None:
        self._left = most
        self._lock = Lock()

    def take(self, count: int) -> None:
        """Raises SourceError if there are not so many left."""
        with self._lock:
            if count > self._left:
                raise SourceError("too many large answers at once: this one is left for later", TroubleKind.TOO_LARGE)
            self._left -= count

    def give_back(self, count: int) -> None:
        """What was taken."""
        with self._lock:
            self._left += count


ALL_ANSWERS: Final = AnswerStore()


class _Nothing(msgspec.Struct):
    """An object, whatever is in it."""


class LargeAnswer:
    """A body by the key of its list, as the clients ask for it: it stands in for the object of the JSON."""

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = body

    def __getitem__(self, key: str) -> "Rows":
        """The list.

        Raises:
            SourceError: there is no such list of objects, it has too many of them, or the body is no JSON.
        """
        if self._body.count(b"{") > MAX_OBJECTS:
            raise SourceError(f"an answer of more than {MAX_OBJECTS} objects", TroubleKind.TOO_LARGE)
        try:
            # First without keeping anything: what is no object, and would be a row, may be there by the million.
            self._decoded(key, _Nothing)
            return Rows(self._decoded(key, msgspec.Raw))
        except msgspec.MsgspecError:
            raise SourceError(f"the answer of {len(self._body)} bytes has no list of objects {key!r}") from None

    def _decoded(self, key: str, row: Any) -> Any:
        return getattr(msgspec.json.decode(self._body, type=msgspec.defstruct("Answer", [(key, list[row])])), key)


class Rows(Sequence[object]):
    """Of a large answer: each is made into objects when it is asked for, and None if it cannot be."""

    def __init__(self, rows: Sequence[msgspec.Raw]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[object]:
        return map(_row, self._rows)

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        return Rows(self._rows[index]) if isinstance(index, slice) else _row(self._rows[index])


def _row(raw: msgspec.Raw) -> object:
    text = bytes(raw)
    if len(text) > MAX_ROW_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

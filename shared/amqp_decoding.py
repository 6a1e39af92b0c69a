"""Reading what any client may have written into a message's properties.

As it comes, the library beneath RabbitMQ's client closes the connection on a text that is not UTF-8 or a time beyond
the calendar. Such a message in a stream would end every session of every replica, for good: each begins with it.
"""

import struct
from datetime import UTC, datetime
from typing import Any, Final

from pamqp import decode

_MILLISECONDS_FROM: Final = 2**32
"""As pamqp has it: what would lie beyond 2106 is in milliseconds."""


def tolerate_any_properties() -> None:
    """Takes effect for every connection of this process."""
    decode.METHODS.update(shortstr=_short_string, timestamp=_timestamp, table=_table)
    decode.TABLE_MAPPING.update({b"T": _timestamp, b"F": _table})


def _short_string(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="replace")


def _timestamp(value: bytes) -> tuple[int, datetime | None]:
    (seconds,) = struct.unpack_from(">Q", value)
    try:
        return 8, datetime.fromtimestamp(seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return 8, None


def _table(value: bytes) -> tuple[int, dict[str, Any]]:
    (length,) = struct.unpack_from(">I", value)
    at, end = 4, 4 + length
    found: dict[str, Any] = {}
    while at < end:
        size, name = _short_string(value[at:end])
        at += size
        size, found[name] = decode.embedded_value(value[at:end])
        at += size
    return end, found

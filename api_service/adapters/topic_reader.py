"""Reading one topic's stream: decode, judge, apply; nothing that a message holds may end the reading of others."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from api_service.domain.availability_map import AvailabilityMap
from shared.availability import Snapshot
from shared.messages import Envelope, NewerMessageError, UnusableMessageError, decode
from shared.topology import Topic, topic_of
from shared.transport import Deliveries, Delivery, Offset, Session

log = structlog.get_logger()

THREAD_ABOVE_BYTES: Final = 80_000
"""The body of about 2 000 nodes: decoding more takes 15 ms and would be felt by every request."""

REMEMBERED: Final = 256
"""Messages per stream by which a replay is told from a rebirth; `last` replays a whole chunk, mostly of one."""


class Fate(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    LATE = "late"
    POISON = "poison"
    NEWER = "newer"


type Bury = Callable[[Topic, Delivery, str], Awaitable[None]]


class _Past:
    """What was read of a stream, by offset, across sessions."""

    def __init__(self) -> None:
        self._ids: OrderedDict[int, str] = OrderedDict()
        self.last: int | None = None

    def holds(self, delivery: Delivery) -> bool:
        return self._ids.get(delivery.offset) == _identity(delivery.envelope)

    def precedes(self, delivery: Delivery) -> bool:
        """Whether the delivery comes after everything that was read: otherwise the stream is another one."""
        return self.last is None or delivery.offset > self.last

    def add(self, delivery: Delivery) -> None:
        self.last = delivery.offset
        self._ids[delivery.offset] = _identity(delivery.envelope)
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

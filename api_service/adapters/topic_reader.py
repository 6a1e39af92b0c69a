"""Reading one topic's stream: decode, judge, apply; nothing that a message holds may end the reading of others."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from api_service.domain.availability_map import AvailabilityMap
from shared.availability import Snapshot, is_late
from shared.messages import Envelope, NewerMessageError, UnusableMessageError, decoded, heading_of
from shared.site_bodies import SiteBodies
from shared.topology import Topic, topic_of
from shared.transport import Deliveries, Delivery, Offset, Session

log = structlog.get_logger()

REMEMBERED: Final = 256
"""Messages per stream by which a replay is told from a rebirth; `last` replays a whole chunk, mostly of one."""

LOOKED_AT: Final = 20
"""Messages with good headings and bad bodies, after which a look back gives up: somebody forges them."""


class Fate(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    LATE = "late"
    POISON = "poison"
    NEWER = "newer"


class Incident(StrEnum):
    """What befell the reading of a stream, beside its messages."""

    REBORN = "stream-reborn"
    LOOKED_BACK = "looked-back"
    NOT_BURIED = "not-buried"


type Bury = Callable[[Topic, Delivery, str], Awaitable[None]]
"""Puts a message aside, with the reason; never fails."""


class TopicReader:
    """What is read of one topic, over all sessions.

    Attributes:
        counts: Messages by what became of them.
        incidents: What befell the reading, by kind.
    """

    def __init__(
        self,
        topic: Topic,
        availability: AvailabilityMap,
        *,
        bury: Bury,
        applied: Callable[[Topic], None],
        clock: Callable[[], datetime],
        counts: Counter[Fate],
        incidents: Counter[Incident],
        one_looks_back: asyncio.Lock,
    ) -> None:
        self.counts = counts
        self.incidents = incidents
        self._topic = topic
        self._availability = availability
        self._bury = bury
        self._applied = applied
        self._clock = clock
        # All that a stream retains is kept for it: 36 MB, once and not for each topic.
        self._one_looks_back = one_looks_back
        self._bodies = SiteBodies()
        self._past = _Past()
        self._deliveries: Deliveries | None = None
        self._log = log.bind(stream=topic.stream)

    @property
    def position(self) -> int | None:
        """The offset of the last message read; None before the first."""
        return self._past.last

    async def subscribe(self, session: Session) -> Deliveries:
        """Begins at the newest message."""
        self._deliveries = await session.follow(self._topic, Offset.LAST)
        return self._deliveries

    async def unsubscribe(self) -> None:
        """For a topic that is wanted no more; its session goes on."""
        if self._deliveries is not None:
            await self._deliveries.cancel()

    async def read(self, session: Session, deliveries: Deliveries) -> None:
        """Reads what `subscribe` began, as long as the session lasts."""
        looked_back = False
        while True:
            delivery = await anext(deliveries)
            if await self._take(delivery) or looked_back or self._availability.has_synced(self._topic):
                await delivery.ack()
            else:
                looked_back = True
                await deliveries.cancel()
                deliveries = await self._look_back(session, newest=delivery.offset)

    async def _take(self, delivery: Delivery) -> bool:
        """Whether the message was of use."""
        if self._past.holds(delivery):
            return False  # replayed after a reconnect
        if not self._past.precedes(delivery):
            self.incidents[Incident.REBORN] += 1
            self._log.warning("stream reborn", offset=delivery.offset, known=self._past.last)
            self._past = _Past()
            self._availability.forget_generation(self._topic)
        snapshot = await self._decoded(delivery, bury=True)
        if snapshot is not None:
            self._apply(snapshot)
        # Only now: a session may be lost at any await, and what was not finished has to come again.
        self._past.add(delivery)
        return snapshot is not None

    async def _look_back(self, session: Session, *, newest: int) -> Deliveries:
        """Nothing is known, and the newest message says nothing: the newest usable one of all that is retained."""
        async with self._one_looks_back:
            self._deliveries = deliveries = await session.follow(self._topic, Offset.FIRST)
            retained: list[Delivery] = []
            offset = -1
            while offset < newest:
                delivery = await anext(deliveries)
                offset = delivery.offset
                retained.append(delivery)
                await delivery.ack()
            found = await self._newest_usable(retained)
        self.incidents[Incident.LOOKED_BACK] += 1
        self._log.warning("looked back", usable=found is not None)
        if found is not None:
            self._apply(found)
        return deliveries

    async def _newest_usable(self, retained: Iterable[Delivery]) -> Snapshot | None:
        """What a reader would show that had read all of them; told by their headings, so that few are decoded."""
        headed = [(heading, each) for each in retained if (heading := heading_of(each.envelope))]
        for _ in range(min(len(headed), LOOKED_AT)):
            shown = 0
            for index, (heading, _) in enumerate(headed):
                if not is_late(heading.generation, heading.follows, current=headed[shown][0].generation):
                    shown = index
            heading, delivery = headed.pop(shown)
            snapshot = await self._decoded(delivery, bury=False)
            if snapshot is not None and snapshot.generation == heading.generation:
                return snapshot
        return None

    async def _decoded(self, delivery: Delivery, *, bury: bool) -> Snapshot | None:
        try:
            return await self._snapshot(delivery.envelope)
        except NewerMessageError as newer:
            if bury:
                self._tell_newer(str(newer))
        except UnusableMessageError as unusable:
            if bury:
                self.counts[Fate.POISON] += 1
                self._log.error("poison message", offset=delivery.offset, reason=str(unusable))
                await self._bury(self._topic, delivery, str(unusable))
        return None

    async def _snapshot(self, envelope: Envelope) -> Snapshot:
        snapshot = await decoded(envelope, self._bodies)
        if topic_of(snapshot) != self._topic:
            raise UnusableMessageError(f"it tells of {topic_of(snapshot).stream}")
        return snapshot

    def _apply(self, snapshot: Snapshot) -> None:
        if self._availability.replace(snapshot, received_at=self._clock()):
            self.counts[Fate.APPLIED] += 1
            self._applied(self._topic)
        else:
            self.counts[Fate.LATE] += 1

    def _tell_newer(self, kind: str) -> None:
        if not self.counts[Fate.NEWER]:
            self._log.warning("messages of a newer version are skipped", type=kind)
        self.counts[Fate.NEWER] += 1


class _Past:
    """The newest messages that were read of a stream, across sessions."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._ids: OrderedDict[int, str] = OrderedDict()

    def holds(self, delivery: Delivery) -> bool:
        return self._ids.get(delivery.offset) == _identity(delivery.envelope)

    def precedes(self, delivery: Delivery) -> bool:
        """Whether the delivery may come after all this: a stream whose offsets go back was wiped and reborn."""
        return self.last is None or delivery.offset > self.last

    def add(self, delivery: Delivery) -> None:
        self.last = delivery.offset
        self._ids[delivery.offset] = _identity(delivery.envelope)
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)


def _identity(envelope: Envelope) -> str:
    return str(envelope.headers.get("cloudEvents:id", envelope.message_id))[:300]

"""The newest message of a topic's stream, as this replica has read it."""

import asyncio
from datetime import datetime, timedelta

from shared.availability import Snapshot, is_late
from shared.messages import Envelope, Heading, NewerMessageError, UnusableMessageError, decoded, heading_of
from shared.topology import Topic
from shared.transport import Deliveries, Offset, Session


class StreamHead:
    """Follows the stream for as long as the session lasts, by the headings alone; a body is decoded when asked for.

    Attributes:
        newest: Of the highest generation: what a poll follows. Readers may have refused it as late.
    """

    def __init__(self, topic: Topic, session: Session, *, silence: timedelta) -> None:
        """A stream that says nothing for so long as `silence` must be empty."""
        self.newest: Heading | None = None
        self._current: tuple[Heading, Envelope] | None = None
        self._topic = topic
        self._session = session
        self._silence = silence.total_seconds()
        self._heard = asyncio.Event()
        self._read = asyncio.Event()
        self._moved = asyncio.Condition()

    async def subscribe(self) -> Deliveries:
        """Begins at the newest message."""
        return await self._session.follow(self._topic, Offset.LAST)

    async def follow(self, deliveries: Deliveries) -> None:
        """Reads on as long as the session lasts. Where the newest message says nothing, an older one may."""
        first = await anext(deliveries)
        self._heard.set()
        if await self._saw(first.envelope):
            await first.ack()
        else:
            await deliveries.cancel()
            deliveries = await self._look_back(newest=first.offset)
        self._read.set()
        async for delivery in deliveries:
            await self._saw(delivery.envelope)
            await delivery.ack()

    async def generation(self) -> int | None:
        """The newest one; None if the stream is empty, or holds nothing but what nobody understands."""
        try:
            async with asyncio.timeout(self._silence):
                await self._heard.wait()
        except TimeoutError:
            self._heard.set()
            self._read.set()
        await self._read.wait()
        return self.newest.generation if self.newest else None

    async def reaches(self, generation: int) -> None:
        """Returns once the stream has been read up to `generation`."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.newest is not None and self.newest.generation >= generation)

    def shows(self, snapshot: Snapshot) -> bool:
        """Whether it is this very one that readers show, and not another of its generation."""
        told = self._current[0] if self._current else None
        return told is not None and (told.generation, told.observed_at) == (snapshot.generation, snapshot.observed_at)

    @property
    def observed_at(self) -> datetime | None:
        """When the snapshot that readers show was observed."""
        return self._current[0].observed_at if self._current else None

    async def snapshot(self) -> Snapshot | None:
        """The one that readers show; None if it cannot be read."""
        if self._current is None:
            return None
        try:
            return await decoded(self._current[1])
        except (NewerMessageError, UnusableMessageError):
            return None

    async def _look_back(self, *, newest: int) -> Deliveries:
        deliveries = await self._session.follow(self._topic, Offset.FIRST)
        offset = -1
        while offset < newest:
            delivery = await anext(deliveries)
            await self._saw(delivery.envelope)
            await delivery.ack()
            offset = delivery.offset
        return deliveries

    async def _saw(self, envelope: Envelope) -> Heading | None:
        """Takes note of a message, if it is one of ours."""
        heading = heading_of(envelope)
        if heading is None:
            return None
        current = self._current[0].generation if self._current else None
        if not is_late(heading.generation, heading.follows, current=current):
            self._current = heading, envelope
        if self.newest is None or heading.generation > self.newest.generation:
            self.newest = heading
            async with self._moved:
                self._moved.notify_all()
        return heading

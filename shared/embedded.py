"""The log inside one process: the same port with asyncio only, for `make run` without a broker and for tests.

It is not for two processes: nothing leaves the memory of this one, and nothing outlives it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, NoReturn, Self

from shared.messages import Envelope
from shared.topology import Topic
from shared.transport import Offset, SessionLostError

RETAINED_PER_STREAM: Final = 16
RETAINED_DEAD: Final = 100


class EmbeddedDelivery:
    """A message in memory."""

    def __init__(self, envelope: Envelope, offset: int = 0) -> None:
        self.envelope = envelope
        self.offset = offset
        self.settled = asyncio.Event()

    async def ack(self) -> None:
        """Never fails."""
        self.settled.set()
        await asyncio.sleep(0)  # nothing here waits for a socket, and a loop that never waits starves all others


class EmbeddedDeliveries:
    """What one consumer gets; as with the broker, nothing before the last delivery was acknowledged."""

    def __init__(self, take: Callable[[], Awaitable[EmbeddedDelivery]]) -> None:
        self._take = take
        self._last: EmbeddedDelivery | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EmbeddedDelivery:
        if self._last is not None:
            await self._last.settled.wait()
        self._last = await self._take()
        return self._last

    async def cancel(self) -> None:
        """Nobody delivers anything by himself here: there is nothing to end."""


class _Stream:
    """Numbered messages, of which the newest are retained."""

    def __init__(self) -> None:
        self._retained: deque[tuple[int, Envelope]] = deque(maxlen=RETAINED_PER_STREAM)
        self._grown = asyncio.Event()

    @property
    def last(self) -> int:
        return self._retained[-1][0] if self._retained else -1

    def append(self, envelope: Envelope) -> None:
        self._retained.append((self.last + 1, envelope))
        self._grown.set()
        self._grown = asyncio.Event()

    def follower(self, offset: Offset) -> EmbeddedDeliveries:
        """Remembers its place only, so a slow one costs nothing and misses what is no longer retained."""
        place = max(self.last, 0) if offset is Offset.LAST else 0

        async def take() -> EmbeddedDelivery:
            nonlocal place
            while self.last < place:
                await self._grown.wait()
            number, envelope = next(each for each in self._retained if each[0] >= place)
            place = number + 1
            return EmbeddedDelivery(envelope, number)

        return EmbeddedDeliveries(take)


class _Tokens:
    """The poll token of one topic: it waits, is due, or is held."""

    def __init__(self) -> None:
        self._waiting: asyncio.TimerHandle | None = None
        self._due: asyncio.Queue[bytes] = asyncio.Queue()

    @property
    def count(self) -> int:
        return self._due.qsize() + (self._waiting is not None)

    def schedule(self, body: bytes, delay: timedelta) -> bool:
        if self._waiting is not None:
            return False
        self._waiting = asyncio.get_running_loop().call_later(delay.total_seconds(), self._end_wait, body)
        return True

    def make_due(self, body: bytes) -> None:
        """At most one is: a second token of the same topic ends here."""
        if self._due.empty():
            self._due.put_nowait(body)

    async def take(self) -> EmbeddedDelivery:
        return EmbeddedDelivery(Envelope(await self._due.get(), {}))

    def _end_wait(self, body: bytes) -> None:
        self._waiting = None
        self.make_due(body)


class EmbeddedSession:
    """Holds the tokens that it took, and gives them back when it ends."""

    def __init__(self, log: "EmbeddedTransport") -> None:
        self._log = log
        self._lost: asyncio.Future[SessionLostError] = asyncio.get_running_loop().create_future()
        self._held: dict[Topic, EmbeddedDelivery] = {}

    async def wait_lost(self) -> NoReturn:
        """Raises SessionLostError once somebody ends the session."""
        await asyncio.wait({self._lost})
        raise self._lost.result()

    def lose(self, reason: str) -> SessionLostError:
        """Ends the session, as a broker that goes away would."""
        loss = SessionLostError(reason)
        if not self._lost.done():
            self._lost.set_result(loss)
        return loss

    async def declare(self, topics: Collection[Topic]) -> None:
        """Makes the streams that do not exist."""
        for topic in topics:
            self._log.streams.setdefault(topic, _Stream())

    async def declare_tokens(self, topics: Collection[Topic]) -> None:
        """Makes the queues that do not exist."""
        for topic in topics:
            self._log.queues.setdefault(topic, _Tokens())

    async def follow(self, topic: Topic, offset: Offset) -> EmbeddedDeliveries:
        """Raises SessionLostError if the stream was not declared."""
        return self._declared(self._log.streams, topic).follower(offset)

    async def publish(self, topic: Topic, envelope: Envelope) -> None:
        """Raises SessionLostError if the stream was not declared."""
        self._declared(self._log.streams, topic).append(envelope)

    async def bury(self, envelope: Envelope) -> None:
        """Keeps the newest `RETAINED_DEAD`."""
        self._log.dead.append(envelope)

    async def tokens(self, topic: Topic) -> EmbeddedDeliveries:
        """Raises SessionLostError if the queues were not declared."""
        queue = self._declared(self._log.queues, topic)

        async def take() -> EmbeddedDelivery:
            self._held[topic] = await queue.take()
            return self._held[topic]

        return EmbeddedDeliveries(take)

    async def schedule(self, topic: Topic, body: bytes, *, delay: timedelta) -> bool:
        """Raises SessionLostError if the queues were not declared."""
        return self._declared(self._log.queues, topic).schedule(body, delay)

    async def count_tokens(self, topic: Topic) -> int:
        """Raises SessionLostError if the queues were not declared."""
        return self._declared(self._log.queues, topic).count

    def give_back(self) -> None:
        """Makes every token that was not acknowledged due again."""
        for topic, delivery in self._held.items():
            if not delivery.settled.is_set():
                self._log.queues[topic].make_due(delivery.envelope.body)

    def _declared[T](self, things: dict[Topic, T], topic: Topic) -> T:
        if topic not in things:
            raise self.lose(f"nothing is declared for {topic.stream}")
        if self._lost.done():
            raise self._lost.result()
        return things[topic]


class EmbeddedTransport:
    """The log of this process.

    Attributes:
        dead: The newest messages that no reader could use.
    """

    location: Final = "embedded"
    silence: Final = timedelta(milliseconds=20)

    def __init__(self) -> None:
        self.streams: dict[Topic, _Stream] = {}
        self.queues: dict[Topic, _Tokens] = {}
        self.dead: deque[Envelope] = deque(maxlen=RETAINED_DEAD)

    @asynccontextmanager
    async def session(self, purpose: str) -> AsyncIterator[EmbeddedSession]:  # noqa: ARG002 - nobody lists sessions here
        """Never fails."""
        session = EmbeddedSession(self)
        try:
            yield session
        finally:
            session.give_back()

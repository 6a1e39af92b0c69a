"""The embedded log with a broker's habits: it refuses, it goes away, it takes no messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.embedded import EmbeddedDeliveries, EmbeddedDelivery, EmbeddedSession, EmbeddedTransport
from shared.messages import Envelope
from shared.topology import Topic
from shared.transport import Offset, SessionLostError


async def nothing() -> EmbeddedDelivery:
    """What a consumer gets to which nothing ever comes."""
    await asyncio.Future()
    raise AssertionError


class FragileSession(EmbeddedSession):
    deaf = False

    async def follow(self, topic: Topic, offset: Offset) -> EmbeddedDeliveries:
        return EmbeddedDeliveries(nothing) if self.deaf else await super().follow(topic, offset)

    async def publish(self, topic: Topic, envelope: Envelope) -> None:
        assert isinstance(self._log, FragileTransport)
        if self._log.publishes_nothing:
            raise self.lose("no confirmation")
        if self._log.loses_what_is_published:
            return
        await super().publish(topic, envelope)


class FragileTransport(EmbeddedTransport):
    """Attributes say what goes wrong.

    Attributes:
        refusals: Raised one after the other instead of beginning a session.
        publishes_nothing: Every message is refused, and ends its session.
        loses_what_is_published: Every message is confirmed and gone.
        purposes: Of the sessions that were begun.
        deafened: Purposes of which the next session hears nothing of any stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusals: list[SessionLostError] = []
        self.publishes_nothing = False
        self.loses_what_is_published = False
        self.purposes: list[str] = []
        self.deafened: set[str] = set()
        self._sessions: set[FragileSession] = set()

    @asynccontextmanager
    async def session(self, purpose: str) -> AsyncIterator[EmbeddedSession]:
        if self.refusals:
            raise self.refusals.pop(0)
        self.purposes.append(purpose)
        session = FragileSession(self)
        session.deaf = purpose in self.deafened
        self.deafened.discard(purpose)
        self._sessions.add(session)
        try:
            yield session
        finally:
            session.give_back()
            self._sessions.discard(session)

    def cut(self) -> None:
        """Ends every session, as a broker that is restarted on its data does."""
        for session in self._sessions:
            session.lose("cut")

    def wipe(self) -> None:
        """The same, without its data."""
        self.cut()
        self.streams.clear()
        self.queues.clear()

    def lose_token(self, topic: Topic) -> None:
        """Like a queue that somebody purges."""
        queue = self.queues[topic]
        assert queue._waiting is not None, "the token is not waiting"
        queue._waiting.cancel()
        queue._waiting = None

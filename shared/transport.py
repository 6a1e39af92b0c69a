"""The port of the log: what a transport offers, whether RabbitMQ's (`shared.broker`) or the embedded one.

A session is whole or thrown away: connection, topology and consumers are gained together and lost together.
"""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from enum import StrEnum
from typing import NoReturn, Protocol, Self

from shared.messages import Envelope
from shared.topology import Topic


class SessionLostError(Exception):
    """The session is over, or never began; nothing done with it can still take effect. Holds no secrets."""


class SessionClosedError(SessionLostError):
    """Something was asked of a session that had ended already; why it ended, another error tells."""


class TopologyError(SessionLostError):
    """Something on the broker exists with other arguments than ours: an operator has to act."""


class RefusedError(SessionLostError):
    """The log does not let us in, or not do what we have to: an operator has to act."""


class Offset(StrEnum):
    """Where in a stream to begin."""

    FIRST = "first"
    LAST = "last"


class Delivery(Protocol):
    """A message that is ours until it is acknowledged or the session ends."""

    @property
    def envelope(self) -> Envelope:
        """The message."""
        ...

    @property
    def offset(self) -> int:
        """Its place in its stream; 0 for a poll token."""
        ...

    async def ack(self) -> None:
        """Gives it up, so that the next can come."""
        ...


class Deliveries(Protocol):
    """An endless iterator over the deliveries of one consumer, in order; silent once the session is lost."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Delivery: ...

    async def cancel(self) -> None:
        """Ends the consumer, and not the session. What it delivered counts as acknowledged."""
        ...


class Session(Protocol):
    """Everything that one connection holds. Any method may raise `SessionLostError`."""

    async def wait_lost(self) -> NoReturn:
        """Raises `SessionLostError` as soon as any part of the session is gone."""
        ...

    async def declare(self, topics: Collection[Topic]) -> None:
        """Makes sure of the exchange and the stream of each topic."""
        ...

    async def follow(self, topic: Topic, offset: Offset) -> Deliveries:
        """Reads a declared stream: what it retains from `offset` on, then whatever is published."""
        ...

    async def publish(self, topic: Topic, envelope: Envelope) -> None:
        """Returns once the topic's stream has the message for good."""
        ...

    async def bury(self, envelope: Envelope) -> None:
        """Puts a message that nobody can use into the dead-letter queue, which it makes sure of."""
        ...

    async def declare_tokens(self, topics: Collection[Topic]) -> None:
        """Makes sure of the two queues in which each topic's poll token moves."""
        ...

    async def tokens(self, topic: Topic) -> Deliveries:
        """Competes for the poll token of a topic."""
        ...

    async def schedule(self, topic: Topic, body: bytes, *, delay: timedelta) -> bool:
        """Makes a poll token that is due after `delay`; False if one is waiting already, which then stays."""
        ...

    async def count_tokens(self, topic: Topic) -> int:
        """How many tokens wait or are due; one that somebody holds is not counted."""
        ...


class Transport(Protocol):
    """A way to the log."""

    @property
    def location(self) -> str:
        """Where it is, for logs: never more than host and port."""
        ...

    @property
    def silence(self) -> timedelta:
        """How long a stream must say nothing to a new follower to count as empty: no broker can tell at once."""
        ...

    def session(self, purpose: str) -> AbstractAsyncContextManager[Session]:
        """A session of its own; entering it may raise `SessionLostError`, leaving it takes 3 s at most."""
        ...

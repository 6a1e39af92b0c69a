"""What comes by a session with RabbitMQ: messages, in the order of their queue."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol, Self

from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from shared.messages import Envelope
from shared.topology import Arguments

STREAM_OFFSET: Final = "x-stream-offset"


class Answered(Protocol):
    """How a session asks the broker: no answer, or a refusal, is its end."""

    async def __call__[T](self, call: Awaitable[T], /) -> T:
        """What it answers; raises SessionLostError."""
        ...


class BrokerDelivery:
    """A message, and how it is acknowledged."""

    def __init__(self, answered: Answered, message: AbstractIncomingMessage) -> None:
        self.settled = False
        self._answered = answered
        self._message = message
        headers = {name: value for name, value in message.headers.items() if isinstance(value, str | int)}
        offset = headers.pop(STREAM_OFFSET, 0)
        self.offset = offset if isinstance(offset, int) else 0
        self.envelope = Envelope(
            message.body,
            headers,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            message_id=message.message_id,
            type=message.type,
            timestamp=message.timestamp,
        )

    async def ack(self) -> None:
        """Raises SessionLostError."""
        self.settled = True  # at once: whoever is cancelled here has sent it, and a second time ends the session
        await self._answered(self._message.ack())


class BrokerDeliveries:
    """What one consumer gets, in order."""

    def __init__(self, answered: Answered, queue: AbstractQueue) -> None:
        self._answered = answered
        self._queue = queue
        self._tag = ""
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # bounded by the prefetch
        self._taken: BrokerDelivery | None = None

    async def begin(self, arguments: Arguments) -> Self:
        """Starts the consumer."""
        self._tag = await self._answered(self._queue.consume(self._take, arguments=dict(arguments)))
        return self

    async def _take(self, message: AbstractIncomingMessage) -> None:
        # aio-pika starts a task for each delivery: only what happens before its first await happens in order.
        self._inbox.put_nowait(message)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BrokerDelivery:
        self._taken = BrokerDelivery(self._answered, await self._inbox.get())
        return self._taken

    async def cancel(self) -> None:
        """Raises SessionLostError."""
        await self._answered(self._queue.cancel(self._tag))
        # A message that nobody acknowledges ends the whole session once the broker's consumer_timeout is over.
        while not self._inbox.empty():
            await self._answered(self._inbox.get_nowait().ack())
        if self._taken and not self._taken.settled:
            await self._taken.ack()

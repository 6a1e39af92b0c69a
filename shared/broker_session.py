"""One session with RabbitMQ: a connection, a channel, and what is declared and published over it."""

import asyncio
from collections.abc import Awaitable, Collection
from datetime import timedelta
from typing import Final, NoReturn, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import (
    ChannelNotFoundEntity,
    DeliveryError,
    PublishError,
)

from shared.broker_deliveries import STREAM_OFFSET, BrokerDeliveries
from shared.broker_losses import loss_of
from shared.messages import Envelope
from shared.sessions import being_cancelled
from shared.topology import (
    DEAD_ARGUMENTS,
    DEAD_QUEUE,
    EXCHANGE,
    STREAM_ARGUMENTS,
    Arguments,
    JobQueueType,
    Topic,
    poll_arguments,
    wait_arguments,
)
from shared.transport import Offset, SessionLostError

PREFETCH: Final = 1
"""For streams a matter of memory, for poll tokens of fairness: who holds one gets no second of the same topic."""

SHORTEST_DELAY: Final = timedelta(milliseconds=1)


class BrokerSession:
    """Lost as soon as its connection or channel closes, a consumer is cancelled, or any answer is missing."""

    def __init__(self, channel: AbstractChannel, job_queue_type: JobQueueType, *, patience: float) -> None:
        self._channel = channel
        self._kind = job_queue_type
        self._patience = patience
        self._lost: asyncio.Future[SessionLostError] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, connection: AbstractConnection, job_queue_type: JobQueueType, *, patience: float) -> Self:
        """Opens the channel and listens for the end of each part."""
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        session = cls(channel, job_queue_type, patience=patience)
        await session.answered(channel.initialize())
        connection.close_callbacks.add(lambda _, error: session._lose(loss_of(error)))
        channel.close_callbacks.add(lambda _, error: session._lose(loss_of(error)))
        # aio-pika does not tell when the broker cancels a consumer; the library beneath it does.
        beneath = await channel.get_underlay_channel()
        beneath.on_consumer_cancel_callbacks.add(
            lambda _: session._lose(SessionLostError("the broker cancelled a consumer"))
        )
        await session.answered(channel.set_qos(prefetch_count=PREFETCH))
        return session

    async def wait_lost(self) -> NoReturn:
        """Raises SessionLostError as soon as any part is gone."""
        await asyncio.wait({self._lost})
        raise self._lost.result()

    async def answered[T](self, call: Awaitable[T], /) -> T:
        """What the broker answers; no answer, or a refusal, is the end of the session.

        A nack alone is passed on, as aio-pika's `DeliveryError`.
        """
        try:
            async with asyncio.timeout(self._patience):
                return await call
        except asyncio.CancelledError as error:
            # aiormq cancels whoever waits when a connection dies; that nobody asked for.
            if being_cancelled():
                raise
            raise self._lose(loss_of(error)) from None
        except Exception as error:  # aiormq rejects its waiters with whatever it has, a bare Exception at worst
            if isinstance(error, DeliveryError) and not isinstance(error, PublishError):
                raise
            raise self._lose(loss_of(error)) from None

    async def declare(self, topics: Collection[Topic]) -> None:
        """Raises SessionLostError, or TopologyError where something exists with other arguments."""
        exchange = await self.answered(
            self._channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        )
        for topic in topics:
            stream = await self._declared(topic.stream, STREAM_ARGUMENTS)
            await self.answered(stream.bind(exchange, topic.routing_key))

    async def declare_tokens(self, topics: Collection[Topic]) -> None:
        """Raises SessionLostError, or TopologyError where something exists with other arguments."""
        for topic in topics:
            await self._token_queues(topic)

    async def follow(self, topic: Topic, offset: Offset) -> BrokerDeliveries:
        """Raises SessionLostError."""
        return await self._consumed(topic.stream, {STREAM_OFFSET: str(offset)})

    async def tokens(self, topic: Topic) -> BrokerDeliveries:
        """Raises SessionLostError."""
        return await self._consumed(topic.poll_queue(self._kind), {})

    async def publish(self, topic: Topic, envelope: Envelope) -> None:
        """Raises SessionLostError unless the broker routed the message and confirmed it."""
        await self._published(EXCHANGE, topic.routing_key, _message(envelope))

    async def bury(self, envelope: Envelope) -> None:
        """Raises SessionLostError, or TopologyError where the queue exists with other arguments."""
        # Not before it is needed: this queue lives on one node, whose loss must end no session but the burying one.
        await self._declared(DEAD_QUEUE, DEAD_ARGUMENTS)
        await self._published("", DEAD_QUEUE, _message(envelope))

    async def schedule(self, topic: Topic, body: bytes, *, delay: timedelta) -> bool:
        """Raises SessionLostError."""
        message = aio_pika.Message(
            body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, expiration=max(delay, SHORTEST_DELAY)
        )
        try:
            await self._routed("", topic.wait_queue(self._kind), message)
        except DeliveryError:
            return False  # x-overflow: reject-publish
        return True

    async def count_tokens(self, topic: Topic) -> int:
        """Raises SessionLostError."""
        return sum([queue.declaration_result.message_count or 0 for queue in await self._token_queues(topic)])

    async def untouched(self) -> bool:
        """Whether nothing of ours was ever declared on this broker; if so, the session is over.

        Raises SessionLostError.
        """
        try:
            await self._channel.get_exchange(EXCHANGE)
        except ChannelNotFoundEntity:
            return True
        except Exception as error:  # noqa: BLE001 - see `answered`
            raise loss_of(error) from None
        return False

    async def remove(self, topics: Collection[Topic]) -> None:
        """Deletes whatever `declare` and `declare_tokens` made, with all that it holds. Raises SessionLostError."""
        queues = {
            name
            for topic in topics
            for name in (topic.stream, topic.poll_queue(self._kind), topic.wait_queue(self._kind))
        }
        for name in (*sorted(queues), DEAD_QUEUE):
            await self.answered(self._channel.queue_delete(name))
        await self.answered(self._channel.exchange_delete(EXCHANGE))

    async def _token_queues(self, topic: Topic) -> tuple[AbstractQueue, AbstractQueue]:
        return (
            await self._declared(topic.poll_queue(self._kind), poll_arguments(self._kind)),
            await self._declared(topic.wait_queue(self._kind), wait_arguments(topic, self._kind)),
        )

    async def _declared(self, name: str, arguments: Arguments) -> AbstractQueue:
        return await self.answered(self._channel.declare_queue(name, durable=True, arguments=dict(arguments)))

    async def _consumed(self, name: str, arguments: Arguments) -> BrokerDeliveries:
        queue = await self._channel.get_queue(name, ensure=False)
        return await BrokerDeliveries(self.answered, queue).begin(arguments)

    async def _published(self, exchange: str, key: str, message: aio_pika.Message) -> None:
        try:
            await self._routed(exchange, key, message)
        except DeliveryError:
            raise self._lose(SessionLostError(f"the broker refused a message for {key}")) from None

    async def _routed(self, exchange: str, key: str, message: aio_pika.Message) -> None:
        """Mandatory: an unroutable message is confirmed as well, that is lost, without it.

        Just after a restart the broker listens before its streams can be routed to.
        """
        where = await self._channel.get_exchange(exchange, ensure=False)
        await self.answered(where.publish(message, key, mandatory=True))

    def _lose(self, loss: SessionLostError) -> SessionLostError:
        if not self._lost.done():
            self._lost.set_result(loss)
        return loss


def _message(envelope: Envelope) -> aio_pika.Message:
    return aio_pika.Message(
        envelope.body,
        headers=dict(envelope.headers),
        content_type=envelope.content_type,
        content_encoding=envelope.content_encoding,
        message_id=envelope.message_id,
        type=envelope.type,
        timestamp=envelope.timestamp,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )

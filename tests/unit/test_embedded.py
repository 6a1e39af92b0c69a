"""What the embedded log does besides what every transport does (`tests/contract`)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.embedded import RETAINED_DEAD, RETAINED_PER_STREAM, EmbeddedSession, EmbeddedTransport
from shared.messages import Envelope
from shared.topology import Topic
from shared.transport import Offset, SessionLostError
from tests.virtual_time import virtual_time

TACC = Topic("tacc")


def message(number: int) -> Envelope:
    return Envelope(b"%d" % number, {})


@virtual_time
async def test_memory_is_bounded_however_much_is_published_and_however_slow_a_reader_is() -> None:
    log = EmbeddedTransport()
    async with log.session("test") as session:
        await session.declare([TACC])
        slow = await session.follow(TACC, Offset.LAST)
        for number in range(1000):
            await session.publish(TACC, message(number))
            await session.bury(message(number))
        first = await anext(slow)
        assert first.offset == 1000 - RETAINED_PER_STREAM
        assert [each.body for each in log.dead][:1] == [b"%d" % (1000 - RETAINED_DEAD)]


@virtual_time
async def test_an_hour_is_an_hour_of_the_loop() -> None:
    async with EmbeddedTransport().session("test") as session:
        await session.declare_tokens([TACC])
        assert await session.schedule(TACC, b"7", delay=timedelta(hours=1))
        token = await anext(await session.tokens(TACC))
    assert asyncio.get_running_loop().time() == pytest.approx(3600)
    assert token.envelope.body == b"7"


@virtual_time
async def test_a_lost_session_takes_nothing_any_more() -> None:
    async with EmbeddedTransport().session("test") as session:
        await session.declare([TACC])
        await session.declare_tokens([TACC])
        session.lose("tried")
        for refused in (session.publish(TACC, message(1)), session.wait_lost(), session.count_tokens(TACC)):
            with pytest.raises(SessionLostError, match="tried"):
                await refused


@virtual_time
async def test_a_loss_is_what_it_was_first() -> None:
    async with EmbeddedTransport().session("test") as session:
        session.lose("first")
        session.lose("second")
        with pytest.raises(SessionLostError, match="first"):
            await session.wait_lost()


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.follow(TACC, Offset.LAST),
        lambda session: session.publish(TACC, message(1)),
        lambda session: session.tokens(TACC),
        lambda session: session.schedule(TACC, b"", delay=timedelta()),
        lambda session: session.count_tokens(TACC),
    ],
)
async def test_what_is_not_declared_is_refused(use: Callable[[EmbeddedSession], Awaitable[object]]) -> None:
    async with EmbeddedTransport().session("test") as session:
        with pytest.raises(SessionLostError, match=r"nothing is declared for availability\.site\.tacc\.v1"):
            await use(session)


@virtual_time
async def test_a_consumer_that_never_waits_starves_nobody() -> None:
    async with EmbeddedTransport().session("test") as session:
        await session.declare([TACC])
        deliveries = await session.follow(TACC, Offset.FIRST)

        async def busy() -> None:
            await session.publish(TACC, message(0))
            async for delivery in deliveries:
                await session.publish(TACC, message(1))
                await delivery.ack()

        task = asyncio.create_task(busy())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

"""Sessions with a broker that hangs, goes away, or is not there."""

import asyncio
import gc
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.rabbitmq import RabbitNode
from shared import broker
from shared.broker import BrokerTransport
from shared.topology import Topic
from shared.transport import Offset, RefusedError, SessionLostError
from tests.eventually import LONG_SECONDS, running, until
from tests.replicas import Reader, Writer
from tests.tcp_proxy import TcpProxy

SECOND = timedelta(seconds=1)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancels the task; fails if it does not end, or leaves anything behind."""
    await cancelled(task)
    await nothing_left()


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=LONG_SECONDS)
    assert done, "it does not end"
    assert task.cancelled()


async def nothing_left() -> None:
    ours = asyncio.current_task()

    def left() -> list[asyncio.Task[Any]]:
        return [each for each in asyncio.all_tasks() if each is not ours and "TcpProxy" not in repr(each)]

    try:
        await until(lambda: not left())
    except TimeoutError:
        pytest.fail(f"left: {left()}")
    gc.collect()


async def test_a_broker_that_is_not_there_is_a_lost_session(rabbitmq: RabbitNode, wire: TcpProxy) -> None:
    url = wire.url
    async with TcpProxy(rabbitmq.port).listening() as other:
        url = other.url
    with pytest.raises(SessionLostError, match="Connect call failed"):
        async with BrokerTransport(url, name="test").session("test"):
            raise AssertionError("nobody listens there")


@pytest.mark.parametrize("url", ["amqp://user:pa55word@host:port/", "http://user:pa55word@host/", "amqp://[pa55word/"])
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as refused:
        BrokerTransport(url, name="test")
    assert "pa55word" not in repr(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(("known", "unknown"), [("guest:guest", "guest:pa55word"), ("/%2F", "/nowhere")])
async def test_a_broker_that_does_not_let_us_in_says_so_without_the_password(
    rabbitmq: RabbitNode, known: str, unknown: str
) -> None:
    url = rabbitmq.url.rstrip("/") + "/%2F"
    assert known in url
    with pytest.raises(RefusedError) as refused:
        async with BrokerTransport(url.replace(known, unknown), name="test").session("test"):
            raise AssertionError("it let us in")
    assert "pa55word" not in str(refused.value)


async def test_a_broker_that_never_answers_is_given_up(wire: TcpProxy) -> None:
    wire.hang()
    with pytest.raises(SessionLostError, match="does not answer"):
        async with BrokerTransport(wire.url, name="test", patience=0.3 * SECOND).session("test"):
            raise AssertionError("it answered")


async def test_an_answer_that_does_not_come_ends_the_session(wire: TcpProxy, topic: Topic) -> None:
    async with BrokerTransport(wire.url, name="test", patience=0.5 * SECOND).session("test") as session:
        wire.hang()
        with pytest.raises(SessionLostError, match="does not answer"):
            await session.declare([topic])
        with pytest.raises(SessionLostError):
            await session.wait_lost()


async def test_a_cut_wire_ends_the_session_and_whatever_waits_in_it(wire: TcpProxy, topic: Topic) -> None:
    async with BrokerTransport(wire.url, name="test").session("test") as session:
        await session.declare([topic])
        lost = asyncio.create_task(session.wait_lost())
        wire.hang()
        declaring = asyncio.create_task(session.declare([topic]))
        await asyncio.sleep(0.05)
        wire.cut()
        done, _ = await asyncio.wait({lost, declaring}, timeout=LONG_SECONDS)
        assert {type(task.exception()) for task in done} == {SessionLostError}
        assert len(done) == 2
        with pytest.raises(SessionLostError):
            await session.follow(topic, Offset.LAST)


async def test_a_reader_that_begins_before_its_broker_connects_once_there_is_one(wire: TcpProxy, topic: Topic) -> None:
    wire.hang()
    reader = Reader(BrokerTransport(wire.url, name="test", patience=0.3 * SECOND), topic)
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.last_loss)
        wire.flow()
        await until(lambda: reader.feed.connected)


async def test_a_connect_can_be_cancelled_at_any_step(rabbitmq: RabbitNode, topic: Topic) -> None:
    async def cancelled_after(steps: int) -> None:
        task = asyncio.create_task(Reader(BrokerTransport(rabbitmq.url, name="test"), topic).feed.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        await cancelled(task)

    await asyncio.gather(*map(cancelled_after, range(0, 150, 4)))
    await nothing_left()


async def test_a_connect_can_be_cancelled_at_any_moment(rabbitmq: RabbitNode, topic: Topic) -> None:
    async def cancelled_after(milliseconds: int) -> None:
        task = asyncio.create_task(Reader(BrokerTransport(rabbitmq.url, name="test"), topic).feed.run())
        await asyncio.sleep(milliseconds / 1000)
        await cancelled(task)

    await asyncio.gather(*map(cancelled_after, range(60)))
    await nothing_left()


async def test_a_connect_to_a_broker_that_hangs_can_be_cancelled(wire: TcpProxy, topic: Topic) -> None:
    wire.hang()
    task = asyncio.create_task(Reader(BrokerTransport(wire.url, name="test"), topic).feed.run())
    await asyncio.sleep(0.2)
    await ended(task)


async def test_a_session_with_a_broker_that_hangs_is_closed_in_time(wire: TcpProxy, topic: Topic) -> None:
    reader, writer = (kind(BrokerTransport(wire.url, name="test"), topic) for kind in (Reader, Writer))
    assert isinstance(reader, Reader)
    assert isinstance(writer, Writer)
    tasks = [asyncio.create_task(reader.feed.run()), asyncio.create_task(writer.tokens.run())]
    await until(lambda: writer.poller.published)
    wire.hang()
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=LONG_SECONDS)
    assert len(done) == 2
    await ended(tasks[0])


async def test_whoever_is_in_a_hurry_can_cancel_the_closing_too(
    wire: TcpProxy, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "CLOSE_SECONDS", 3600)
    reader = Reader(BrokerTransport(wire.url, name="test"), topic)
    task = asyncio.create_task(reader.feed.run())
    await until(lambda: reader.feed.connected)
    wire.hang()
    task.cancel()
    await asyncio.sleep(0.1)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=LONG_SECONDS)
    assert done
    await nothing_left()

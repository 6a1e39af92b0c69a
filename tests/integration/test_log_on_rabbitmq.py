"""Both sides of the log, on a real broker that misbehaves."""

import asyncio
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pamqp.encode
import pytest
from structlog.testing import capture_logs

from api_service.adapters.topic_reader import Fate
from deploy.local.rabbitmq import RabbitNode
from shared.availability import utc_now
from shared.broker import BrokerTransport
from shared.messages import encode
from shared.topology import DEAD_ARGUMENTS, DEAD_QUEUE, EXCHANGE, JobQueueType, Topic, poll_arguments
from shared.transport import Offset, SessionLostError
from tests.eventually import LONG_SECONDS, running, until, until_answered
from tests.rabbitmq import FIRST_STREAM_SECONDS, SILENCE, restarted, transport, unique_topic
from tests.replicas import INTERVAL, Reader, Writer
from tests.snapshots import NOON, site
from tests.tcp_proxy import TcpProxy

SECOND = timedelta(seconds=1)
OLD = 10**6
"""A generation far above those that a stream begins with."""


async def test_a_killed_broker_comes_back_with_its_state_and_so_do_reader_and_poller(
    rabbitmq: RabbitNode, topic: Topic
) -> None:
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: reader.generation >= 3)
        rabbitmq.kill()
        await until(lambda: not (reader.feed.connected or writer.tokens.connected))
        known = reader.generation
        fresh = Reader(transport(rabbitmq), topic)  # begins without a broker
        async with running(fresh.feed.run()):
            await asyncio.sleep(0.5)
            assert not fresh.feed.ready
            await restarted(rabbitmq)
            await until(lambda: fresh.generation >= known)
            await until(lambda: min(fresh.generation, reader.generation) >= known + 3)
            assert fresh.feed.ready
    async with running((alone := Reader(transport(rabbitmq), topic)).feed.run()):
        # The one that was under way when the broker died may be in the stream, though nobody was told.
        await until(lambda: writer.poller.published <= alone.generation <= len(writer.poller.turns))


async def test_a_stream_that_was_wiped_is_reborn_and_believed(rabbitmq: RabbitNode, topic: Topic) -> None:
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    async with transport(rabbitmq).session("old") as session:
        await session.declare([topic])
        for generation in range(OLD, OLD + 100):
            await session.publish(topic, encode(site(topic.site_id, generation), source="/test"))
    async with running(reader.feed.run()):
        await until(lambda: reader.generation == OLD + 99)
        rabbitmq.kill()
        rabbitmq.wipe()
        await restarted(rabbitmq)
        async with running(writer.tokens.run()):
            await until(lambda: 0 < reader.generation < OLD)
            assert writer.poller.follows[0] is None
            await asyncio.sleep(FIRST_STREAM_SECONDS)  # the next test may kill it


async def test_a_memory_alarm_ends_the_writers_session_and_leaves_the_readers_alone(
    rabbitmq: RabbitNode, topic: Topic
) -> None:
    patient = 60 * SECOND  # on a busy machine a broker with an alarm takes its time for all
    reader = Reader(transport(rabbitmq, heartbeat=patient, patience=patient), topic)
    writer = Writer(transport(rabbitmq, patience=1.5 * SECOND), topic)
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: reader.generation >= 2)
        losses = reader.feed.last_loss  # of a stream that was just made, for instance
        rabbitmq.control("set_vm_memory_high_watermark", "0.00000001")
        try:
            await until(lambda: writer.tokens.last_loss is not None)
            known = reader.generation
            assert reader.feed.connected
            assert reader.feed.last_loss is losses
            assert reader.generation == known
        finally:
            rabbitmq.control("set_vm_memory_high_watermark", "0.6")
        await until(lambda: reader.generation >= known + 3)


async def test_two_pollers_share_the_sites_and_a_dead_ones_token_goes_to_the_other_at_once(
    rabbitmq: RabbitNode, wire: TcpProxy
) -> None:
    topics = [unique_topic() for _ in range(8)]
    # A token that is not given back is made anew after three of these.
    long = timedelta(minutes=10)
    dying = Writer(BrokerTransport(wire.url, name="dying", silence=SILENCE), *topics, interval=long)
    survivor = Writer(transport(rabbitmq), *topics, interval=long)
    async with running(dying.tokens.run(), survivor.tokens.run()):
        await until(lambda: min(len(dying.poller.turns), len(survivor.poller.turns)) > 16)
        assert set(dying.poller.topics + survivor.poller.topics) == set(topics)
        dying.poller.takes = 3600
        await until(lambda: dying.tokens.held)
        held = set(dying.tokens.held)
        before = survivor.poller.topics
        wire.hang()  # new connections get nowhere
        wire.cut()
        await until(lambda: all(survivor.poller.topics[each] > before[each] for each in held))


@pytest.mark.parametrize("kind", JobQueueType)
async def test_of_two_tokens_that_come_due_together_one_ends(
    rabbitmq: RabbitNode, topic: Topic, kind: JobQueueType
) -> None:
    broker = BrokerTransport(rabbitmq.url, name="test", job_queue_type=kind)
    async with broker.session("one") as one, broker.session("other") as other:
        await one.declare([topic])
        await one.declare_tokens([topic])
        # A quorum queue takes both, though it is to hold one only.
        await asyncio.gather(*(session.schedule(topic, b"", delay=2 * SECOND) for session in (one, other)))
        writers = [Writer(broker, topic), Writer(broker, topic)]
        async with running(*(writer.tokens.run() for writer in writers)):
            await until(lambda: sum(writer.poller.published for writer in writers) >= 10)
            for writer in writers:
                writer.poller.next_in = timedelta(hours=1)

            async def rests() -> bool:
                return await one.count_tokens(topic) == 1 and not any(writer.tokens.held for writer in writers)

            await until_answered(rests)


async def test_a_frozen_poller_and_a_silent_broker_are_found_by_the_heartbeat(
    rabbitmq: RabbitNode, wire: TcpProxy, topic: Topic
) -> None:
    """The token goes to another, what the frozen one writes on waking is lost, and a reader that hears nothing asks."""
    far = BrokerTransport(wire.url, name="frozen", heartbeat=SECOND, silence=SILENCE)
    frozen = Writer(far, topic, takes=0.3, interval=20 * SECOND)  # no token is missed before the heartbeat
    other, reader = Writer(transport(rabbitmq), topic, interval=20 * SECOND), Reader(transport(rabbitmq), topic)
    async with TcpProxy(rabbitmq.port).listening() as dead_wire:
        deaf = Reader(BrokerTransport(dead_wire.url, name="deaf", heartbeat=SECOND), topic)
        async with running(frozen.tokens.run(), reader.feed.run(), other.tokens.run(), deaf.feed.run()):
            await until(lambda: frozen.poller.published >= 2 and frozen.poller.running and deaf.feed.connected)
            wire.hang()
            dead_wire.hang()
            begun = other.poller.published
            await until(lambda: other.poller.published >= begun + 3)
            wire.flow()
            await until(lambda: frozen.tokens.last_loss is not None)
            known = reader.generation
            await until(lambda: reader.generation >= known + 3 and deaf.feed.last_loss)
    assert reader.feed.counts[Fate.LATE] <= 1  # polls of a site overlap by at most one for each fault


async def test_a_token_that_somebody_purged_is_made_anew(rabbitmq: RabbitNode, topic: Topic) -> None:
    writer = Writer(transport(rabbitmq), topic)
    with capture_logs() as logs:
        async with running(writer.tokens.run()):
            await until(lambda: writer.poller.published >= 1)
            writer.poller.next_in = timedelta(hours=1)
            polled = len(writer.poller.turns)
            await until(lambda: len(writer.poller.turns) > polled)
            await until(lambda: not writer.tokens.held)
            polled = len(writer.poller.turns)
            writer.poller.next_in = INTERVAL
            async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
                queue = await channel.get_queue(topic.wait_queue(JobQueueType.CLASSIC))
                await queue.purge()
            await until(lambda: len(writer.poller.turns) > polled + 1)
    assert "poll token lost" in [line["event"] for line in logs]


async def test_an_unroutable_snapshot_is_not_taken_for_published(rabbitmq: RabbitNode, topic: Topic) -> None:
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: reader.generation >= 2)
        published = writer.poller.published
        async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
            stream = await channel.get_queue(topic.stream, ensure=False)
            await stream.unbind(EXCHANGE, topic.routing_key)
        await until(lambda: "could not route" in (writer.tokens.last_loss or ""))
        assert writer.poller.published <= published + 1
        await until(lambda: reader.generation >= published + 3)  # bound again by the next session
    # The writer may have been ended before it knew of its last one.
    assert reader.generation - writer.poller.published in {0, 1}


async def test_a_message_that_a_queue_refuses_is_not_taken_for_published(rabbitmq: RabbitNode, topic: Topic) -> None:
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        full = await channel.declare_queue(
            exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        async with transport(rabbitmq).session("test") as session:
            await session.declare([topic])
            await full.bind(EXCHANGE, topic.routing_key)
            await session.publish(topic, encode(site(topic.site_id, 1), source="/test"))
            with pytest.raises(SessionLostError, match="refused a message"):
                await session.publish(topic, encode(site(topic.site_id, 2), source="/test"))


async def test_a_stream_that_somebody_deleted_is_declared_anew(rabbitmq: RabbitNode, topic: Topic) -> None:
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: reader.generation >= 2)
        async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
            await channel.queue_delete(topic.stream)
        await until(lambda: None not in (reader.feed.last_loss, writer.tokens.last_loss))
        known = reader.generation
        await until(lambda: reader.generation > known)


async def test_poison_reaches_the_dead_letter_queue_with_where_and_why(rabbitmq: RabbitNode, topic: Topic) -> None:
    reader = Reader(transport(rabbitmq), topic)
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        async with transport(rabbitmq).session("test") as session:
            await session.declare([topic])
        dead = await channel.declare_queue(DEAD_QUEUE, durable=True, arguments=dict(DEAD_ARGUMENTS))
        await dead.purge()
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        odd = aio_pika.Message(b"\xff", headers={"list": [1], "table": {"a": 1}, "none": None, "long": "x" * 60_000})
        await exchange.publish(odd, topic.routing_key)
        async with running(reader.feed.run()):
            await until(lambda: sum(reader.feed.counts.values()) == 1)
            async with asyncio.timeout(LONG_SECONDS):
                while (buried := await dead.get(no_ack=True, fail=False)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    assert buried.body == b"\xff"
    assert buried.headers == {"x-stream": topic.stream, "x-offset": 0, "x-error": "not a CloudEvent 1.0"}


async def test_a_dead_letter_queue_that_cannot_be_had_ends_no_session(rabbitmq: RabbitNode, topic: Topic) -> None:
    """As where the node that it lives on is lost; here it is somebody else's."""
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        await channel.queue_delete(DEAD_QUEUE)
        await channel.declare_queue(DEAD_QUEUE, exclusive=True)
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        with capture_logs() as logs:
            async with running(reader.feed.run(), writer.tokens.run()):
                await until(lambda: reader.generation >= 1)
                await exchange.publish(aio_pika.Message(b"poison"), topic.routing_key)
                known = reader.generation
                await until(lambda: reader.generation >= known + 3)
    assert "poison message not buried" in [line["event"] for line in logs]
    assert (reader.feed.last_loss, writer.tokens.last_loss) == (None, None)


async def test_a_queue_with_other_arguments_is_told_once_and_leads_to_no_hot_loop(
    rabbitmq: RabbitNode, topic: Topic
) -> None:
    kind = JobQueueType.CLASSIC
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        wrong = {**poll_arguments(kind), "x-max-length": 7}
        await channel.declare_queue(topic.poll_queue(kind), durable=True, arguments=dict(wrong))
    writer = Writer(transport(rabbitmq), topic)
    with capture_logs() as logs:
        async with running(writer.tokens.run()):
            await until(lambda: writer.tokens.last_loss)
            await asyncio.sleep(1)
    (told,) = logs
    assert (told["event"], told["log_level"]) == ("broker topology mismatch", "error")
    assert "x-max-length" in told["reason"]
    assert topic.poll_queue(kind) in told["reason"]
    assert not writer.tokens.connected


async def test_quorum_queues_carry_tokens_too(rabbitmq: RabbitNode, topic: Topic) -> None:
    quorum = BrokerTransport(rabbitmq.url, name="quorum", job_queue_type=JobQueueType.QUORUM)
    writer = Writer(quorum, topic)
    async with running(writer.tokens.run()):
        await until(lambda: writer.poller.published >= 2)
        async with quorum.session("second") as session:
            taken = [await session.schedule(topic, b"", delay=timedelta(hours=1)) for _ in range(3)]
    assert taken.count(True) <= 1


async def test_a_session_refused_for_its_password_does_not_repeat_it(rabbitmq: RabbitNode) -> None:
    secret = "s3cret-pass"
    subject = BrokerTransport(f"amqp://somebody:{secret}@127.0.0.1:{rabbitmq.port}/vhost?name=x", name="test")
    try:
        async with subject.session("test"):
            raise AssertionError("the broker let us in")
    except SessionLostError as loss:
        told = f"{loss!r} {loss.__cause__!r} {loss.__context__ if not loss.__suppress_context__ else None!r}"
    assert "ACCESS_REFUSED" in told
    assert secret not in told
    assert "amqp://" not in told
    assert subject.location == f"127.0.0.1:{rabbitmq.port}"


async def test_a_virtual_host_that_is_not_there_is_named_as_what_to_look_at(rabbitmq: RabbitNode) -> None:
    subject = BrokerTransport(f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/nowhere", name="test")
    with pytest.raises(SessionLostError, match="virtual host"):
        async with subject.session("test"):
            raise AssertionError("the broker let us in")


@pytest.mark.parametrize("oddity", ["time", "time in a header", "text", "name of a header"])
async def test_a_message_whose_properties_nobody_can_read_ends_no_session(
    oddity: str, rabbitmq: RabbitNode, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = unique_topic()
    await published_oddly(rabbitmq, topic, oddity, monkeypatch)
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic, other)
    reader.feed._topics = lambda: [topic, other]
    with capture_logs() as logs:
        async with running(reader.feed.run(), writer.tokens.run()):
            await until(lambda: reader.generation >= 2 and reader.map.has_synced(other))
    assert reader.feed.last_loss is None
    assert writer.tokens.last_loss is None
    assert [line["offset"] for line in logs if line["event"] == "poison message"] == [1]


async def published_oddly(node: RabbitNode, topic: Topic, oddity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good message, and then one such as no client of ours could write."""
    oddities: dict[str, dict[str, Any]] = {
        "time": {"timestamp": datetime.now(UTC)},
        "time in a header": {"headers": {"when": datetime.now(UTC)}},
        "text": {"content_type": "appl\u00ff"},
        "name of a header": {"headers": {"wh\u00ffn": 1}},
    }
    async with transport(node).session("odd") as session:
        await session.declare([topic])
        await session.publish(topic, encode(site(topic.site_id, 1, observed_at=NOON), source="/test"))
        with monkeypatch.context() as patch:
            for name in ("timestamp", "short_string"):
                patch.setattr(pamqp.encode, name, {"timestamp": in_microseconds, "short_string": in_latin_1}[name])
            patch.setitem(pamqp.encode.METHODS, "timestamp", in_microseconds)
            patch.setitem(pamqp.encode.METHODS, "shortstr", in_latin_1)
            exchange = await session._channel.get_exchange(EXCHANGE, ensure=False)
            await exchange.publish(aio_pika.Message(b"{}", **oddities[oddity]), topic.routing_key)


def in_microseconds(_moment: object) -> bytes:
    return struct.pack(">Q", 1_795_348_800_000_000)


def in_latin_1(text: str) -> bytes:
    written = text.encode("latin-1")
    return bytes([len(written)]) + written


async def test_a_consumer_that_ends_leaves_nothing_unacknowledged(rabbitmq: RabbitNode, topic: Topic) -> None:
    async with transport(rabbitmq).session("cancelling") as session:
        await session.declare([topic])
        for generation in (1, 2, 3):
            await session.publish(topic, encode(site(topic.site_id, generation), source="/test"))
        for taken in (0, 1):
            deliveries = await session.follow(topic, Offset.FIRST)
            for _ in range(taken):
                await anext(deliveries)
            await deliveries.cancel()
        assert unacknowledged(rabbitmq) == 0


def unacknowledged(node: RabbitNode) -> int:
    told = node.control("list_channels", "--quiet", "--no-table-headers", "messages_unacknowledged")
    return sum(map(int, told.split()))


async def test_a_queue_of_somebody_elses_does_not_pass_for_the_stream(rabbitmq: RabbitNode, topic: Topic) -> None:
    writer = Writer(transport(rabbitmq), topic)
    async with transport(rabbitmq).session("stranger") as session:
        await session.declare([topic])
        stranger = await session._channel.declare_queue(f"stranger.{topic.site_id}", auto_delete=True, exclusive=True)
        await stranger.bind(EXCHANGE, topic.routing_key)
        stream = await session._channel.get_queue(topic.stream, ensure=False)
        async with running(writer.tokens.run()):
            await until(lambda: writer.poller.published >= 2)
            await stream.unbind(EXCHANGE, topic.routing_key)
            await asyncio.sleep(2 * INTERVAL.total_seconds())
            begun, published = len(writer.poller.turns), writer.poller.published
            assert begun == published + 1  # it waits to read what it published


async def test_a_clock_set_back_an_hour_silences_no_site_and_turns_back_no_age(
    rabbitmq: RabbitNode, topic: Topic
) -> None:
    back = timedelta()
    reader, writer = Reader(transport(rabbitmq), topic), Writer(transport(rabbitmq), topic)
    writer.poller.clock = lambda: utc_now() - back
    ages = []
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: reader.generation >= 2)
        back = timedelta(hours=1)
        for _ in range(3):
            known = reader.generation
            ages.append(reader.map.sites[topic.site_id].last_updated)
            await until(lambda: reader.generation > known)  # noqa: B023 - waited for at once
    assert ages == sorted(ages)

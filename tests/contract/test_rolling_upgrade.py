"""Replicas of different versions on one log: readers and writers of today beside those of before and after them."""

import json
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from structlog.testing import capture_logs

from deploy.local.rabbitmq import RabbitNode
from shared.messages import Envelope, encode
from shared.topology import EXCHANGE, STREAM_ARGUMENTS, Topic
from shared.transport import Transport
from shared.wire import SITE_TYPE
from tests.contract.test_log import counted, published
from tests.eventually import running, until
from tests.rabbitmq import transport as broker_transport
from tests.replicas import Reader, Writer
from tests.snapshots import node, site

FILES = Path(__file__).parents[1] / "data" / "messages"
SKIPPED = "messages of a newer version are skipped"


def golden(name: str, topic: Topic, **changes: object) -> Envelope:
    """A golden message, as if it were about another site."""
    content = json.loads((FILES / f"{name}.json").read_text())
    body = b64decode(content.pop("body_base64"))
    if content["content_encoding"]:
        body = zlib.decompress(body)
    changed = json.dumps(json.loads(body) | {"site_id": topic.site_id} | changes)
    envelope = Envelope(changed.encode(), **{**content, "content_encoding": None})
    return with_headers(envelope, id=f"{topic.site_id}-{changes.get('generation', name)}")


def of_version_2(topic: Topic, generation: int) -> Envelope:
    """What nobody can read yet."""
    envelope = encode(site(topic.site_id, generation), source="/later")
    later = SITE_TYPE.replace(".v1", ".v2")
    return replace(with_headers(envelope, type=later, id=f"v2-{generation}"), body=b"\x28\xb5\x2f\xfd", type=later)


def with_headers(envelope: Envelope, **changes: str) -> Envelope:
    return replace(envelope, headers={**envelope.headers, **{f"cloudEvents:{key}": changes[key] for key in changes}})


def skips(logs: Sequence[Mapping[str, Any]]) -> int:
    return [line["event"] for line in logs].count(SKIPPED)


@pytest.mark.parametrize("name", ["site.v1.from_a_later_writer", "site.v1.only_what_is_required"])
async def test_the_message_of_a_later_or_an_earlier_writer_is_applied(
    name: str, transport: Transport, topic: Topic
) -> None:
    message = golden(name, topic)
    await published(transport, topic, message)
    reader = Reader(transport, topic)
    async with running(reader.feed.run()):
        await until(lambda: reader.generation)
    assert reader.generation == json.loads(message.body)["generation"]
    assert counted(reader) == {"applied": 1}


async def test_writers_of_three_versions_take_turns_and_none_is_lost(transport: Transport, topic: Topic) -> None:
    reader = Reader(transport, topic)
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.connected)
        await published(
            transport,
            topic,
            golden("site.v1.only_what_is_required", topic, generation=1),
            golden("site.v1.from_a_later_writer", topic, generation=2, follows=1),
            site(topic.site_id, 3, follows=2),
            golden("site.v1.only_what_is_required", topic, generation=4, follows=3),
        )
        await until(lambda: reader.generation == 4)
    assert counted(reader) == {"applied": 4}


async def test_a_reader_that_meets_a_newer_version_skips_it_and_says_so_once(
    transport: Transport, topic: Topic
) -> None:
    reader, site_id = Reader(transport, topic), topic.site_id
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await until(lambda: reader.feed.connected)
            await published(
                transport,
                topic,
                *(of_version_2(topic, 1), site(site_id, 1)),
                *(of_version_2(topic, 2), site(site_id, 2, follows=1)),
            )
            await until(lambda: reader.generation == 2)
    assert counted(reader) == {"applied": 2, "newer": 2}
    assert skips(logs) == 1


async def test_a_fresh_reader_looks_behind_messages_of_a_newer_version(transport: Transport, topic: Topic) -> None:
    await published(transport, topic, site(topic.site_id, 7, node("a")), of_version_2(topic, 8), of_version_2(topic, 9))
    reader = Reader(transport, topic)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await until(lambda: reader.generation == 7)
            # The fleet is turned back.
            await published(transport, topic, site(topic.site_id, 10, follows=7))
            await until(lambda: reader.generation == 10)
    assert counted(reader) == {"applied": 2, "newer": 1}
    assert skips(logs) == 1


async def test_a_poller_goes_on_from_the_newest_message_that_it_understands(transport: Transport, topic: Topic) -> None:
    await published(transport, topic, site(topic.site_id, 7), of_version_2(topic, 8))
    reader, writer = Reader(transport, topic), Writer(transport, topic)
    async with running(reader.feed.run(), writer.tokens.run()):
        await until(lambda: writer.poller.published)
        await until(lambda: reader.generation > 7)
    assert writer.poller.follows[0] == 7


async def test_a_writer_of_two_versions_fills_a_stream_of_each_and_a_reader_of_the_first_sees_its_own_alone(
    rabbitmq: RabbitNode, topic: Topic
) -> None:
    reader = Reader(broker_transport(rabbitmq), topic)
    later = topic.stream.replace(".v1", ".v2")
    with capture_logs() as logs:
        async with (
            running(reader.feed.run()),
            broker_transport(rabbitmq).session("later") as session,
            await aio_pika.connect(rabbitmq.url) as connection,
            connection.channel() as channel,
        ):
            await session.declare([topic])
            stream = await channel.declare_queue(later, durable=True, arguments=dict(STREAM_ARGUMENTS))
            await stream.bind(EXCHANGE, later)
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            await until(lambda: reader.feed.connected)
            for generation in (1, 2, 3):
                second = of_version_2(topic, generation)
                await exchange.publish(aio_pika.Message(second.body, headers=dict(second.headers)), later)
                await session.publish(
                    topic, encode(site(topic.site_id, generation, follows=generation - 1), source="/later")
                )
            await until(lambda: reader.generation == 3)
    assert counted(reader) == {"applied": 3}
    assert skips(logs) == 0

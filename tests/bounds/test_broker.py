"""What a day of messages leaves on the broker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_service.adapters.topic_reader import Fate
from deploy.local.rabbitmq import RabbitNode
from shared.messages import Envelope, encode
from shared.topology import STREAM_ARGUMENTS, Topic
from shared.transport import Offset, Session
from tests.bounds.load import MEGABYTE, POLLS_A_DAY, polls
from tests.eventually import running, until
from tests.figures import Figure
from tests.rabbitmq import transport
from tests.replicas import Reader

pytestmark = pytest.mark.bounds

BOUND = int(STREAM_ARGUMENTS["x-max-length-bytes"]) + int(STREAM_ARGUMENTS["x-stream-max-segment-size-bytes"])
"""Retention is looked after whenever a new segment begins."""

READ_SECONDS = 2
LOOK_BACK_SECONDS = 10


async def test_a_day_of_polls_leaves_one_bounded_stream_whose_newest_message_a_fresh_reader_has_at_once(
    rabbitmq: RabbitNode, topic: Topic, figure: Figure
) -> None:
    async with transport(rabbitmq).session("day") as session:
        await session.declare([topic])
        written = await a_day_published(session, topic)
        assert written > 2 * BOUND, "too little to show that anything is dropped"
        await until(lambda: kept(rabbitmq, topic) <= BOUND)
        oldest = (await anext(await session.follow(topic, Offset.FIRST))).offset
    figure("messages of a day", f"{written / MEGABYTE:.0f} MB")
    figure("kept of them on disk", f"{kept(rabbitmq, topic) / MEGABYTE:.1f} MB, {POLLS_A_DAY - oldest} messages")

    fresh = Reader(transport(rabbitmq), topic)
    taken = await seconds_to_read(fresh)
    figure("a fresh reader has the newest after", f"{1000 * taken:.0f} ms")
    assert taken < READ_SECONDS
    assert fresh.feed.counts[Fate.APPLIED] + fresh.feed.counts[Fate.LATE] < 10, "it read old ones first"

    async with transport(rabbitmq).session("poison") as session:
        await session.publish(topic, Envelope(b"poison", {}))
    taken = await seconds_to_read(Reader(transport(rabbitmq), topic))
    figure("a fresh reader looks behind poison, through all that is kept, in", f"{taken:.1f} s")
    assert taken < LOOK_BACK_SECONDS


async def a_day_published(session: Session, topic: Topic) -> int:
    """How many bytes that was."""
    written = 0
    for snapshot in polls(topic.site_id):
        envelope = encode(snapshot, source="/test")
        await session.publish(topic, envelope)
        written += len(envelope.body)
    return written


async def seconds_to_read(reader: Reader) -> float:
    began = time.monotonic()
    async with running(reader.feed.run()):
        await until(lambda: reader.generation == POLLS_A_DAY, within=120)
        return time.monotonic() - began


def kept(node: RabbitNode, topic: Topic) -> int:
    """Bytes of the stream's segments and their indexes."""
    folder = topic.stream.replace(".", "_")
    return sum(size for file, size in files(node.directory) if folder in file.parent.name)


def files(folder: Path) -> Iterator[tuple[Path, int]]:
    for file in folder.glob("mnesia/*/stream/*/*"):
        try:
            yield file, file.stat().st_size
        except FileNotFoundError:
            continue  # retention was faster

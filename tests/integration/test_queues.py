"""How much waits on the broker, whoever sends and whoever does not take."""

from collections.abc import Mapping, Sequence
from itertools import count

import pytest

from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from shared.messages import Envelope
from shared.topology import DEAD_ARGUMENTS, DEAD_QUEUE, JobQueueType, Topic
from tests.eventually import running, until
from tests.rabbitmq import SILENCE, add_vhost, unique_topic
from tests.replicas import Reader, Writer

KIND = JobQueueType.CLASSIC
NUMBERS = count()


@pytest.fixture
def vhost(rabbitmq: RabbitNode) -> str:
    """With no queues but the test's own."""
    name = f"queues{next(NUMBERS)}"
    add_vhost(rabbitmq, name)
    return name


def transport(node: RabbitNode, vhost: str) -> BrokerTransport:
    return BrokerTransport(f"{node.url}{vhost}", name="test", silence=SILENCE)


def queues(node: RabbitNode, vhost: str) -> Mapping[str, int]:
    """Messages of each."""
    told = node.control("list_queues", "--vhost", vhost, "--quiet", "--no-table-headers", "name", "messages")
    return {name: int(messages) for name, messages in map(str.split, told.splitlines())}


async def come_and_go(to: BrokerTransport, topics: Sequence[Topic], lasting: Writer) -> None:
    """A reader and a writer beside one that stays, for a few polls."""
    passing, reader = Writer(to, *topics), Reader(to, topics[0])

    def published() -> int:
        return lasting.poller.published + passing.poller.published

    async with running(passing.tokens.run(), reader.feed.run()):
        await until(lambda: reader.feed.ready and passing.tokens.connected)
        begun = published()
        await until(lambda: published() >= begun + 9)


async def test_replicas_that_come_and_go_leave_no_queue_behind_and_no_second_token(
    rabbitmq: RabbitNode, vhost: str
) -> None:
    topics = [unique_topic() for _ in range(3)]
    lasting = Writer(transport(rabbitmq, vhost), *topics)
    async with running(lasting.tokens.run()):
        for _ in range(4):
            await come_and_go(transport(rabbitmq, vhost), topics, lasting)
    found = queues(rabbitmq, vhost)
    tokens = {name for each in topics for name in (each.poll_queue(KIND), each.wait_queue(KIND))}
    assert found.keys() == {*(each.stream for each in topics), *tokens}
    for each in topics:
        assert found[each.poll_queue(KIND)] + found[each.wait_queue(KIND)] == 1


async def test_poison_that_nobody_looks_at_is_kept_up_to_a_number(rabbitmq: RabbitNode, vhost: str) -> None:
    most = int(DEAD_ARGUMENTS["x-max-length"])
    async with transport(rabbitmq, vhost).session("test") as session:
        await session.declare([Topic("uc")])
        for number in range(most + 50):
            await session.bury(Envelope(b"poison", {}, message_id=str(number)))
    assert queues(rabbitmq, vhost)[DEAD_QUEUE] == most

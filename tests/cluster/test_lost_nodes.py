"""A cluster of three that loses a node, in every way that a node can be lost."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.topology import JobQueueType
from tests.cluster.company import Company
from tests.eventually import until
from tests.rabbitmq import unique_topic
from tests.rabbitmq_cluster import RabbitCluster

TOPICS = 3


@pytest.fixture
async def company(cluster: RabbitCluster) -> AsyncIterator[Company]:
    company = Company(cluster, [unique_topic() for _ in range(TOPICS)])
    async with company.working():
        yield company


async def test_every_stream_and_every_queue_of_tokens_has_a_replica_at_every_node(company: Company) -> None:
    nodes = {node.name for node in company.cluster.nodes}
    queues = await company.cluster.queues(company.cluster.nodes[1])
    for topic in company.topics:
        kind = JobQueueType.QUORUM
        for name in (topic.stream, topic.poll_queue(kind), topic.wait_queue(kind)):
            assert set(queues[name]["members"]) == set(queues[name]["online"]) == nodes, name
        assert await company.cluster.leaders(topic) == {company.cluster.nodes[0]}


async def survived(
    company: Company,
    lose: Callable[[], Awaitable[None]],
    bring_back: Callable[[], Awaitable[None]],
    figures: list[str],
    what: str,
) -> None:
    """Progress while the node is away, progress when it is back, and agreement afterwards."""
    began = time.monotonic()
    await lose()
    await company.progressed(2)
    healed = time.monotonic() - began
    await company.progressed(5)
    began = time.monotonic()
    await bring_back()
    await company.cluster.whole()
    back = time.monotonic() - began
    await company.progressed(3)
    await until(lambda: all(writer.tokens.connected for writer in company.writers))
    await company.settled()
    figures.append(
        f"{what}: all go on after {healed:.1f} s, longest silence {company.longest_silence:.1f} s, "
        f"whole {back:.1f} s after its return"
    )


@pytest.mark.parametrize("place", [2, 0], ids=["follower", "leader"])
async def test_a_node_that_is_killed_silences_nobody(company: Company, place: int, figures: list[str]) -> None:
    node = company.cluster.nodes[place]

    async def lose() -> None:
        node.kill()

    async def bring_back() -> None:
        node.launch()

    await survived(company, lose, bring_back, figures, f"{'leader' if place == 0 else 'follower'} killed")


@pytest.mark.parametrize("place", [2, 0], ids=["follower", "leader"])
async def test_a_node_that_is_cut_off_silences_nobody(company: Company, place: int, figures: list[str]) -> None:
    node = company.cluster.nodes[place]
    await survived(
        company,
        lambda: company.cluster.isolate(node),
        lambda: company.cluster.rejoin(node),
        figures,
        f"{'leader' if place == 0 else 'follower'} cut off",
    )


async def test_a_leader_that_freezes_silences_nobody(company: Company, figures: list[str]) -> None:
    node = company.cluster.nodes[0]

    async def lose() -> None:
        node.freeze()

    async def bring_back() -> None:
        node.thaw()
        # RabbitMQ 3.10 never takes it in again; until it is restarted it serves whoever comes, by itself.
        await company.progressed(3)
        node.kill()
        node.launch()

    await survived(company, lose, bring_back, figures, "leader frozen")

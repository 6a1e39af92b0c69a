"""What replicas of the sync service that share a site publish together, as a reader sees it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from api_service.adapters.availability_feed import AvailabilityFeed
from api_service.domain.availability_map import AvailabilityMap
from shared.availability import AvailabilityState
from shared.embedded import EmbeddedTransport
from shared.messages import encode
from shared.topology import Topic
from sync_service.adapters.poll_tokens import PollTokens
from sync_service.coordinator import Assignment
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import PollObserver, PollResult, Rhythm, TroubleKind
from sync_service.site_coordinator import SiteCoordinator
from tests.eventually import running
from tests.snapshots import NOON
from tests.virtual_time import virtual_time

SECOND = timedelta(seconds=1)
RHYTHM = Rhythm(poll_interval=60 * SECOND, error_backoff=60 * SECOND, timeout=120 * SECOND, hosts_interval=300 * SECOND)
TACC = Topic("tacc")
STARTUP_SECONDS = 4


class Blazar:
    """One Blazar that several replicas ask."""

    def __init__(self, *node_ids: str) -> None:
        self.rows = {node_id: Host(str(number), node_id) for number, node_id in enumerate(node_ids, 1)}
        self.lists_read = 0

    async def hosts(self) -> Sequence[Host]:
        self.lists_read += 1
        await asyncio.sleep(1)
        return tuple(self.rows.values())

    async def allocations(self) -> Sequence[Allocation]:
        await asyncio.sleep(0.1)
        return tuple(Allocation(row.resource_id) for row in self.rows.values())

    def close(self) -> None:
        pass


class Results(list[PollResult]):
    def poll_ended(self, topic: Topic, result: PollResult, seconds: float) -> None:
        self.append(result)

    def troubled(self, topic: Topic, kind: TroubleKind) -> None:
        pass

    def records_read(self, topic: Topic, listed: int, unreadable: int) -> None:
        pass


def clock() -> datetime:
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


def replica(transport: EmbeddedTransport, blazar: Blazar, observer: PollObserver | None = None) -> PollTokens:
    monotonic = asyncio.get_running_loop().time
    coordinator = SiteCoordinator(
        blazar, Assignment(TACC, RHYTHM, Results() if observer is None else observer, clock, monotonic)
    )
    return PollTokens(
        transport,
        (TACC,),
        coordinator,
        max_concurrent=1,
        interval_of=lambda _: RHYTHM.poll_interval,
        longest_poll=RHYTHM.timeout,
        clock=clock,
    )


class Seen:
    """What a reader sees each second."""

    def __init__(self, transport: EmbeddedTransport) -> None:
        self.map = AvailabilityMap()
        self.feed = AvailabilityFeed(transport, self.map, lambda: [TACC], clock=clock)

    def state(self, node_id: str) -> AvailabilityState | None:
        node = self.map.node("tacc", node_id)
        return node.state_at(clock()) if node else None

    async def states(self, node_id: str, seconds: int) -> list[AvailabilityState | None]:
        seen = []
        for _ in range(seconds):
            await asyncio.sleep(1)
            seen.append(self.state(node_id))
        return seen


@virtual_time
async def test_a_node_in_maintenance_stays_so_whichever_replica_polls_next() -> None:
    transport, blazar = EmbeddedTransport(), Blazar("n1", "n2")
    reader = Seen(transport)
    replicas = [replica(transport, blazar) for _ in range(3)]
    async with running(reader.feed.run(), *(each.run() for each in replicas)):
        await asyncio.sleep(STARTUP_SECONDS + 30)
        assert reader.state("n1") is AvailabilityState.AVAILABLE
        blazar.rows["n1"] = Host("1", "n1", maintenance=True)
        states = await reader.states("n1", 1800)
    changed_at = states.index(AvailabilityState.MAINTENANCE)
    assert changed_at <= 300 + 61
    assert set(states[changed_at:]) == {AvailabilityState.MAINTENANCE}


@virtual_time
async def test_a_node_that_was_removed_does_not_come_back_and_a_new_one_does_not_go() -> None:
    transport, blazar = EmbeddedTransport(), Blazar("n1", "n2", "n3")
    reader = Seen(transport)
    replicas = [replica(transport, blazar) for _ in range(4)]
    async with running(reader.feed.run(), *(each.run() for each in replicas)):
        await asyncio.sleep(STARTUP_SECONDS + 200)
        del blazar.rows["n1"]
        gone = await reader.states("n1", 900)
        blazar.rows["n4"] = Host("4", "n4")
        new = await reader.states("n4", 900)
    assert set(gone[gone.index(None) :]) == {None}
    assert set(new[new.index(AvailabilityState.AVAILABLE) :]) == {AvailabilityState.AVAILABLE}


@virtual_time
async def test_replicas_read_one_host_list_an_interval_together() -> None:
    transport, blazar = EmbeddedTransport(), Blazar("n1", "n2")
    replicas = [replica(transport, blazar) for _ in range(3)]
    async with running(*(each.run() for each in replicas)):
        await asyncio.sleep(STARTUP_SECONDS + 400)  # by now each has read one of its own
        read = blazar.lists_read
        await asyncio.sleep(10 * 300)
    assert blazar.lists_read - read <= 10


@virtual_time
async def test_a_replica_that_starts_anew_doubts_a_list_that_lost_most_of_what_was_published() -> None:
    transport, blazar = EmbeddedTransport(), Blazar(*(f"n{number}" for number in range(10)))
    async with running(replica(transport, blazar).run()):
        await asyncio.sleep(STARTUP_SECONDS)
    before = dict(blazar.rows)
    blazar.rows = {"n0": before["n0"]}
    reader = Seen(transport)

    results = Results()
    async with running(reader.feed.run(), replica(transport, blazar, results).run()):
        await asyncio.sleep(70)
        assert results == [PollResult.DOUBTED]
        assert reader.state("n5") is AvailabilityState.AVAILABLE
        blazar.rows = before
        await asyncio.sleep(70)
    assert results == [PollResult.DOUBTED, PollResult.PUBLISHED]


@virtual_time
async def test_a_late_message_by_a_fast_clock_makes_no_replica_take_back_what_another_has_published() -> None:
    transport, blazar = EmbeddedTransport(), Blazar("n1", "n2")
    reader = Seen(transport)
    replicas = [replica(transport, blazar) for _ in range(2)]
    async with running(reader.feed.run(), *(each.run() for each in replicas)):
        await asyncio.sleep(STARTUP_SECONDS + 30)
        old = reader.map.sites["tacc"].snapshot
        blazar.rows["n1"] = Host("1", "n1", maintenance=True)
        states = []
        async with transport.session("zombie") as session:
            for _ in range(20):
                late = replace(old, generation=reader.map.sites["tacc"].snapshot.generation + 3_600_000)
                await session.publish(TACC, encode(late, source="/zombie"))
                states += await reader.states("n1", 60)
    assert set(states[states.index(AvailabilityState.MAINTENANCE) :]) == {AvailabilityState.MAINTENANCE}

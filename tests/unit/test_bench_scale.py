"""What the sections on freshness and scale measure with: their polls, their clients, their arithmetic."""

import asyncio
import time
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from shared.topology import Topic
from sync_service.domain.ports import PollResult
from sync_service.metrics import PollMetrics
from tests.bench.client import Load
from tests.bench.fleet import Polls, fleet
from tests.bench.polling import PUBLISHED, TROUBLED, values
from tests.bench.remembering import rest, slope
from tests.bench.sharing import Shared
from tests.bench.watching import LONGEST_MATCH, Follower, Told, quantile
from tests.bench.world import BOOKINGS


def test_a_fleet_is_the_same_in_every_process_and_no_two_nodes_of_it_are_one() -> None:
    assert fleet(3, 20) == fleet(3, 20)
    assert len({place.uid for place in fleet(3, 20).documents}) == 60


def test_each_poll_has_a_generation_of_its_own_and_books_only_the_nodes_that_are_asked_for_anew() -> None:
    polls = Polls(fleet(2, 20))
    before = polls.newest["site001"]
    assert all(len(node.reservations) == BOOKINGS for node in before.nodes.values())
    changed = polls.uids["site001"][:3]
    now = polls.next("site001", changed)
    assert (now.follows, now.generation) == (before.generation, before.generation + 1)
    assert [uid for uid in now.nodes if now.nodes[uid] != before.nodes[uid]] == sorted(changed)
    assert polls.next("site000", []).generation > now.generation
    assert polls.newest["site001"] is now


@pytest.mark.parametrize(("share", "value"), [(0, 1.0), (0.5, 51.0), (0.99, 100.0), (1, 100.0)])
def test_a_quantile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert quantile([float(each) for each in range(100, 0, -1)], share) == value
    with pytest.raises(AssertionError, match="nothing was measured"):
        quantile([], share)


class Transport:
    def write(self, data: bytes) -> None:
        pass


async def follower(told: Told) -> Follower:
    made = Follower(b"GET", told)
    made.connection_made(cast("asyncio.BaseTransport", Transport()))
    return made


@pytest.mark.parametrize("cut", range(1, 60))
async def test_a_follower_notes_each_generation_once_however_its_events_are_cut(cut: int) -> None:
    told = Told()
    text = b"".join(b'data: {"site_id":"a","generation":%d,"nodes":[]}\nid: 0.%d\n\n' % (n, n) for n in (1795, 17950))
    made = await follower(told)
    for begin in range(0, len(text), cut):
        made.data_received(text[begin : begin + cut])
    assert [len(told.moments(generation)) for generation in (1, 17, 179, 1795, 17950)] == [0, 0, 0, 1, 1]
    assert len(b'"generation":253402300799999') < LONGEST_MATCH


async def test_who_waits_for_all_to_be_told_is_given_their_moments() -> None:
    told = Told()
    waiting = asyncio.create_task(told.by(2, 7))
    began = time.perf_counter()
    told.note(7)
    told.note(8)
    told.note(7)
    moments = await waiting
    assert len(moments) == 2
    assert all(began <= moment <= time.perf_counter() for moment in moments)


async def test_a_follower_that_is_sent_away_fails_the_measurement() -> None:
    made = await follower(Told())
    made.connection_lost(None)
    with pytest.raises(AssertionError, match="was sent away"):
        await made.begun


def test_what_requests_cost_is_what_all_workers_spent() -> None:
    run = Shared(Load(1000, 2.0, 0.0, (0.1,)), [0.3, 0.1])
    assert run.cost == pytest.approx(0.0004)
    assert run.busiest == pytest.approx(0.75)


def test_the_metrics_of_polls_are_read_as_they_are_written() -> None:
    registry = CollectorRegistry()
    metrics = PollMetrics(registry)
    metrics.expect([Topic("site000"), Topic("site001")])
    for result in (PollResult.PUBLISHED, PollResult.PUBLISHED, PollResult.FAILED, PollResult.LOST):
        metrics.poll_ended(Topic("site001"), result, 0.1)
    text = generate_latest(registry).decode()
    assert values(PUBLISHED, text) == {"site000": 0, "site001": 2}
    assert sum(map(float, TROUBLED.findall(text))) == 2


def test_memory_is_reckoned_from_what_the_larger_needs_more_than_the_smaller() -> None:
    megabytes = {14_000: 170.0, 1_000: 105.0}
    assert slope(megabytes) == pytest.approx(5.0)
    assert rest(megabytes) == pytest.approx(100.0)

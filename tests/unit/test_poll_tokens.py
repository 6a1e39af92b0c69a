import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from shared.availability import MAX_GENERATION, Snapshot
from shared.embedded import EmbeddedTransport
from shared.messages import Envelope, decode, encode
from shared.topology import Subject, Topic
from shared.transport import Offset, Transport
from sync_service.adapters.poll_tokens import PollTokens
from sync_service.adapters.poll_turns import LONGEST_WAIT_FOR_A_SLOT
from sync_service.domain.ports import Outcome, Poller, Turn, TurnLostError
from tests.eventually import running
from tests.fragile import FragileTransport
from tests.pollers import FakePoller
from tests.snapshots import MINUTE, NOON, flavors, site
from tests.virtual_time import virtual_time

TACC = Topic("tacc")
UC = Topic("uc")
STARTUP_SECONDS = 3.0
"""From a first start to the first poll: the silence of an empty stream, and the longest jitter."""


def clock() -> datetime:
    return NOON + timedelta(seconds=now())


def now() -> float:
    return asyncio.get_running_loop().time()


class FailingPoller(FakePoller):
    """Ends its first polls with `failures`, one after the other, before it publishes anything."""

    def __init__(self, *failures: BaseException | Outcome) -> None:
        super().__init__(clock=clock)
        self.failures = list(failures)

    async def finish(self, turn: Turn) -> Outcome:
        if not self.failures:
            return await super().finish(turn)
        failure = self.failures.pop(0)
        if isinstance(failure, BaseException):
            raise failure
        return failure


def tokens(
    transport: Transport,
    poller: Poller,
    *topics: Topic,
    max_concurrent: int = 32,
    interval_of: Callable[[Topic], timedelta] = lambda _: MINUTE,
) -> PollTokens:
    return PollTokens(
        transport,
        topics or (TACC,),
        poller,
        max_concurrent=max_concurrent,
        interval_of=interval_of,
        longest_poll=2 * MINUTE,
        clock=clock,
        source="/test",
    )


async def published(transport: Transport, *snapshots: Snapshot, topic: Topic = TACC) -> None:
    async with transport.session("test") as session:
        await session.declare([topic])
        for snapshot in snapshots:
            await session.publish(topic, encode(snapshot, source="/test"))


async def scheduled(transport: Transport, body: bytes, topic: Topic = TACC) -> None:
    async with transport.session("test") as session:
        await session.declare_tokens([topic])
        await session.schedule(topic, body, delay=timedelta())


async def newest(transport: Transport, topic: Topic = TACC) -> Snapshot:
    async with transport.session("test") as session:
        await session.declare([topic])
        return decode((await anext(await session.follow(topic, Offset.LAST))).envelope)


@virtual_time
async def test_every_topic_is_polled_once_an_interval() -> None:
    poller = FakePoller(clock=clock)
    async with running(tokens(EmbeddedTransport(), poller, TACC, UC).run()):
        await asyncio.sleep(10 * 61 + STARTUP_SECONDS)
    assert poller.topics == {TACC: 11, UC: 11}


@virtual_time
async def test_a_first_start_polls_soon_and_not_all_sites_at_once() -> None:
    poller = FakePoller(clock=clock)
    topics = [Topic(f"s{number}") for number in range(10)]
    async with running(tokens(EmbeddedTransport(), poller, *topics).run()):
        await asyncio.sleep(STARTUP_SECONDS)
    assert poller.topics == dict.fromkeys(topics, 1)
    assert len(set(poller.began)) == 10


@virtual_time
async def test_each_poll_follows_the_one_before() -> None:
    poller = FakePoller(clock=clock)
    async with running(tokens(EmbeddedTransport(), poller).run()):
        await asyncio.sleep(4 * 61)
    assert poller.follows == [None, 1, 2, 3]


@virtual_time
async def test_a_failed_poll_carries_the_generation_on_and_the_next_comes_when_it_asked() -> None:
    poller = FailingPoller(Outcome(None, timedelta(seconds=7)), Outcome(None, timedelta(seconds=7)))
    transport = EmbeddedTransport()
    await published(transport, site(generation=41, observed_at=NOON - 5 * MINUTE))
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(STARTUP_SECONDS + 2 * 8)
    assert poller.follows == [41, 41, 41]
    assert [round(later - earlier) for earlier, later in zip(poller.began, poller.began[1:], strict=False)] == [8, 8]


@virtual_time
async def test_no_more_polls_run_at_once_than_allowed() -> None:
    poller = FakePoller(takes=10, clock=clock)
    topics = [Topic(f"s{number}") for number in range(9)]
    async with running(tokens(EmbeddedTransport(), poller, *topics, max_concurrent=3).run()):
        await asyncio.sleep(30 + STARTUP_SECONDS)
    assert poller.most == 3
    assert poller.topics == dict.fromkeys(topics, 1)


@virtual_time
async def test_a_poll_that_hangs_starves_no_other_site() -> None:
    class Hanging(FakePoller):
        async def finish(self, turn: Turn) -> Outcome:
            if turn.topic == UC:
                await asyncio.sleep(86_400)
            return await super().finish(turn)

    poller = Hanging(clock=clock)
    async with running(tokens(EmbeddedTransport(), poller, TACC, UC).run()):
        await asyncio.sleep(10 * 61 + STARTUP_SECONDS)
    assert poller.topics[TACC] == 11


@pytest.mark.parametrize(
    ("failure", "event", "seconds"),
    [
        (ZeroDivisionError(), "poll failed unexpectedly", 61),
        (asyncio.CancelledError(), "poll cancelled itself", 61),
        # Out of step with the token of whoever won.
        (TurnLostError("a newer snapshot is out"), "turn lost", 91),
    ],
)
def test_whatever_a_poller_does_its_site_is_polled_again(failure: BaseException, event: str, seconds: float) -> None:
    @virtual_time
    async def check() -> None:
        poller = FailingPoller(failure)
        with capture_logs() as logs:
            async with running(tokens(EmbeddedTransport(), poller).run()):
                await asyncio.sleep(STARTUP_SECONDS + seconds)
        assert len(poller.turns) == 2
        assert poller.began[1] - poller.began[0] == pytest.approx(seconds)
        assert [line["site_id"] for line in logs if line["event"] == event] == ["tacc"]

    check()


@virtual_time
async def test_replicas_share_the_sites() -> None:
    transport, pollers = EmbeddedTransport(), [FakePoller(takes=5, clock=clock), FakePoller(takes=5, clock=clock)]
    topics = [Topic(f"s{number}") for number in range(20)]
    async with running(*(tokens(transport, poller, *topics).run() for poller in pollers)):
        await asyncio.sleep(10 * 65 + STARTUP_SECONDS)
    assert pollers[0].topics + pollers[1].topics == dict.fromkeys(topics, 11)
    assert all(len(poller.turns) > 20 for poller in pollers)


@virtual_time
async def test_a_dead_replicas_token_goes_to_the_other_at_once() -> None:
    transport, dying, other = EmbeddedTransport(), FakePoller(takes=30, clock=clock), FakePoller(clock=clock)
    await published(transport, site(generation=41))
    await scheduled(transport, b"41")
    async with running(tokens(transport, dying).run()) as tasks:
        await asyncio.sleep(STARTUP_SECONDS)
        async with running(tokens(transport, other).run()):
            await asyncio.sleep(5)
            tasks[0].cancel()
            died = now()
            await asyncio.sleep(3)
    assert dying.follows == other.follows == [41]
    assert other.began == [pytest.approx(died, abs=0.1)]


@pytest.mark.parametrize("before", [(), (site(generation=41),)])
def test_a_result_is_dropped_when_something_newer_was_published_meanwhile(before: tuple[Snapshot, ...]) -> None:
    @virtual_time
    async def check() -> None:
        poller, transport = FakePoller(takes=10, clock=clock), EmbeddedTransport()
        await published(transport, *before)
        await scheduled(transport, b"")
        with capture_logs() as logs:
            async with running(tokens(transport, poller).run()):
                await asyncio.sleep(5)
                await published(transport, site(generation=1000, follows=41))
                await asyncio.sleep(10)
        assert (await newest(transport)).generation == 1000
        assert poller.published == 0
        assert [line["reason"] for line in logs if line["event"] == "turn lost"] == ["a newer snapshot is out"]

    check()


@virtual_time
async def test_of_two_snapshots_with_one_number_the_second_is_not_taken_for_published() -> None:
    class Rival(FakePoller):
        async def finish(self, turn: Turn) -> Outcome:
            async with transport.session("rival") as session:
                first = site(generation=1000, follows=41, observed_at=NOON + timedelta(seconds=1))
                await session.publish(TACC, encode(first, source="/rival"))
                await turn.publish(site(generation=1000, follows=41, observed_at=NOON))
            return Outcome(1000, MINUTE)

    transport = EmbeddedTransport()
    await published(transport, site(generation=41))
    await scheduled(transport, b"41")
    with capture_logs() as logs:
        async with running(tokens(transport, Rival(clock=clock)).run()):
            await asyncio.sleep(STARTUP_SECONDS + 2)
    assert [line["reason"] for line in logs if line["event"] == "turn lost"] == ["another snapshot came first"]


@virtual_time
async def test_after_a_dropped_result_the_next_poll_follows_what_was_newer() -> None:
    poller, transport = FakePoller(takes=10, clock=clock), EmbeddedTransport()
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(STARTUP_SECONDS)
        await published(transport, site(generation=1000))
        await asyncio.sleep(120)
    assert poller.follows == [None, 1000]
    assert (await newest(transport)).generation == 1001


@virtual_time
async def test_a_turn_publishes_once() -> None:
    class Twice(FakePoller):
        async def finish(self, turn: Turn) -> Outcome:
            await super().finish(turn)
            return await super().finish(turn)

    transport = EmbeddedTransport()
    with capture_logs() as logs:
        async with running(tokens(transport, Twice(clock=clock)).run()):
            await asyncio.sleep(STARTUP_SECONDS + 2)
    assert "turn lost" in [line["event"] for line in logs]


@virtual_time
async def test_a_turn_of_one_site_publishes_nothing_about_another() -> None:
    class Confused(FakePoller):
        async def finish(self, turn: Turn) -> Outcome:
            await turn.publish(flavors(turn.topic.site_id))
            return Outcome(1, MINUTE)

    transport = EmbeddedTransport()
    with capture_logs() as logs:
        async with running(tokens(transport, Confused(clock=clock)).run()):
            await asyncio.sleep(STARTUP_SECONDS + 2)
    assert "poll failed unexpectedly" in [line["event"] for line in logs]


@pytest.mark.parametrize("body", [b"", b"-1", b"1e9", b"9" * 20, b"\x00\xff", b"nonsense"])
def test_a_bare_token_follows_the_newest_message_of_the_stream(body: bytes) -> None:
    @virtual_time
    async def check() -> None:
        transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
        await published(transport, site(generation=41, observed_at=NOON))
        await scheduled(transport, body)
        async with running(tokens(transport, poller).run()):
            await asyncio.sleep(1)
        assert poller.follows == [41]

    check()


@virtual_time
async def test_a_token_that_knows_more_than_the_stream_is_believed() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    await published(transport, site(generation=41))
    await scheduled(transport, b"99")
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(1)
    assert poller.follows == [99]


@virtual_time
async def test_a_failed_poll_carries_on_even_what_the_stream_does_not_tell() -> None:
    transport, poller = EmbeddedTransport(), FailingPoller(Outcome(None, MINUTE))
    await scheduled(transport, b"99")
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(90)
    assert poller.follows == [99, 99]


@virtual_time
async def test_a_message_that_nobody_understands_does_not_mislead_a_poller() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    await published(transport, site(generation=41))
    async with transport.session("test") as session:
        await session.publish(TACC, Envelope(b"", {"cloudEvents:sequence": "9" * 20}))
    await scheduled(transport, b"")
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(100)
    assert poller.follows == [41, 42]


@virtual_time
async def test_a_stream_that_nobody_understands_is_followed_like_an_empty_one() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    async with transport.session("test") as session:
        await session.declare([TACC])
        for _ in range(5):
            await session.publish(TACC, Envelope(b"", {}))
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(100)
    assert poller.follows == [None, 1]


@virtual_time
async def test_a_restart_polls_at_once_only_what_is_overdue() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    await published(transport, site("tacc", 41, observed_at=NOON - 1.9 * MINUTE))
    await published(transport, site("uc", 41, observed_at=NOON - 2.1 * MINUTE), topic=UC)
    async with running(tokens(transport, poller, TACC, UC).run()):
        await asyncio.sleep(STARTUP_SECONDS)
    assert poller.topics == {UC: 1}


@virtual_time
async def test_a_restart_makes_no_second_token() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(STARTUP_SECONDS + 70)
    began = len(poller.turns)
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(10 * 61)
    assert len(poller.turns) - began == pytest.approx(10, abs=1)
    async with transport.session("test") as session:
        assert await session.count_tokens(TACC) <= 1


@virtual_time
async def test_a_token_lost_by_hand_is_made_anew_after_three_empty_looks() -> None:
    transport, poller = FragileTransport(), FakePoller(clock=clock)
    subject = tokens(transport, poller)
    with capture_logs() as logs:
        async with running(subject.run()):
            await asyncio.sleep(STARTUP_SECONDS + 10)
            transport.lose_token(TACC)
            lost = now()
            await asyncio.sleep(5 * 61)
    assert 2 * 60 < poller.began[1] - lost < 3 * 60 + STARTUP_SECONDS
    assert poller.follows[1] == 1
    assert [line["event"] for line in logs].count("poll token lost") == 1
    assert subject.lost == {TACC: 1}


@virtual_time
async def test_a_token_that_is_held_for_long_is_not_taken_for_lost() -> None:
    transport, poller = FragileTransport(), FakePoller(takes=600, clock=clock)
    with capture_logs() as logs:
        async with running(tokens(transport, poller).run()):
            await asyncio.sleep(STARTUP_SECONDS + 590)
            assert len(poller.turns) == 1
    assert "poll token lost" not in [line["event"] for line in logs]


@virtual_time
async def test_a_token_that_another_replica_holds_for_long_is_not_taken_for_lost() -> None:
    transport, pollers = EmbeddedTransport(), [FakePoller(takes=110, clock=clock) for _ in range(3)]
    with capture_logs() as logs:
        async with running(*(tokens(transport, poller, interval_of=lambda _: MINUTE / 6).run() for poller in pollers)):
            await asyncio.sleep(3600)
    began = sorted(moment for poller in pollers for moment in poller.began)
    assert all(later - earlier >= 110 for earlier, later in pairwise(began))
    assert "poll token lost" not in [line["event"] for line in logs]


@virtual_time
async def test_a_replica_that_has_no_slot_for_a_poll_leaves_it_to_another() -> None:
    class Stuck(FakePoller):
        async def finish(self, turn: Turn) -> Outcome:
            await asyncio.sleep(86_400)
            return await super().finish(turn)

    transport, stuck, other = EmbeddedTransport(), Stuck(clock=clock), FakePoller(clock=clock)
    for topic in (TACC, UC):
        await published(transport, site(topic.site_id, observed_at=NOON), topic=topic)
        await scheduled(transport, b"1", topic)
    async with running(tokens(transport, stuck, TACC, UC, max_concurrent=1).run()):
        await asyncio.sleep(1)
        async with running(tokens(transport, other, TACC, UC).run()):
            await asyncio.sleep(LONGEST_WAIT_FOR_A_SLOT.total_seconds() + 5)
    assert len(stuck.turns) == len(other.turns) == 1
    assert {*stuck.topics, *other.topics} == {TACC, UC}


@virtual_time
async def test_what_the_stream_does_not_have_was_not_published() -> None:
    transport, poller = FragileTransport(), FakePoller(clock=clock)
    transport.loses_what_is_published = True
    with capture_logs() as logs:
        async with running(tokens(transport, poller).run()):
            await asyncio.sleep(STARTUP_SECONDS + 20)
            assert poller.published == 0
            transport.loses_what_is_published = False
            await asyncio.sleep(40)
    assert poller.published == 1
    assert [line["reason"] for line in logs if line["event"] == "turn lost"] == [
        "what was published is not in the stream"
    ]


@virtual_time
async def test_a_session_over_which_nobody_hears_what_was_published_is_thrown_away() -> None:
    transport, poller = FragileTransport(), FakePoller(clock=clock)
    transport.deafened = {"poll"}
    subject = tokens(transport, poller)
    async with running(subject.run()):
        await asyncio.sleep(STARTUP_SECONDS + 80)
        assert subject.last_loss == "what was published is not in the stream"
    assert transport.purposes.count("poll") == 2
    assert poller.published >= 1


@pytest.mark.parametrize("generation", [MAX_GENERATION + 1, 2**63 - 1, 2**64 - 1])
def test_a_generation_that_no_clock_makes_is_followed_by_nobody(generation: int) -> None:
    @virtual_time
    async def check() -> None:
        transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
        await published(transport, site(generation=41))
        forged = encode(site(generation=42), source="/test")
        headers = {**forged.headers, "cloudEvents:sequence": f"{generation:020d}"}
        async with transport.session("test") as session:
            await session.publish(TACC, replace(forged, headers=headers, body=b"poison"))
        await scheduled(transport, str(generation).encode())
        async with running(tokens(transport, poller).run()):
            await asyncio.sleep(90)
        assert poller.follows == [41, 42]

    check()


@virtual_time
async def test_polling_goes_on_after_a_lost_session() -> None:
    transport, poller = FragileTransport(), FakePoller(clock=clock)
    subject = tokens(transport, poller)
    async with running(subject.run()):
        await asyncio.sleep(STARTUP_SECONDS)
        assert subject.connected
        transport.cut()
        await asyncio.sleep(0.01)
        assert not subject.connected
        assert subject.last_loss == "cut"
        await asyncio.sleep(61)
        assert subject.connected
    assert len(poller.turns) == 2


@virtual_time
async def test_a_lost_session_ends_the_polls_that_it_began_and_its_token_is_polled_again() -> None:
    transport, poller = FragileTransport(), FakePoller(takes=20, clock=clock)
    subject = tokens(transport, poller)
    async with running(subject.run()):
        await asyncio.sleep(STARTUP_SECONDS)
        assert subject.held == {TACC}
        transport.cut()
        await asyncio.sleep(0.01)
        assert not subject.held
        assert poller.running == 0
        await asyncio.sleep(60)
    assert [turn.follows for turn in poller.turns] == [None, None]


@virtual_time
async def test_a_broker_that_takes_no_messages_does_not_have_the_site_asked_more_than_twice_an_interval() -> None:
    transport, poller = FragileTransport(), FakePoller(clock=clock)
    transport.publishes_nothing = True
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(10 * 60)
        assert 15 <= len(poller.turns) <= 21
        transport.publishes_nothing = False
        await asyncio.sleep(60)
        assert (await newest(transport)).generation == 1


@virtual_time
async def test_a_replica_that_lost_its_session_waits_no_longer_once_another_has_published() -> None:
    transport, poller = FragileTransport(), FakePoller(takes=20, clock=clock)
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(STARTUP_SECONDS)
        transport.cut()
        await published(transport, site(generation=1000))
        await asyncio.sleep(2)
    assert poller.follows == [None, 1000]


@virtual_time
async def test_an_unconfirmed_message_ends_the_session() -> None:
    transport = FragileTransport()
    subject = tokens(transport, FakePoller(clock=clock))
    transport.publishes_nothing = True
    async with running(subject.run()):
        await asyncio.sleep(STARTUP_SECONDS + 1)
    assert subject.last_loss == "no confirmation"
    assert len(transport.purposes) > 1


@virtual_time
async def test_a_second_token_dies_where_the_first_waits() -> None:
    transport, poller = EmbeddedTransport(), FakePoller(clock=clock)
    async with running(tokens(transport, poller).run()):
        await asyncio.sleep(STARTUP_SECONDS)
        transport.queues[TACC].make_due(b"")
        await asyncio.sleep(10 * 61)
    assert len(poller.turns) == pytest.approx(12, abs=1)


@pytest.mark.parametrize(("asked", "expected"), [(timedelta(days=4000), 86_400), (timedelta(seconds=-5), 0)])
def test_however_late_the_next_poll_is_asked_for_it_comes_within_a_day(asked: timedelta, expected: float) -> None:
    @virtual_time
    async def check() -> None:
        poller = FakePoller(next_in=asked, clock=clock)
        async with running(tokens(EmbeddedTransport(), poller).run()):
            await asyncio.sleep(STARTUP_SECONDS + expected + 2)
        assert poller.began[1] - poller.began[0] == pytest.approx(expected + 1, abs=0.1)

    check()


@virtual_time
async def test_each_topic_has_its_own_interval() -> None:
    topics = {Topic("tacc"): MINUTE, Topic("tacc", Subject.FLAVORS): 10 * MINUTE}
    transport = FragileTransport()
    await published(transport, site("tacc", observed_at=NOON - 5 * MINUTE))
    poller = FakePoller(clock=clock)
    subject = tokens(transport, poller, *topics, interval_of=topics.__getitem__)
    async with transport.session("test") as session:
        await session.declare(topics)
        await session.publish(Topic("tacc", Subject.FLAVORS), encode(flavors("tacc"), source="/test"))
    async with running(subject.run()):
        await asyncio.sleep(STARTUP_SECONDS)
    assert poller.topics == {Topic("tacc"): 1}  # five minutes are overdue for the one and not for the other


@virtual_time
async def test_without_topics_there_is_a_session_and_nothing_to_do() -> None:
    subject = PollTokens(
        EmbeddedTransport(),
        (),
        FakePoller(clock=clock),
        max_concurrent=1,
        interval_of=lambda _: MINUTE,
        longest_poll=MINUTE,
    )
    async with running(subject.run()):
        await asyncio.sleep(600)
        assert subject.connected

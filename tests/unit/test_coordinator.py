"""One poll of one topic, whatever the site says."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from shared.availability import FlavorSegment, Interval, SiteAvailability, SiteFlavors, Snapshot
from shared.topology import Subject, Topic
from sync_service.coordinator import NOT_PUBLISHED_INTERVAL, Assignment
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import (
    FlavorCapacity,
    NotPublishedError,
    Outcome,
    PollResult,
    Rhythm,
    SourceError,
    TroubleKind,
    TurnLostError,
    UnpublishableError,
)
from sync_service.flavors_coordinator import FLAVOR_WINDOW, FlavorsCoordinator
from sync_service.site_coordinator import SiteCoordinator
from tests import snapshots

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_MS = 1795348800000
SECOND = timedelta(seconds=1)
RHYTHM = Rhythm(poll_interval=60 * SECOND, error_backoff=7 * SECOND, timeout=120 * SECOND, hosts_interval=300 * SECOND)
SITE = Topic("uc")
FLAVORS = Topic("uc", Subject.FLAVORS)
BOOKED = Interval(NOON, NOON + timedelta(hours=1))


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class FakeSite:
    """Answers with what is set, and raises what is set instead."""

    def __init__(self, *node_ids: str) -> None:
        self.asked: list[str] = []
        self.hosts_answer: Sequence[Host] | Exception = [Host(str(i), each) for i, each in enumerate(node_ids, 1)]
        self.allocations_answer: Sequence[Allocation] | Exception = [
            Allocation(str(i)) for i, _ in enumerate(node_ids, 1)
        ]
        self.before: Callable[[], Awaitable[None]] | None = None
        self.closed = False

    async def hosts(self) -> Sequence[Host]:
        return await self._answer("hosts", self.hosts_answer)

    async def allocations(self) -> Sequence[Allocation]:
        return await self._answer("allocations", self.allocations_answer)

    async def _answer[T](self, name: str, answer: T | Exception) -> T:
        self.asked.append(name)
        if self.before:
            await self.before()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


class FakeFlavors:
    def __init__(self, *answers: FlavorCapacity | Exception) -> None:
        self.answers = list(answers)
        self.windows: list[Interval] = []

    async def capacity(self, window: Interval) -> FlavorCapacity:
        self.windows.append(window)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


class FakeTurn:
    def __init__(
        self,
        topic: Topic = SITE,
        follows: int | None = None,
        *,
        lost: bool = False,
        newest: Snapshot | None = None,
        observed_before: datetime | None = None,
    ) -> None:
        self.topic = topic
        self.follows = newest.generation if newest else follows
        self.newest_snapshot = newest
        self.observed_before = newest.observed_at if newest else observed_before
        self.published: list[Snapshot] = []
        self.lost = lost

    async def newest(self) -> Snapshot | None:
        return self.newest_snapshot

    async def publish(self, snapshot: Snapshot) -> None:
        if self.lost:
            raise TurnLostError("a newer snapshot is out")
        self.published.append(snapshot)


class FakeObserver:
    def __init__(self) -> None:
        self.results: list[PollResult] = []
        self.seconds: list[float] = []
        self.troubles: list[TroubleKind] = []
        self.read: tuple[int, int] | None = None

    def poll_ended(self, topic: Topic, result: PollResult, seconds: float) -> None:
        self.results.append(result)
        self.seconds.append(seconds)

    def troubled(self, topic: Topic, kind: TroubleKind) -> None:
        self.troubles.append(kind)

    def records_read(self, topic: Topic, listed: int, unreadable: int) -> None:
        self.read = (listed, unreadable)


class Bench:
    """A site coordinator, its fakes, and what came of its polls."""

    def __init__(self, *node_ids: str, rhythm: Rhythm = RHYTHM) -> None:
        self.clock, self.site, self.observer = Clock(), FakeSite(*node_ids), FakeObserver()
        assignment = Assignment(SITE, rhythm, self.observer, self.clock.now, self.clock.monotonic)
        self.coordinator = SiteCoordinator(self.site, assignment)
        self.published: list[SiteAvailability] = []

    async def poll(self, *, follows: int | None = None, after: float = 60) -> Outcome:
        self.clock.seconds += after
        self.site.asked.clear()
        turn = FakeTurn(follows=follows)
        outcome = await self.coordinator.poll(turn)
        self.published += [each for each in turn.published if isinstance(each, SiteAvailability)]
        return outcome


class TestAGoodPoll:
    async def test_it_publishes_the_whole_site(self) -> None:
        bench = Bench("a", "b")
        bench.site.allocations_answer = [Allocation("1", (BOOKED,)), Allocation("2")]
        outcome = await bench.poll(follows=7, after=0)
        [site] = bench.published
        assert (site.site_id, site.generation, site.follows, site.poll_interval) == ("uc", NOON_MS, 7, 60 * SECOND)
        assert {node_id: node.reservations for node_id, node in site.nodes.items()} == {"a": (BOOKED,), "b": ()}
        assert outcome == Outcome(NOON_MS, 60 * SECOND)

    async def test_it_is_as_of_before_its_first_request(self) -> None:
        bench = Bench("a")

        async def take_a_while() -> None:
            bench.clock.seconds += 5

        bench.site.before = take_a_while
        await bench.poll(after=0)
        assert bench.published[0].observed_at == bench.published[0].hosts_observed_at == NOON

    async def test_it_never_goes_back_behind_what_it_follows(self) -> None:
        bench = Bench("a")
        turn = FakeTurn(follows=NOON_MS + 3_600_000, observed_before=NOON + timedelta(hours=1))
        await bench.coordinator.poll(turn)
        assert turn.published[0].generation == NOON_MS + 3_600_001
        assert turn.published[0].observed_at == NOON + timedelta(hours=1)

    async def test_it_counts_what_it_read_and_how_long_that_took(self) -> None:
        bench = Bench("a", "b", "c")
        bench.site.hosts_answer = [Host("1", "a"), Host("2", None), Host("3", "c", unreadable=True)]

        async def take_a_while() -> None:
            bench.clock.seconds += 2

        bench.site.before = take_a_while
        await bench.poll()
        assert bench.observer.read == (2, 1)
        assert (bench.observer.results, bench.observer.seconds) == ([PollResult.PUBLISHED], [4.0])

    async def test_what_changed_is_logged_and_nothing_when_nothing_did(self) -> None:
        bench = Bench("a", "b")
        with capture_logs() as logs:
            await bench.poll()
            await bench.poll()
            bench.site.allocations_answer = [Allocation("1", (BOOKED,)), Allocation("2")]
            await bench.poll()
        assert [(line["event"], line["added"], line["removed"], line["changed"]) for line in logs] == [
            ("site changed", 0, 0, 1)
        ]

    async def test_closing_lets_go_of_the_source(self) -> None:
        bench = Bench("a")
        bench.coordinator.close()
        assert bench.site.closed


class TestTheHostList:
    async def test_it_is_read_seldom_and_the_bookings_at_each_poll(self) -> None:
        bench = Bench("a")
        asked = []
        for _ in range(7):
            await bench.poll()
            asked.append(list(bench.site.asked))
        both, bookings = ["allocations", "hosts"], ["allocations"]
        assert asked == [both, bookings, bookings, bookings, bookings, both, bookings]

    async def test_it_tells_how_old_it_is(self) -> None:
        bench = Bench("a")
        await bench.poll(after=0)
        await bench.poll(after=60)
        assert bench.published[1].observed_at == NOON + 60 * SECOND
        assert bench.published[1].hosts_observed_at == NOON

    async def test_it_is_read_at_once_when_a_booking_names_an_unknown_host(self) -> None:
        bench = Bench("a")
        await bench.poll()
        bench.site.hosts_answer = [Host("1", "a"), Host("2", "b")]
        bench.site.allocations_answer = [Allocation("1"), Allocation("2")]
        await bench.poll()
        assert bench.site.asked == ["allocations", "hosts"]
        assert bench.published[-1].nodes.keys() == {"a", "b"}

    async def test_a_host_that_stays_unknown_does_not_have_it_read_at_every_poll(self) -> None:
        bench = Bench("a")
        bench.site.allocations_answer = [Allocation("1"), Allocation("stranger")]
        await bench.poll()
        await bench.poll()
        assert bench.site.asked == ["allocations"]

    async def test_a_clock_set_back_does_not_keep_it_from_being_read(self) -> None:
        bench = Bench("a")
        later = Clock()
        assignment = Assignment(SITE, RHYTHM, bench.observer, lambda: NOON - timedelta(hours=1), later.monotonic)
        coordinator = SiteCoordinator(bench.site, assignment)
        await coordinator.poll(FakeTurn(follows=NOON_MS))
        later.seconds = 300
        await coordinator.poll(FakeTurn(follows=NOON_MS + 1))
        assert bench.site.asked == ["allocations", "hosts"] * 2

    @pytest.mark.parametrize("shown", [None, snapshots.site("uc", NOON_MS, snapshots.node("a"))])
    async def test_it_is_read_anew_where_what_the_poll_follows_cannot_be_read(self, shown: Snapshot | None) -> None:
        bench = Bench("a")
        await bench.poll()
        # Another replica has told since that the host is in maintenance, and the token came sooner than its message.
        bench.site.hosts_answer = [Host("1", "a", maintenance=True)]
        bench.clock.seconds += 60
        turn = FakeTurn(newest=shown)
        turn.follows = NOON_MS + 90_000
        await bench.coordinator.poll(turn)
        [site] = turn.published
        assert isinstance(site, SiteAvailability)
        assert site.nodes["a"].maintenance

    async def test_a_poll_that_cannot_read_it_when_due_publishes_nothing(self) -> None:
        bench = Bench("a")
        await bench.poll()
        bench.site.hosts_answer = SourceError("Blazar answers 500")
        outcome = await bench.poll(follows=9, after=300)
        assert len(bench.published) == 1
        assert outcome == Outcome(9, 7 * SECOND)


class TestAFailure:
    async def test_it_publishes_nothing_and_is_tried_again_after_the_back_off(self) -> None:
        bench = Bench("a")
        bench.site.allocations_answer = SourceError("no connection")
        assert await bench.poll(follows=9) == Outcome(9, 7 * SECOND)
        assert bench.published == []
        assert bench.observer.results == [PollResult.FAILED]

    async def test_an_outage_is_logged_once_and_so_is_the_recovery(self) -> None:
        bench = Bench("a")
        good = bench.site.allocations_answer
        with capture_logs() as logs:
            bench.site.allocations_answer = SourceError("no connection")
            await bench.poll()
            await bench.poll()
            bench.site.allocations_answer = SourceError("Blazar answers 500")
            await bench.poll()
            bench.site.allocations_answer = good
            await bench.poll()
            await bench.poll()
        told = [(line["event"], line.get("reason")) for line in logs if line["log_level"] != "debug"]
        assert told == [("site unreachable", "no connection"), ("site recovered", None)]
        assert all(line["site_id"] == "uc" for line in logs)

    async def test_its_condition_tells_the_trouble_and_the_last_success(self) -> None:
        bench = Bench("a")
        await bench.poll(after=0)
        bench.site.allocations_answer = SourceError("no connection")
        await bench.poll()
        condition = bench.coordinator.condition
        assert (condition.last_success, condition.trouble) == (NOON, "no connection")

    async def test_each_kind_of_it_is_counted_and_the_condition_tells_the_newest(self) -> None:
        bench = Bench("a")
        kinds = []
        answers: list[Sequence[Allocation] | Exception] = [
            SourceError("no connection", TroubleKind.CONNECTION),
            SourceError("the policy forbids this", TroubleKind.POLICY),
            [],
            ZeroDivisionError(),
        ]
        for answer in answers:
            bench.site.allocations_answer = answer
            await bench.poll()
            kinds.append(bench.coordinator.condition.kind)
        assert kinds == bench.observer.troubles == ["connection", "policy", "doubted", "program-error"]
        bench.site.allocations_answer = [Allocation("1")]
        await bench.poll()
        assert bench.coordinator.condition.kind is None
        assert len(bench.observer.troubles) == 4

    async def test_whatever_hangs_a_poll_ends_at_its_limit(self) -> None:
        bench = Bench("a", rhythm=Rhythm(60 * SECOND, 7 * SECOND, SECOND / 100, 300 * SECOND))
        bench.site.before = asyncio.Event().wait  # type: ignore[assignment]
        outcome = await bench.poll(follows=3)
        assert outcome == Outcome(3, 7 * SECOND)
        assert bench.coordinator.condition.trouble == "no complete answer within 0.01 s"
        assert bench.coordinator.condition.kind is TroubleKind.TIMEOUT

    async def test_a_turn_that_is_lost_is_no_outage(self) -> None:
        bench = Bench("a")
        with capture_logs() as logs, pytest.raises(TurnLostError):
            await bench.coordinator.poll(FakeTurn(lost=True))
        assert logs == []
        assert bench.observer.results == [PollResult.LOST]
        assert bench.coordinator.condition.last_success is None


class TestASuspectAnswer:
    async def test_an_empty_list_of_bookings_is_held_back_until_a_second_poll_says_the_same(self) -> None:
        bench = Bench("a")
        await bench.poll()
        bench.site.allocations_answer = []
        assert await bench.poll(follows=5) == Outcome(5, 60 * SECOND)
        assert len(bench.published) == 1
        await bench.poll()
        assert bench.published[-1].nodes["a"].unreadable

    async def test_a_loss_of_hosts_is_held_back_until_a_second_poll_says_the_same(self) -> None:
        bench = Bench("a", "b", "c")
        await bench.poll()
        bench.site.hosts_answer = [Host("1", "a")]
        await bench.poll(after=300)
        assert len(bench.published) == 1
        await bench.poll()
        assert bench.site.asked == ["allocations", "hosts"]
        assert bench.published[-1].nodes.keys() == {"a"}

    async def test_a_new_process_doubts_an_empty_site_and_believes_it_the_second_time(self) -> None:
        bench = Bench()
        await bench.poll()
        assert bench.published == []
        await bench.poll()
        assert [site.nodes for site in bench.published] == [{}]

    async def test_it_is_logged_once_and_so_is_what_follows(self) -> None:
        bench = Bench("a")
        await bench.poll()
        good, bench.site.allocations_answer = bench.site.allocations_answer, []
        with capture_logs() as logs:
            await bench.poll()
            bench.site.allocations_answer = good
            await bench.poll()
        assert [line["event"] for line in logs] == ["site answer doubted", "site recovered"]
        assert bench.observer.results == [PollResult.PUBLISHED, PollResult.DOUBTED, PollResult.PUBLISHED]

    async def test_a_failure_in_between_is_no_confirmation(self) -> None:
        bench = Bench("a")
        await bench.poll()
        answers: list[list[Allocation] | Exception] = [[], SourceError("no connection"), []]
        for answer in answers:
            bench.site.allocations_answer = answer
            await bench.poll()
        assert len(bench.published) == 1


class TestFlavors:
    capacity = FlavorCapacity({"m1.tiny": (FlavorSegment(BOOKED, 1, 2),)}, unreadable=1)

    def coordinator(self, source: FakeFlavors, observer: FakeObserver) -> FlavorsCoordinator:
        clock = Clock()
        clock.seconds = 42
        return FlavorsCoordinator(source, Assignment(FLAVORS, RHYTHM, observer, clock.now, clock.monotonic))

    async def test_a_poll_publishes_the_capacity_of_the_next_ninety_days(self) -> None:
        source, observer, turn = FakeFlavors(self.capacity), FakeObserver(), FakeTurn(FLAVORS, 7)
        outcome = await self.coordinator(source, observer).poll(turn)
        assert source.windows == [Interval(NOON - timedelta(hours=1), NOON + FLAVOR_WINDOW)]
        assert turn.published == [
            SiteFlavors(
                "uc", NOON_MS + 42_000, 7, NOON + 42 * SECOND, 60 * SECOND, source.windows[0], self.capacity.flavors
            )
        ]
        assert outcome == Outcome(NOON_MS + 42_000, 60 * SECOND)
        assert observer.read == (1, 1)

    async def test_a_site_that_does_not_publish_them_is_told_once_and_asked_seldom(self) -> None:
        missing = NotPublishedError("this Blazar does not tell")
        observer, turn = FakeObserver(), FakeTurn(FLAVORS, 7)
        coordinator = self.coordinator(FakeFlavors(missing, missing), observer)
        with capture_logs() as logs:
            outcomes = [await coordinator.poll(turn), await coordinator.poll(turn)]
        assert outcomes == [Outcome(7, NOT_PUBLISHED_INTERVAL)] * 2
        assert [line["event"] for line in logs if line["log_level"] != "debug"] == ["not published by the site"]
        assert observer.results == [PollResult.NOT_PUBLISHED] * 2
        assert coordinator.condition.kind is TroubleKind.NOT_PUBLISHED

    async def test_a_site_that_published_them_before_is_only_away(self) -> None:
        source, observer = FakeFlavors(self.capacity, NotPublishedError("404 by a proxy")), FakeObserver()
        coordinator = self.coordinator(source, observer)
        await coordinator.poll(FakeTurn(FLAVORS))
        assert await coordinator.poll(FakeTurn(FLAVORS, 7)) == Outcome(7, 7 * SECOND)
        assert observer.results == [PollResult.PUBLISHED, PollResult.FAILED]

    async def test_a_list_without_flavors_is_held_back_until_a_second_poll_says_the_same(self) -> None:
        empty, turn = FlavorCapacity({}), FakeTurn(FLAVORS)
        coordinator = self.coordinator(
            FakeFlavors(self.capacity, empty, SourceError("x"), empty, empty), FakeObserver()
        )
        for _ in range(5):
            await coordinator.poll(turn)
        assert [len(each.flavors) for each in turn.published if isinstance(each, SiteFlavors)] == [1, 0]


class TestFaultsOfOurOwn:
    async def test_an_error_of_the_program_is_told_once_and_is_the_topics_trouble(self) -> None:
        bench = Bench("n1")
        bench.site.allocations_answer = ZeroDivisionError("a secret")
        with capture_logs() as logs:
            for _ in range(3):
                assert await bench.coordinator.poll(FakeTurn(follows=7)) == Outcome(7, RHYTHM.error_backoff)
            trouble = bench.coordinator.condition.trouble
            bench.site.allocations_answer = [Allocation("1")]
            await bench.coordinator.poll(FakeTurn())
        assert trouble == "an error of the program: ZeroDivisionError"
        told = [(line["event"], line["log_level"]) for line in logs if line["log_level"] != "debug"]
        assert told == [("poll failed unexpectedly", "warning"), ("site recovered", "info")]
        assert bench.observer.results == [PollResult.FAILED] * 3 + [PollResult.PUBLISHED]

    async def test_a_site_too_large_to_publish_is_its_trouble_and_nobody_elses(self) -> None:
        class Full(FakeTurn):
            async def publish(self, snapshot: Snapshot) -> None:
                raise UnpublishableError("too large")

        bench = Bench("n1")
        assert await bench.coordinator.poll(Full(follows=7)) == Outcome(7, RHYTHM.error_backoff)
        assert bench.coordinator.condition.trouble == "too large"
        assert bench.coordinator.condition.kind is TroubleKind.TOO_LARGE

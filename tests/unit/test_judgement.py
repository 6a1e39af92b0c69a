"""What Blazar's answers mean."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.availability import AvailabilityState, Interval, NodeAvailability
from sync_service.domain.judgement import Allocation, Changes, Doubt, Host, Stamp, changes, judge

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = Interval(NOON - HOUR, NOON + HOUR)


def state_of(*, hosts: list[Host], allocations: list[Allocation]) -> AvailabilityState:
    nodes = judge(hosts, allocations)
    assert len(nodes) == 1
    return nodes["node"].state_at(NOON)


class TestJudging:
    def test_a_host_without_bookings_is_available(self) -> None:
        assert state_of(hosts=[Host("1", "node")], allocations=[Allocation("1")]) == "available"

    def test_a_booked_host_is_reserved(self) -> None:
        assert state_of(hosts=[Host("1", "node")], allocations=[Allocation("1", (NOW,))]) == "reserved"

    def test_a_host_in_maintenance_is_so_even_when_booked(self) -> None:
        hosts = [Host("1", "node", maintenance=True)]
        assert state_of(hosts=hosts, allocations=[Allocation("1", (NOW,))]) == "maintenance"

    def test_a_host_that_is_absent_from_the_allocations_is_unknown_and_never_free(self) -> None:
        assert state_of(hosts=[Host("1", "node")], allocations=[Allocation("2")]) == "unknown"

    def test_an_unreadable_host_is_unknown_even_in_maintenance(self) -> None:
        hosts = [Host("1", "node", maintenance=True, unreadable=True)]
        assert state_of(hosts=hosts, allocations=[Allocation("1")]) == "unknown"

    def test_an_unreadable_booking_makes_its_host_unknown(self) -> None:
        allocations = [Allocation("1", (NOW,), unreadable=True)]
        assert state_of(hosts=[Host("1", "node")], allocations=allocations) == "unknown"

    def test_a_host_without_a_usable_id_is_unknown(self) -> None:
        assert state_of(hosts=[Host(None, "node")], allocations=[Allocation(None), Allocation("1")]) == "unknown"

    def test_a_host_without_a_name_speaks_of_no_node(self) -> None:
        assert judge([Host("1", None)], [Allocation("1")]) == {}

    def test_a_booking_of_a_host_that_is_not_listed_is_left_out(self) -> None:
        assert judge([], [Allocation("1", (NOW,))]) == {}

    def test_overlapping_bookings_are_merged(self) -> None:
        overlapping = (NOW, Interval(NOON, NOON + 2 * HOUR))
        nodes = judge([Host("1", "node")], [Allocation("1", overlapping)])
        assert nodes["node"].reservations == (Interval(NOON - HOUR, NOON + 2 * HOUR),)

    def test_two_rows_of_bookings_of_one_host_count_both(self) -> None:
        later = Interval(NOON + 2 * HOUR, NOON + 3 * HOUR)
        nodes = judge([Host("1", "node")], [Allocation("1", (NOW,)), Allocation("1", (later,))])
        assert nodes["node"].reservations == (NOW, later)

    @pytest.mark.parametrize("worst_first", [True, False])
    def test_two_hosts_of_one_name_are_one_node_in_the_worst_of_their_states(self, worst_first: bool) -> None:
        hosts = [Host("1", "node"), Host("2", "node", maintenance=True)]
        nodes = judge(reversed(hosts) if worst_first else hosts, [Allocation("1", (NOW,)), Allocation("2")])
        assert nodes == {"node": NodeAvailability("node", (NOW,), maintenance=True)}

    def test_a_deleted_twin_makes_a_node_unknown(self) -> None:
        hosts = [Host("1", "node"), Host("2", "node", unreadable=True)]
        assert state_of(hosts=hosts, allocations=[Allocation("1"), Allocation("2")]) == "unknown"


class TestDoubting:
    def test_the_first_answer_is_believed(self) -> None:
        assert Doubt().believes({"a"})

    def test_an_empty_first_answer_is_believed_when_the_second_says_the_same(self) -> None:
        doubt = Doubt()
        assert [doubt.believes(set()), doubt.believes(set())] == [False, True]

    def test_half_of_the_hosts_is_believed_and_fewer_is_not(self) -> None:
        doubt = Doubt()
        assert doubt.believes({"a", "b", "c", "d"})
        assert doubt.believes({"a", "b"})
        assert not doubt.believes(set())
        assert doubt.believes({"a", "b"})

    def test_a_loss_is_believed_when_two_answers_in_a_row_tell_of_it(self) -> None:
        doubt = Doubt()
        assert [doubt.believes(ids) for ids in ({"a", "b", "c"}, {"a"}, {"a"}, {"a"})] == [True, False, True, True]

    def test_as_many_hosts_that_are_all_others_are_a_loss_too(self) -> None:
        doubt = Doubt()
        assert [doubt.believes(ids) for ids in ({"a", "b"}, {"x", "y"}, {"x", "y"})] == [True, False, True]

    def test_two_losses_that_differ_do_not_confirm_each_other(self) -> None:
        doubt = Doubt()
        answers = [{"a", "b", "c", "d", "e"}, set(), {"a", "b"}, set(), set()]
        assert [doubt.believes(ids) for ids in answers] == [True, False, False, False, True]

    def test_a_poll_without_an_answer_breaks_the_row(self) -> None:
        doubt = Doubt()
        assert doubt.believes({"a", "b", "c"})
        assert not doubt.believes({"a"})
        doubt.forget()
        assert not doubt.believes({"a"})
        assert doubt.believes({"a"})

    def test_what_was_doubted_is_forgotten_when_all_is_well_again(self) -> None:
        doubt = Doubt()
        answers = [{"a", "b", "c"}, {"a"}, {"a", "b", "c"}, {"a"}]
        assert [doubt.believes(ids) for ids in answers] == [True, False, True, False]


class TestStamping:
    def test_a_generation_is_the_clock_in_milliseconds(self) -> None:
        stamp = Stamp.following(None, NOON + timedelta(microseconds=1999))
        assert stamp == Stamp(1795348800001, None, NOON + timedelta(milliseconds=1))

    def test_a_generation_is_always_more_than_the_one_it_follows(self) -> None:
        assert Stamp.following(1795348800000, NOON).generation == 1795348800001

    def test_a_clock_set_back_takes_no_snapshot_back_in_time(self) -> None:
        before = Stamp.following(None, NOON)
        after = Stamp.following(before.generation, NOON - HOUR, observed_before=before.observed_at)
        assert after.generation == before.generation + 1
        assert after.observed_at == before.observed_at

    def test_a_snapshot_is_never_older_than_one_of_another_replica_within_the_same_millisecond(self) -> None:
        before = Stamp.following(None, NOON + timedelta(microseconds=999))
        after = Stamp.following(before.generation, NOON, observed_before=before.observed_at)
        assert after.observed_at >= before.observed_at

    def test_a_generation_ahead_of_the_clock_makes_nothing_younger(self) -> None:
        ahead = Stamp.following(None, NOON + HOUR).generation
        stamp = Stamp.following(ahead, NOON, observed_before=NOON - HOUR)
        assert (stamp.generation, stamp.observed_at) == (ahead + 1, NOON)


def test_changes_count_what_came_went_and_became_different() -> None:
    before = {each: NodeAvailability(each) for each in ("kept", "changed", "gone")}
    after = {each: NodeAvailability(each) for each in ("kept", "new", "newer")}
    after["changed"] = NodeAvailability("changed", maintenance=True)
    assert changes(before, after) == Changes(added=2, removed=1, changed=1)
    assert changes(before, after)
    assert not changes(before, before)

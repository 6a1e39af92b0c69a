"""Blazar's records, good and odd."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.availability import FlavorSegment, Interval
from sync_service.adapters.answers import MAX_ROWS
from sync_service.adapters.blazar_records import allocations_of, capacity_of, hosts_of
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import FlavorCapacity, SourceError, TroubleKind

SAMPLES = Path(__file__).parents[1] / "data" / "openstack"
GOOD: dict[str, Any] = {"id": "1", "hypervisor_hostname": "node", "reservable": True, "disabled": False}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def sample(name: str, key: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"][key]


def host(**changed: object) -> Host:
    [found] = hosts_of([{**GOOD, **changed}])
    return found


def booked(**changed: object) -> Allocation:
    reservation = {"start_date": "2026-11-18T05:29:00.000000", "end_date": "2026-11-19T05:29:00.000000", **changed}
    [found] = allocations_of([{"resource_id": "1", "reservations": [reservation]}])
    return found


class TestHosts:
    def test_the_recorded_ones_are_understood(self) -> None:
        hosts = hosts_of(sample("blazar-hosts", "hosts"))
        assert sum(each.maintenance for each in hosts) == 6
        assert sum(each.node_id is None for each in hosts) == 1
        assert not any(each.unreadable for each in hosts)

    def test_a_good_one(self) -> None:
        assert host() == Host("1", "node")

    def test_an_id_may_be_a_number(self) -> None:
        assert host(id=7) == Host("7", "node")

    @pytest.mark.parametrize("columns", [{"disabled": True}, {"reservable": False}, {"reservable": None}])
    def test_what_is_disabled_or_not_reservable_is_in_maintenance(self, columns: dict[str, object]) -> None:
        assert host(**columns) == Host("1", "node", maintenance=True)

    @pytest.mark.parametrize("word", ["False", "false", " FALSE ", "0", 0, "", "no", "None", None])
    def test_a_capability_that_shadows_a_column_is_false_in_any_spelling(self, word: object) -> None:
        assert not host(disabled=word).maintenance
        assert host(reservable=word).maintenance

    @pytest.mark.parametrize("word", ["True", "1", 1, "yes"])
    def test_and_true_in_any_spelling(self, word: object) -> None:
        assert host(disabled=word).maintenance
        assert not host(reservable=word).maintenance

    @pytest.mark.parametrize("word", ["maybe", 2, 0.5, [], {}, "fan broken"])
    @pytest.mark.parametrize("column", ["disabled", "reservable"])
    def test_a_column_that_is_neither_makes_the_node_unknown(self, column: str, word: object) -> None:
        assert host(**{column: word}) == Host("1", "node", unreadable=True)

    def test_upstreams_hosts_have_no_disabled(self) -> None:
        [found] = hosts_of([{key: value for key, value in GOOD.items() if key != "disabled"}])
        assert found == Host("1", "node")

    def test_a_host_of_which_nothing_says_whether_it_is_reservable_is_unknown(self) -> None:
        [found] = hosts_of([{key: value for key, value in GOOD.items() if key != "reservable"}])
        assert found.unreadable

    @pytest.mark.parametrize("mark", ["2026-11-22 08:00:00", "d3b0", True, 1])
    def test_a_deleted_one_is_unknown(self, mark: object) -> None:
        assert host(deleted=mark).unreadable

    @pytest.mark.parametrize("mark", [None, False, "", "0", "False", 0])
    def test_a_mark_of_deletion_that_is_not_set_is_none(self, mark: object) -> None:
        assert not host(deleted=mark).unreadable

    def test_a_null_hostname_names_no_node_and_is_no_fault(self) -> None:
        assert host(hypervisor_hostname=None) == Host("1", None)

    @pytest.mark.parametrize("name", ["", "x" * 256, [], "\ud800"])
    def test_an_unusable_hostname_names_no_node(self, name: object) -> None:
        assert host(hypervisor_hostname=name) == Host("1", None, unreadable=True)

    @pytest.mark.parametrize("host_id", [None, "", True, 1.5, "x" * 256])
    def test_an_unusable_id_leaves_the_node_unknown(self, host_id: object) -> None:
        assert host(id=host_id) == Host(None, "node", unreadable=True)

    @pytest.mark.parametrize("row", [None, 1, "x", [], {}])
    def test_a_row_that_is_no_record_is_counted_and_disturbs_no_other(self, row: object) -> None:
        assert hosts_of([row, GOOD]) == (Host(None, None, unreadable=True), Host("1", "node"))

    @given(st.lists(ANYTHING, max_size=4))
    def test_nothing_in_a_list_fails(self, rows: list[object]) -> None:
        assert len(hosts_of(rows)) == len(rows)

    @pytest.mark.parametrize("answer", [None, {}, "x", 1])
    def test_an_answer_that_is_no_list_is_a_failure(self, answer: object) -> None:
        with pytest.raises(SourceError, match="the host list is not a list"):
            hosts_of(answer)

    def test_an_answer_that_is_too_long_is_a_failure(self) -> None:
        with pytest.raises(SourceError, match="more than 100000 rows in the host list") as failure:
            hosts_of([GOOD] * (MAX_ROWS + 1))
        assert failure.value.kind is TroubleKind.TOO_LARGE


class TestAllocations:
    def test_the_recorded_ones_are_understood(self) -> None:
        allocations = allocations_of(sample("blazar-allocations", "allocations"))
        assert {bool(each.reservations) for each in allocations} == {True, False}
        assert not any(each.unreadable for each in allocations)

    def test_times_are_naive_utc(self) -> None:
        [reservation] = booked().reservations
        assert reservation == Interval(
            datetime(2026, 11, 18, 5, 29, tzinfo=UTC), datetime(2026, 11, 19, 5, 29, tzinfo=UTC)
        )

    @pytest.mark.parametrize("start", ["2026-11-18T06:29:00+01:00", "2026-11-18T05:29:00Z", "2026-11-18 05:29"])
    def test_other_ways_to_say_the_same_time_are_understood(self, start: str) -> None:
        assert booked(start_date=start) == booked()

    @pytest.mark.parametrize(
        "end",
        [
            "2026-11-18T05:29:00.000000",
            "2026-11-17T05:29:00.000000",
            "0001-01-01T00:00:00.000000",
            "20026-11-19T05:29:00.000000",
            "2026-13-45T00:00:00.000000",
            "2026-11-19T24:00:00.000000",
            "2026-11-19",
            "soon",
            "",
            None,
            1795348800,
            "1795348800",
            [],
            "2026-11-19T05:29:00.000000\n",
            "٢٠٢٦-11-19T05:29:00",
        ],
    )
    def test_an_absurd_time_makes_the_node_unknown_and_never_free(self, end: object) -> None:
        assert booked(end_date=end) == Allocation("1", unreadable=True)

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2026-11-18T05:29:00.000000", "9999-12-31T23:59:59.999999"),
            ("2026-11-18T05:29:00.000000", "9999-12-31T23:59:00-01:00"),
            ("0001-01-01T00:00:00.000000", "2026-11-18T05:29:00.000000"),
            ("0001-01-01T00:00:00+01:00", "2200-01-01T00:00:00.000000"),
            ("1970-01-01T00:00:00.000000", "9999-12-31T00:00:00.000000"),
        ],
    )
    def test_a_booking_from_or_to_any_year_is_one_and_makes_nothing_unknown(self, start: str, end: str) -> None:
        found = booked(start_date=start, end_date=end)
        assert not found.unreadable
        [block] = found.reservations
        assert (block.start.year, block.end.year) == (int(start[:4]), int(end[:4]))

    def test_one_odd_booking_does_not_hide_the_others(self) -> None:
        good = {"start_date": "2026-11-18T05:29:00.000000", "end_date": "2026-11-19T05:29:00.000000"}
        [found] = allocations_of([{"resource_id": 1, "reservations": [good, None, {}]}])
        assert (found.resource_id, len(found.reservations), found.unreadable) == ("1", 1, True)

    @pytest.mark.parametrize("reservations", [None, {}, "x"])
    def test_bookings_that_are_no_list_make_the_node_unknown(self, reservations: object) -> None:
        assert allocations_of([{"resource_id": "1", "reservations": reservations}]) == (
            Allocation("1", unreadable=True),
        )

    @pytest.mark.parametrize("row", [None, 1, [], {}, {"reservations": []}])
    def test_a_row_of_nobody_knows_which_host_is_counted(self, row: object) -> None:
        assert allocations_of([row]) == (Allocation(None, unreadable=True),)

    @given(st.lists(ANYTHING | st.fixed_dictionaries({"resource_id": ANYTHING, "reservations": st.lists(ANYTHING)})))
    def test_nothing_in_a_list_fails(self, rows: list[object]) -> None:
        assert len(allocations_of(rows)) == len(rows)

    def test_names_and_ids_of_leases_end_at_the_door(self) -> None:
        rows = sample("blazar-allocations", "allocations")
        reservation = rows[0]["reservations"][0]
        kept = repr(allocations_of(rows)) + repr(hosts_of(sample("blazar-hosts", "hosts")))
        for secret in (reservation["id"], reservation["lease_id"], reservation["extras"]["user_name"], "trust"):
            assert secret not in kept
        assert {field.name for field in fields(Allocation)} == {"resource_id", "reservations", "unreadable"}

    def test_too_many_reservations_are_a_failure(self) -> None:
        reservation = {"start_date": "2026-11-18T05:29:00", "end_date": "2026-11-19T05:29:00"}
        with pytest.raises(SourceError, match="more than 3 reservations") as failure:
            allocations_of([{"resource_id": "1", "reservations": [reservation] * 4}], most=3)
        assert failure.value.kind is TroubleKind.TOO_LARGE


class TestFlavors:
    names: ClassVar = {"7": "m1.tiny"}

    def row(self, *segments: dict[str, object], flavor_id: object = "7") -> dict[str, object]:
        return {"flavor_id": flavor_id, "resource_spec": {}, "availability": list(segments)}

    def segment(self, start: str, end: str, **changed: object) -> dict[str, object]:
        times = {"start": f"2026-11-{start} 00:00", "end": f"2026-11-{end} 00:00"}
        return {**times, "available": 1, "total": 2, **changed}

    def test_the_recorded_ones_are_understood(self) -> None:
        rows = sample("flavor-availability", "flavor_instances")
        names = {row["flavor_id"]: f"name of {row['flavor_id']}" for row in rows}
        capacity = capacity_of(rows, names)
        assert capacity.unreadable == 0
        assert capacity.flavors.keys() == set(names.values())

    def test_a_flavor_is_called_by_its_name_and_its_segments_are_sorted(self) -> None:
        rows = [self.row(self.segment("23", "24"), self.segment("22", "23"))]
        first, second, third = (datetime(2026, 11, day, tzinfo=UTC) for day in (22, 23, 24))
        assert capacity_of(rows, self.names) == FlavorCapacity(
            {"m1.tiny": (FlavorSegment(Interval(first, second), 1, 2), FlavorSegment(Interval(second, third), 1, 2))}
        )

    def test_an_empty_segment_says_nothing(self) -> None:
        assert capacity_of([self.row(self.segment("22", "22"))], self.names) == FlavorCapacity({"m1.tiny": ()})

    def test_a_flavor_that_nova_does_not_list_is_left_out(self) -> None:
        assert capacity_of([self.row(flavor_id="8")], self.names) == FlavorCapacity({})

    @pytest.mark.parametrize(
        "changed",
        [
            {"available": 3},
            {"available": -1},
            {"available": "1"},
            {"total": None},
            {"total": 2**31},
            {"available": 0.5},
        ],
    )
    def test_a_flavor_with_an_odd_segment_is_left_out_and_counted(self, changed: dict[str, object]) -> None:
        rows = [self.row(self.segment("22", "23", **changed))]
        assert capacity_of(rows, self.names) == FlavorCapacity({}, unreadable=1)

    @pytest.mark.parametrize("segments", [[("23", "22")], [("22", "24"), ("23", "25")]])
    def test_reversed_and_overlapping_segments_are_odd(self, segments: list[tuple[str, str]]) -> None:
        rows = [self.row(*(self.segment(start, end) for start, end in segments))]
        assert capacity_of(rows, self.names).unreadable == 1

    @given(st.lists(ANYTHING))
    def test_nothing_in_a_list_fails(self, rows: list[object]) -> None:
        assert capacity_of(rows, self.names).flavors == {}

    def test_too_many_segments_are_a_failure(self) -> None:
        with pytest.raises(SourceError, match="more than 1 segments") as failure:
            capacity_of([self.row(self.segment("22", "23"), self.segment("23", "24"))], self.names, most=1)
        assert failure.value.kind is TroubleKind.TOO_LARGE

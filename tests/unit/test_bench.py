"""What `make bench` measures with: the world it makes, its arithmetic, and what it writes."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.availability import merged
from tests.bench.cases import Case
from tests.bench.client import Load
from tests.bench.measuring import BARE, OURS, Measured
from tests.bench.report import figure, number, put, table
from tests.bench.world import BOOKINGS, CLUSTERS, Bookings, World
from tests.inventories import NOW


@pytest.fixture(scope="module")
def world() -> World:
    return World.of(500)


def test_a_world_is_the_same_in_every_process(world: World) -> None:
    assert World.of(500) == world
    assert Bookings(World.of(500), NOW).snapshots == Bookings(world, NOW).snapshots


def test_a_world_has_so_many_nodes_in_clusters_of_the_real_sizes(world: World) -> None:
    assert sorted(len(world.places(site_id)) for site_id in world.sites) == sorted(CLUSTERS)
    assert len({place.uid for place in world.documents}) == world.size == 500


def test_its_nodes_are_booked_ten_times_and_some_are_in_maintenance(world: World) -> None:
    known = [node for site in Bookings(world, NOW).snapshots.values() for node in site.nodes.values()]
    assert {len(node.reservations) for node in known} == {BOOKINGS}
    assert all(merged(node.reservations) == node.reservations for node in known)
    assert 0 < sum(node.maintenance for node in known) < len(known) / 10


def test_each_poll_books_one_node_of_each_site_anew(world: World) -> None:
    bookings = Bookings(world, NOW)
    before = dict(bookings.snapshots)
    for snapshot in bookings.poll(NOW + timedelta(seconds=1)):
        old = before[snapshot.site_id]
        assert (snapshot.generation, snapshot.follows) == (old.generation + 1, old.generation)
        assert sum(snapshot.nodes[uid] != old.nodes[uid] for uid in old.nodes) == 1


def measured(bare: list[float], ours: list[float]) -> Measured:
    """Of loads of a hundred answers each, by the processor time of each round."""
    case = Case("any", "/", lambda _oracle, _answer: True)
    waits = tuple(each / 1000 for each in range(100))
    loads = {name: [Load(100, 2.0, cpu, waits) for cpu in cpus] for name, cpus in ((BARE, bare), (OURS, ours))}
    return Measured(case, 1, loads, 10)


def test_costs_are_medians_and_ratios_are_made_round_by_round() -> None:
    # All of the second round took twice as long, since the machine was busy.
    found = measured([1.0, 2.0, 1.0], [2.0, 4.0, 2.5])
    assert found.cost(OURS) == 0.025
    assert found.ratio(BARE) == 0.5
    assert found.rate(OURS) == 50
    assert (found.wait(OURS, 0.5), found.wait(OURS, 0.99), found.wait(OURS, 1)) == (0.050, 0.099, 0.099)


@pytest.mark.parametrize(("value", "told"), [(0.1234, "0.12"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12 346")])
def test_numbers_have_three_digits_that_say_something(value: float, told: str) -> None:
    assert number(value) == told


def test_a_table_is_written_between_its_markers_and_nowhere_else(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n")
    for _ in range(2):
        put(document, "a", table(["x", "y"], [["1", "2"]]))
        expected = "before\n<!-- a -->\n\n| x | y |\n| --- | ---: |\n| 1 | 2 |\n\n<!-- end of a -->\nafter\n"
        assert document.read_text() == expected
    with pytest.raises(AssertionError, match="no markers of b"):
        put(document, "b", "")


def test_a_figure_has_a_line_for_each_request() -> None:
    drawn = figure({"one": {500: 100.0, 5000: 100.0}, "all": {500: 90.0, 5000: 20_000.0}})
    assert drawn.count("<polyline") == 2
    assert all(f">{text}</text>" in drawn for text in ("one", "all", "500", "5 000", "10 µs", "100 ms"))

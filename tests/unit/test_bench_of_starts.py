"""What the measuring of starts is made of: a repository with a history, and what is told of a start."""

from pathlib import Path

import pytest

from api_service.adapters import git_repository
from tests.bench.starting import HEAD, Moment, Start, row
from tests.bench.versions import CHANGED, COMMITS, repository
from tests.bench.world import World


def test_a_repository_holds_the_world_behind_a_history_in_which_each_commit_changes_a_few_nodes(tmp_path: Path) -> None:
    world = World.of(20)
    found = git_repository.load(repository(world, tmp_path))
    assert found.faults == ()
    assert {node.uid for node in found.nodes()} == {place.uid for place in world.documents}
    assert len(found.history.commits) == COMMITS
    later = [paths for (_, parent), paths in found.history.changed.items() if parent]
    assert all(1 <= sum("/nodes/" in path for path in paths) <= CHANGED for paths in later)


@pytest.mark.parametrize(("inventory", "log"), [(2.0, 3.0), (3.0, 2.0)])
def test_a_service_is_ready_once_it_has_both_its_inventory_and_the_log(inventory: float, log: float) -> None:
    start = Start(Moment(1, 0.5), Moment(inventory, 1), Moment(log, 1), 80_000_000)
    assert start.ready.took == 3


def test_a_row_tells_medians_each_with_the_processor_time_until_then() -> None:
    starts = [Start(Moment(n, n / 2), Moment(2 * n, n), Moment(3 * n, 2 * n), n * 10**7) for n in (1, 3, 2)]
    told = dict(zip(HEAD, row(500, starts), strict=True))
    assert list(told.values()) == ["500", "6.00", "4.00", "20.0", "2.00 (1.00)", "4.00 (2.00)", "6.00 (4.00)"]

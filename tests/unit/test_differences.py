"""Nodes that came, went or changed, and patches that are what they say."""

import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.differences import differences
from api_service.domain.inventory import Inventory, Node, NotInInventoryError
from api_service.http.patches import patch_between
from tests.inventories import cluster, inventory, node_document, site

BEFORE = inventory(
    site("tacc", cluster("tacc", "main", [node_document("a"), node_document("b"), node_document("moves")])),
    site("gone", cluster("gone", "main", [node_document("g")])),
)
AFTER = inventory(
    site("tacc", cluster("tacc", "main", [node_document("a"), node_document("b", gpu="new"), node_document("c")])),
    site("new", cluster("new", "main", [node_document("moves")])),
)

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, -1.5, 0.0]) | st.text("ab~/0-é", max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("ab~/01-é", max_size=2), inner, max_size=5),
    max_leaves=15,
)
objects = st.dictionaries(st.text("ab~/01-é", max_size=3), documents, max_size=6)


def places(nodes: tuple[Node, ...]) -> list[str]:
    return [f"{node.site_id}/{node.cluster_id}/{node.uid}" for node in nodes]


def written(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def test_a_node_is_added_removed_or_changed_and_one_that_moved_is_both_of_the_first() -> None:
    found = differences(BEFORE, AFTER, {})
    assert places(found.added) == ["new/main/moves", "tacc/main/c"]
    assert places(found.removed) == ["gone/main/g", "tacc/main/moves"]
    ((old, new),) = found.changed
    assert (old.written.document()["gpu"], new.written.document()["gpu"]) == ({"gpu": False}, "new")


def test_the_other_way_round_it_is_the_other_way_round() -> None:
    there, back = differences(BEFORE, AFTER, {}), differences(AFTER, BEFORE, {})
    assert (there.added, there.removed) == (back.removed, back.added)
    assert [(new, old) for old, new in there.changed] == list(back.changed)


def test_nothing_differs_from_itself() -> None:
    found = differences(BEFORE, BEFORE, {})
    assert (found.added, found.removed, found.changed) == ((), (), ())


@pytest.mark.parametrize(
    ("ids", "added", "removed", "changed"),
    [
        ({"site_id": "tacc"}, 1, 1, 1),
        ({"site_id": "gone"}, 0, 1, 0),
        ({"site_id": "new"}, 1, 0, 0),
        ({"site_id": "tacc", "cluster_id": "main"}, 1, 1, 1),
        ({"site_id": "tacc", "cluster_id": "main", "node_id": "b"}, 0, 0, 1),
        ({"site_id": "tacc", "cluster_id": "main", "node_id": "c"}, 1, 0, 0),
        ({"site_id": "tacc", "cluster_id": "main", "node_id": "a"}, 0, 0, 0),
    ],
)
def test_only_what_is_below_a_resource_is_compared(ids: dict[str, str], added: int, removed: int, changed: int) -> None:
    found = differences(BEFORE, AFTER, ids)
    assert (len(found.added), len(found.removed), len(found.changed)) == (added, removed, changed)


def test_what_neither_holds_is_not_there() -> None:
    for ids in ({"site_id": "x"}, {"site_id": "tacc", "cluster_id": "x"}):
        with pytest.raises(NotInInventoryError):
            differences(BEFORE, AFTER, ids)
    assert not differences(Inventory(), Inventory(), {}).added


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), (0, False), ({"x": [1]}, {"x": [True]}), ("1", 1), (None, False)]
)
def test_what_only_python_holds_equal_has_changed(one: object, other: object) -> None:
    before = inventory(site("s", cluster("s", "c", [node_document("n", field=one)])))
    after = inventory(site("s", cluster("s", "c", [node_document("n", field=other)])))
    assert len(differences(before, after, {}).changed) == 1
    patch = patch_between({"field": one}, {"field": other})
    assert written(jsonpatch.apply_patch({"field": one}, patch)) == written({"field": other})


@given(before=objects, after=objects)
def test_a_patch_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = patch_between(before, after)
    assert written(jsonpatch.apply_patch(before, patch)) == written(after)
    assert bool(patch) == (written(before) != written(after))


def test_a_patch_tells_just_what_changed() -> None:
    before = node_document("n", storage=[{"size": 1, "kind": "ssd"}, {"size": 2}])
    after = node_document("n", storage=[{"size": 1, "kind": "hdd"}, {"size": 2}], extra=1)
    assert sorted(patch_between(before, after), key=written) == [
        {"op": "add", "path": "/extra", "value": 1},
        {"op": "replace", "path": "/storage/0/kind", "value": "hdd"},
    ]


def test_a_patch_of_what_would_take_long_to_compare_replaces_whole_members() -> None:
    before = {"a/b": list(range(30_000)), "gone": 1, "same": 1}
    after = {"a/b": list(range(30_000, 60_000)), "new~": 2, "same": 1}
    patch = patch_between(before, after)
    assert [(each["op"], each["path"]) for each in patch] == [
        ("remove", "/gone"), ("replace", "/a~1b"), ("add", "/new~0"),
    ]  # fmt: skip
    assert jsonpatch.apply_patch(before, patch) == after


def test_a_patch_that_is_wrong_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = {"a": [1, 2], "b": 1}, {"a": [2], "b": 1}
    for wrong in ([], [{"op": "remove", "path": "/a/7"}], [{"op": "remove", "path": "/b"}]):
        monkeypatch.setattr(jsonpatch, "make_patch", lambda *_, patch=wrong: jsonpatch.JsonPatch(patch))
        assert patch_between(before, after) == [{"op": "replace", "path": "/a", "value": [2]}]

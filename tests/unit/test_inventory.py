"""What the served inventory answers, and when a newer one takes its place."""

from datetime import UTC, datetime, timedelta

import pytest

from api_service.domain.data_faults import why_unusable
from api_service.domain.inventory import Inventory, InventoryStore, NotInInventoryError
from tests.inventories import cluster, site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def inventory(version: str | None = "a" * 40, *site_ids: str, root: bool = True) -> Inventory:
    """Every site has a cluster c with a node n, and a flavor f."""
    sites = {each: site(each, cluster(each, "c", [{"uid": "n"}]), flavors=[{"uid": "f"}]) for each in site_ids}
    return Inventory(version=version, document={"uid": "root"} if root else {}, sites=sites)


def test_everything_is_found_by_its_ids() -> None:
    held = inventory("a", "tacc", "uc")
    assert held.site("uc").uid == "uc"
    assert held.cluster("uc", "c").site_id == "uc"
    assert held.node("uc", "c", "n").written.document() == {"uid": "n"}
    assert held.flavor("uc", "f").site_id == "uc"
    assert [(node.site_id, node.uid) for node in held.nodes()] == [("tacc", "n"), ("uc", "n")]


def test_what_is_not_there_is_told_in_a_short_sentence() -> None:
    held = inventory("a", "tacc")
    absent = "x" * 100_000
    for ask, sentence in (
        (lambda: held.site(absent), "there is no site 'x"),
        (lambda: held.cluster(absent, "c"), "there is no site 'x"),
        (lambda: held.cluster("tacc", absent), "site tacc has no cluster 'x"),
        (lambda: held.node("tacc", absent, "n"), "site tacc has no cluster 'x"),
        (lambda: held.node("tacc", "c", absent), "cluster c of site tacc has no node 'x"),
        (lambda: held.flavor("tacc", absent), "site tacc has no flavor 'x"),
    ):
        with pytest.raises(NotInInventoryError, match=sentence) as refused:
            ask()
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize("uid", ["tacc", "g1.h100.vgpu.1g.12gb", "a b", "é", "%2F", "..a", "version", "x" * 255])
def test_a_uid_that_can_stand_in_a_url_is_usable(uid: str) -> None:
    assert why_unusable(uid) is None


@pytest.mark.parametrize(
    "uid", ["", "x" * 256, "a\nb", "a\0", "\x7f", "\x85", "a/b", "/", ".", "..", "a.json", ".json", "versions"]
)
def test_a_uid_that_would_break_or_bend_a_url_is_unusable(uid: str) -> None:
    assert why_unusable(uid)


def test_nothing_is_loaded_at_first() -> None:
    store = InventoryStore()
    assert not store.loaded
    assert (store.current.version, store.refusal, store.loads, store.loaded_at) == (None, None, 0, None)


def test_the_first_usable_inventory_is_served_and_its_time_told() -> None:
    store = InventoryStore(clock=lambda: NOON)
    assert store.replace(inventory("a", "tacc"))
    assert store.loaded
    assert (store.current.version, store.loads, store.loaded_at) == ("a", 1, NOON)


def test_the_clock_is_the_real_one_by_default() -> None:
    store = InventoryStore()
    store.replace(inventory("a", "tacc"))
    assert store.loaded_at is not None
    assert abs(datetime.now(UTC) - store.loaded_at) < timedelta(minutes=1)


def test_while_nothing_usable_is_served_anything_is_but_it_does_not_count_as_loaded() -> None:
    store = InventoryStore()
    for version in ("a", "b"):
        assert store.replace(inventory(version))
        assert (store.current.version, store.loaded, store.refusal) == (version, False, None)


def test_the_first_inventory_is_served_even_without_a_root_file() -> None:
    store = InventoryStore()
    assert store.replace(inventory("a", "tacc", root=False))
    assert store.loaded


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        (inventory("b"), "it has no usable site"),
        (inventory("b", "tacc", root=False), "its root file is unusable"),
        (inventory("b", root=False), "its root file is unusable"),
    ],
)
def test_a_later_inventory_that_lost_everything_is_refused(worse: Inventory, reason: str) -> None:
    store = InventoryStore()
    store.replace(inventory("a", "tacc"))
    assert not store.replace(worse)
    assert (store.current.version, store.loaded, store.loads) == ("a", True, 1)
    assert (store.refusal, store.refused_version, store.refusals) == (reason, "b", 1)


def test_the_next_good_inventory_clears_the_refusal() -> None:
    store = InventoryStore()
    store.replace(inventory("a", "tacc"))
    store.refuse("it is cursed", "b")
    assert store.replace(inventory("c", "tacc"))
    assert (store.current.version, store.refusal, store.refused_version) == ("c", None, None)
    assert (store.loads, store.refusals) == (2, 1)


def test_the_same_refusal_again_is_no_news() -> None:
    store = InventoryStore()
    assert store.refuse("it is cursed", "b")
    assert not store.refuse("it is cursed", "b")
    assert store.refuse("it is cursed", "c")
    assert store.refuse("it is lost", "c")
    assert store.refusals == 3

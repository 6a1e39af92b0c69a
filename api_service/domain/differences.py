"""What two inventories hold of nodes: those that came, went, or are not what they were."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from api_service.domain.inventory import Inventory, Node, NotInInventoryError

type Place = tuple[str, str, str]
"""A node's site, cluster and uid."""

_PARTS: Final = ("site_id", "cluster_id", "node_id")


@dataclass(frozen=True, slots=True)
class Differences:
    """Nodes, sorted by site, cluster and uid; one that moved went in one place and came in another."""

    added: tuple[Node, ...]
    removed: tuple[Node, ...]
    changed: tuple[tuple[Node, Node], ...]


def differences(before: Inventory, after: Inventory, ids: Mapping[str, str]) -> Differences:
    """What differs below the site, cluster or node of `ids`; without any, everywhere.

    Raises:
        NotInInventoryError: neither holds that.
    """
    if not holds(after, ids):
        before.require(ids)
    old, new = dict(_nodes(before, ids)), dict(_nodes(after, ids))
    both = sorted(old.keys() & new.keys())
    return Differences(
        added=tuple(new[place] for place in sorted(new.keys() - old.keys())),
        removed=tuple(old[place] for place in sorted(old.keys() - new.keys())),
        changed=tuple((old[place], new[place]) for place in both if _differ(old[place], new[place])),
    )


def holds(inventory: Inventory, ids: Mapping[str, str]) -> bool:
    """Whether there is the site, cluster or node of `ids`."""
    try:
        inventory.require(ids)
    except NotInInventoryError:
        return False
    return True


def _nodes(inventory: Inventory, ids: Mapping[str, str]) -> Iterator[tuple[Place, Node]]:
    wanted = [ids[part] for part in _PARTS if part in ids]
    for node in inventory.nodes():
        place = (node.site_id, node.cluster_id, node.uid)
        if list(place[: len(wanted)]) == wanted:
            yield place, node


def _differ(one: Node, other: Node) -> bool:
    # Another order of keys too is a difference, which the patch then finds to be nothing.
    return one.written.text != other.written.text

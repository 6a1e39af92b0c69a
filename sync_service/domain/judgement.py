"""What Blazar's answers mean: what is known of each node, and whether an answer may be believed at all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from shared.availability import Interval, NodeAvailability

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class DoubtfulAnswerError(Exception):
    """An answer that looks like a fault of the site rather than the truth. Its text says why."""


@dataclass(frozen=True, slots=True)
class Host:
    """A row of Blazar's host list.

    Attributes:
        resource_id: What the allocations call the host; None if the row has no usable one.
        node_id: The hypervisor's hostname; None if the row has no usable one, so it speaks of no node.
        maintenance: It is disabled or not reservable.
        unreadable: It is deleted, or the row could not be understood.
    """

    resource_id: str | None
    node_id: str | None
    maintenance: bool = False
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Allocation:
    """A row of Blazar's allocations: the bookings of one host.

    Attributes:
        resource_id: The host's id; None if the row has no usable one.
        unreadable: A booking could not be understood, so the host may be booked at any time.
    """

    resource_id: str | None
    reservations: tuple[Interval, ...] = ()
    unreadable: bool = False


def judge(hosts: Iterable[Host], allocations: Iterable[Allocation]) -> dict[str, NodeAvailability]:
    """What is known of every node that Blazar lists, by node id.

    A host that is absent from the allocations is unreadable, never free: free hosts are there with no bookings.
    """
    booked: defaultdict[str, list[Allocation]] = defaultdict(list)
    for allocation in allocations:
        if allocation.resource_id is not None:
            booked[allocation.resource_id].append(allocation)
    nodes: dict[str, NodeAvailability] = {}
    for host in hosts:
        if host.node_id is None:
            continue
        node = _node(host.node_id, host, booked.get(host.resource_id or "", ()))
        # A host enrolled twice has two rows of one hostname.
        nodes[node.node_id] = nodes[node.node_id].worst_of(node) if node.node_id in nodes else node
    return nodes


def _node(node_id: str, host: Host, allocations: Iterable[Allocation]) -> NodeAvailability:
    rows = tuple(allocations)
    return NodeAvailability(
        node_id,
        tuple(reservation for row in rows for reservation in row.reservations),
        maintenance=host.maintenance,
        unreadable=host.unreadable or not rows or any(row.unreadable for row in rows),
    )


class Doubt:
    """Whether a list of ids may be believed: a sudden loss only when two answers in a row tell of it.

    A loss is an empty list, or one without half of the ids last believed. Who knows no last one doubts an empty
    list and believes any other.
    """

    def __init__(self) -> None:
        self._believed: AbstractSet[str] | None = None
        self._doubted: AbstractSet[str] | None = None

    def believes(self, ids: AbstractSet[str]) -> bool:
        """Takes `ids` as the next answer and says whether it may be believed."""
        if (ids and _resembles(ids, self._believed)) or (self._doubted is not None and _confirms(ids, self._doubted)):
            self._believed, self._doubted = ids, None
            return True
        self._doubted = ids
        return False

    def recall(self, ids: AbstractSet[str]) -> None:
        """Takes `ids` as what was last believed, by another replica or before a restart."""
        self._believed = ids

    def forget(self) -> None:
        """For a poll without an answer: what was doubted before needs two answers in a row again."""
        self._doubted = None


def _resembles(ids: AbstractSet[str], last: AbstractSet[str] | None) -> bool:
    return last is None or 2 * len(ids & last) >= len(last)


def _confirms(ids: AbstractSet[str], doubted: AbstractSet[str]) -> bool:
    return bool(ids) == bool(doubted) and _resembles(ids, doubted)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a poll's snapshot is marked with.

    Attributes:
        generation: max(clock in ms, follows + 1).
        follows: The newest generation known when the poll began; None if there was none.
        observed_at: When the poll began, in whole milliseconds; never less than that of the snapshot it follows.
    """

    generation: int
    follows: int | None
    observed_at: datetime

    @classmethod
    def following(cls, follows: int | None, now: datetime, *, observed_before: datetime | None = None) -> Self:
        """The stamp of a poll that begins at `now`, by a clock that may have been set back since the last one.

        Args:
            follows: The newest generation known.
            now: The present.
            observed_before: When that one's snapshot was observed; None if that is not known.
        """
        clock = (now - _EPOCH) // _MILLISECOND
        observed_at = _EPOCH + clock * _MILLISECOND
        # Not what `follows` says in milliseconds: a generation may be ahead of all clocks, and ages are not made up.
        observed_at = max(observed_at, observed_before) if observed_before else observed_at
        return cls(clock if follows is None else max(clock, follows + 1), follows, observed_at)


@dataclass(frozen=True, slots=True)
class Changes:
    """How many nodes differ between two polls of a site, for the log."""

    added: int
    removed: int
    changed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def changes(before: Mapping[str, NodeAvailability], after: Mapping[str, NodeAvailability]) -> Changes:
    """What became different from `before` to `after`."""
    kept = before.keys() & after.keys()
    return Changes(
        added=len(after) - len(kept),
        removed=len(before) - len(kept),
        changed=sum(before[node_id] != after[node_id] for node_id in kept),
    )

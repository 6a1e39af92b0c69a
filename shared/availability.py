"""What Blazar's bookings mean: intervals, the states of a node, and when a state changes.

Standard library only; both services and every message speak in these terms.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

MAX_GENERATION = 253_402_300_799_999
"""The last millisecond of the calendar: no clock makes a larger generation, so nothing of ours bears one."""

STALE_AFTER_INTERVALS = 3
"""A site is stale when its last successful poll is older than this many poll intervals."""


class AvailabilityState(StrEnum):
    """What a node is at one moment. Where several could be said, the first of this order is."""

    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    RESERVED = "reserved"
    AVAILABLE = "available"


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Time from `start`, included, to `end`, excluded; both aware UTC.

    Raises:
        ValueError: if a bound has no time zone, or the interval is empty or reversed.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        start, end = self.start, self.end
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("an interval needs times with a time zone")
        if start >= end:
            raise ValueError("an interval ends after it starts")

    def overlaps(self, other: "Interval") -> bool:
        """Whether the two share a moment; intervals that merely touch do not."""
        return self.start < other.end and other.start < self.end

    def clipped_to(self, window: "Interval") -> "Interval | None":
        """The part inside `window`, or None where there is none."""
        if not self.overlaps(window):
            return None
        return Interval(max(self.start, window.start), min(self.end, window.end))


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time in as few intervals as possible, sorted: what overlaps or touches becomes one.

    Blazar hands out overlapping reservations of one host, and back-to-back bookings leave no gap that
    anybody could use, so every answer is computed from merged intervals.
    """
    given = tuple(intervals)
    if all(before.end < after.start for before, after in pairwise(given)):
        return given  # as nearly always: what was merged once is merged again by whoever reads it
    blocks: list[Interval] = []
    for interval in sorted(given):
        if blocks and interval.start <= blocks[-1].end:
            if interval.end > blocks[-1].end:
                blocks[-1] = Interval(blocks[-1].start, interval.end)
        else:
            blocks.append(interval)
    return tuple(blocks)


@dataclass(frozen=True)
class NodeAvailability:
    """What one poll learned of one node: facts only, from which a state follows at any moment.

    Attributes:
        node_id: The host's hypervisor hostname in Blazar, which is the node's uid in the inventory.
        reservations: Merged and sorted, whatever order and overlaps they were given in.
        maintenance: The host is disabled or not reservable.
        unreadable: Blazar's record of the host could not be understood; the node is unknown.
    """

    node_id: str
    reservations: tuple[Interval, ...] = ()
    maintenance: bool = False
    unreadable: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reservations", merged(self.reservations))

    @cached_property
    def _starts(self) -> list[datetime]:
        return [block.start for block in self.reservations]

    def block_at(self, moment: datetime) -> Interval | None:
        """The merged reservation that holds the node at `moment`."""
        index = bisect_right(self._starts, moment) - 1
        if index >= 0 and moment < self.reservations[index].end:
            return self.reservations[index]
        return None

    def state_at(self, moment: datetime) -> AvailabilityState:
        """The node's state at `moment`, by the order of `AvailabilityState`."""
        if self.unreadable:
            return AvailabilityState.UNKNOWN
        if self.maintenance:
            return AvailabilityState.MAINTENANCE
        if self.block_at(moment) is not None:
            return AvailabilityState.RESERVED
        return AvailabilityState.AVAILABLE

    def until(self, moment: datetime) -> datetime | None:
        """When the state at `moment` ends as far as bookings tell: never for what is not bookable."""
        match self.state_at(moment):
            case AvailabilityState.RESERVED:
                block = self.block_at(moment)
                return block.end if block else None
            case AvailabilityState.AVAILABLE:
                index = bisect_right(self._starts, moment)
                return self._starts[index] if index < len(self._starts) else None
            case AvailabilityState.UNKNOWN | AvailabilityState.MAINTENANCE:
                return None

    def next_bound(self, moment: datetime) -> datetime | None:
        """The first bound of its reservations after `moment`: until then time alone changes nothing about it."""
        index = bisect_right(self._starts, moment)
        if index and moment < self.reservations[index - 1].end:
            return self.reservations[index - 1].end
        return self._starts[index] if index < len(self._starts) else None

    def reservable_throughout(self, window: Interval) -> bool:
        """Whether the node could be reserved for the whole of `window`."""
        if self.unreadable or self.maintenance:
            return False
        index = bisect_right(self._starts, window.start) - 1
        if index >= 0 and window.start < self.reservations[index].end:
            return False
        return index + 1 >= len(self._starts) or self._starts[index + 1] >= window.end

    def worst_of(self, other: "NodeAvailability") -> "NodeAvailability":
        """Two records of one host in one poll: all reservations of both, and the worse of the states."""
        return NodeAvailability(
            self.node_id,
            self.reservations + other.reservations,
            maintenance=self.maintenance or other.maintenance,
            unreadable=self.unreadable or other.unreadable,
        )


@dataclass(frozen=True)
class SiteAvailability:
    """Every node of one site as one poll saw them.

    Attributes:
        site_id: The site's uid in the inventory.
        generation: Strictly increasing per site: max(clock in ms, follows + 1).
        follows: The newest generation the poller knew when it began; None if there was none.
        observed_at: Taken before the poll's first request.
        hosts_observed_at: The same of the host list, which is read more seldom; `maintenance` is as of then.
        poll_interval: How often the site is polled.
        nodes: By node id.
    """

    site_id: str
    generation: int
    follows: int | None
    observed_at: datetime
    hosts_observed_at: datetime
    poll_interval: timedelta
    nodes: Mapping[str, NodeAvailability] = field(repr=False)

    def stale_from(self, last_updated: datetime) -> datetime:
        """The moment from which data last updated then is stale."""
        return last_updated + STALE_AFTER_INTERVALS * self.poll_interval


@dataclass(frozen=True, slots=True)
class FlavorSegment:
    """How many instances of a flavor could run during `during`: `available` of `total`, both ≥ 0."""

    during: Interval
    available: int
    total: int


@dataclass(frozen=True)
class SiteFlavors:
    """The capacity of every flavor that a site publishes, over the window that was asked for.

    Attributes:
        flavors: Contiguous, sorted segments by the flavor's name, which is its uid in the inventory.
        window: What was asked for; nothing is known outside it.
    """

    site_id: str
    generation: int
    follows: int | None
    observed_at: datetime
    poll_interval: timedelta
    window: Interval
    flavors: Mapping[str, tuple[FlavorSegment, ...]] = field(repr=False)

    def stale_from(self, last_updated: datetime) -> datetime:
        """The moment from which data last updated then is stale."""
        return last_updated + STALE_AFTER_INTERVALS * self.poll_interval


type Snapshot = SiteAvailability | SiteFlavors
"""What one message of the log carries."""


def is_late(generation: int, follows: int | None, *, current: int | None) -> bool:
    """Whether a snapshot must not replace the one of generation `current`; None means that none is known."""
    if current is None:
        return False
    # A poller that began before `current` was published may carry an older truth, whatever its clock says. One that
    # knew of nothing (its stream was empty, or it could not be read) may be such a poller too.
    return generation <= current or follows is None or follows < current


def utc_now() -> datetime:
    """The clock of both services; tests pass another."""
    return datetime.now(UTC)

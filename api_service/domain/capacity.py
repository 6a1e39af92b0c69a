"""How many nodes are free over time, group by group: a sweep over merged intervals."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final

from api_service.domain.inventory import Node
from api_service.domain.node_fields import distinct_values, path_of, rank
from api_service.domain.node_query import Match
from shared.availability import AvailabilityState, Interval, merged

MAX_GROUPS: Final = 1000
MAX_SEGMENTS: Final = 10_000
"""Of all groups of one answer together."""


class TooManyGroupsError(ValueError):
    """More than `MAX_GROUPS`."""


class TooManySegmentsError(ValueError):
    """More than `MAX_SEGMENTS`."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Moments at equal distances, of which `origin` is one."""

    origin: datetime
    step: timedelta

    def before(self, moment: datetime) -> datetime:
        """The last one that is not after `moment`."""
        return self.origin + (moment - self.origin) // self.step * self.step

    def widened(self, block: Interval, window: Interval) -> Interval:
        """All steps, cut to `window`, that share a moment with `block`, which lies in it."""
        end = self.before(block.end)
        return Interval(
            max(self.before(block.start), window.start), min(end if end == block.end else end + self.step, window.end)
        )


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many nodes are what for a time; together they are all of the group."""

    during: Interval
    free: int
    reserved: int
    maintenance: int
    unknown: int


type Group = tuple[Any, ...]
"""What its nodes have at each field that was asked for: one value, a list of several, or None."""


def grouped(matches: Iterable[Match], fields: Sequence[str]) -> list[tuple[Group, list[Match]]]:
    """Every match in one group, sorted by their values; without fields one group, even an empty one.

    Args:
        matches: Sorted.
        fields: `site_id`, `cluster_id`, an alias, or a dotted path; a list on the way means all of its elements.

    Raises:
        TooManyGroupsError: the fields tell too many nodes apart.
    """
    if not fields:
        return [((), list(matches))]
    groups: dict[str, tuple[Group, list[Match]]] = {}
    for match in matches:
        values = tuple(_value(match.node, field) for field in fields)
        # JSON tells true from 1, which Python does not.
        groups.setdefault(json.dumps(values), (values, []))[1].append(match)
        if len(groups) > MAX_GROUPS:
            raise TooManyGroupsError(f"tells more than {MAX_GROUPS} groups apart")
    return sorted(groups.values(), key=lambda group: [rank(value) for value in group[0]])


def capacities(
    groups: Iterable[Sequence[Match]], window: Interval, grid: Grid | None = None
) -> list[tuple[Capacity, ...]]:
    """The capacity of each group in `window`: contiguous segments, from each change to the next, or a step each.

    In a step a node is free if it is free throughout, and reserved if any booking meets the step.

    Raises:
        TooManySegmentsError: the answer would be too long.
    """
    found, left = [], MAX_SEGMENTS
    for group in groups:
        found.append(_capacity(group, window, grid, left))
        left -= len(found[-1])
    return found


def _capacity(matches: Sequence[Match], window: Interval, grid: Grid | None, most: int) -> tuple[Capacity, ...]:
    states = Counter(match.state_at(window.start) for match in matches)
    maintenance, unknown = states[AvailabilityState.MAINTENANCE], states[AvailabilityState.UNKNOWN]
    changes: Counter[datetime] = Counter()
    for match in matches:
        for block in _held(match, window, grid):
            changes[block.start] += 1
            changes[block.end] -= 1
    bounds = _bounds(changes, window, grid, most)
    reserved = accumulate(changes[bound] for bound in bounds)
    bookable = len(matches) - maintenance - unknown
    return tuple(
        Capacity(Interval(start, end), bookable - held, held, maintenance, unknown)
        for (start, end), held in zip(pairwise(bounds), reserved, strict=False)
    )


def _held(match: Match, window: Interval, grid: Grid | None) -> Iterable[Interval]:
    if not match.bookable:
        return ()
    inside = (block.clipped_to(window) for block in match.reservations)
    blocks = [block for block in inside if block]
    # Two bookings that meet the same step hold it once.
    return merged(grid.widened(block, window) for block in blocks) if grid else blocks


def _bounds(changes: Mapping[datetime, int], window: Interval, grid: Grid | None, most: int) -> list[datetime]:
    if grid is None:
        # Where one booking ends as another starts, nothing changes.
        inner = [moment for moment, change in changes.items() if change and window.start < moment < window.end]
        # Before they are sorted, which holds up other threads where there are many.
        _check(len(inner) + 1, most)
        inner.sort()
    else:
        first = grid.before(window.start) + grid.step
        steps = max(0, -((first - window.end) // grid.step))
        _check(steps + 1, most)
        inner = [first + number * grid.step for number in range(steps)]
    return [window.start, *inner, window.end]


def _check(segments: int, most: int) -> None:
    if segments > most:
        raise TooManySegmentsError(f"there would be more than {MAX_SEGMENTS} segments")


def _value(node: Node, field: str) -> Any:
    distinct = distinct_values(node, path_of(field))
    return distinct[0] if len(distinct) == 1 else distinct or None

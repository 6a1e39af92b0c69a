"""When nodes are free together, and how many are over time: sweeps over merged intervals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush, merge
from itertools import chain, groupby
from typing import Final

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import Node
from api_service.domain.node_query import Match, matches_of
from shared.availability import AvailabilityState, Interval

HORIZON: Final = timedelta(days=366)
"""How long after the moment that was asked for a slot may start."""


def bookings_in(match: Match, window: Interval) -> tuple[Interval, ...]:
    """The node's merged reservations that share a moment with `window`, whole; none where nothing is known."""
    return tuple(block for block in match.reservations if block.overlaps(window))


def bookings_from(match: Match, moment: datetime) -> tuple[Interval, ...]:
    """The node's merged reservations that are not over at `moment`."""
    return tuple(block for block in match.reservations if block.end > moment)


@dataclass(frozen=True, slots=True)
class BusyTime:
    """Time in which a node cannot be reserved, and what it is then: never available."""

    state: AvailabilityState
    during: Interval


def busy_times(match: Match, window: Interval, span: Interval) -> Iterator[BusyTime]:
    """What keeps the node from being reserved: first that it is not bookable at all, then its bookings.

    Args:
        match: The node.
        window: Bookings that share a moment with it are told, whole.
        span: For how long a node is told that is unknown or in maintenance, which nobody knows the end of.
    """
    if not match.bookable:
        yield BusyTime(match.state_at(span.start), span)
    for block in bookings_in(match, window):
        yield BusyTime(AvailabilityState.RESERVED, block)


@dataclass(frozen=True, slots=True)
class Slot:
    """Time for which all of `nodes` can be reserved, sorted as a search sorts them."""

    during: Interval
    nodes: tuple[Match, ...]

    @property
    def site_id(self) -> str | None:
        """Where the nodes are; None if that is not one site."""
        sites = {match.node.site_id for match in self.nodes}
        return sites.pop() if len(sites) == 1 else None

    def stale_at(self, moment: datetime) -> bool:
        """Whether what is known of any of the nodes is old."""
        return bool(self.stale_sites(moment))

    def stale_sites(self, moment: datetime) -> set[str]:
        """The sites of those nodes: all that is known of a site is equally old."""
        sites = {match.node.site_id: match for match in self.nodes}
        return {site_id for site_id, match in sites.items() if match.stale_at(moment)}


def choices(nodes: Iterable[Node], availability: AvailabilityMap, *, across_sites: bool) -> Iterator[Iterable[Match]]:
    """The nodes of which a slot may be made: those of a site, the sites sorted, or all; in the order of `nodes`."""
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault("" if across_sites else node.site_id, []).append(node)
    return (matches_of(groups[key], availability) for key in sorted(groups))


def slots(groups: Iterable[Iterable[Match]], *, count: int, duration: timedelta, after: datetime) -> Iterator[Slot]:
    """Slots of `count` nodes of a group for `duration`, the earliest first; of those that start together, by group.

    A slot starts at `after` or where a booking ends, since only there nodes are won; it starts at most `HORIZON` later.

    Args:
        groups: The nodes to choose from, each group sorted; no more groups are asked for than it takes.
        count: At least 1.
        duration: More than nothing.
        after: Not so late that the horizon lies outside the calendar.
    """
    later: list[Iterator[Slot]] = []
    for group in groups:
        found = _slots_among(list(group), count, duration, after)
        if first := next(found, None):
            if first.during.start == after:
                yield first  # there is none before it, wherever
            else:
                found = chain([first], found)
            later.append(found)
    yield from merge(*later, key=lambda slot: slot.during.start)


def _slots_among(matches: Sequence[Match], count: int, duration: timedelta, after: datetime) -> Iterator[Slot]:
    # The next window of each node; an iterator each would take more memory than all there is.
    horizon = after + HORIZON
    windows = [
        (*window, place)
        for place, match in enumerate(matches)
        if match.bookable and (window := _start_window(match.reservations, 0, duration, after, horizon))
    ]
    first = after
    won = [window for window in windows if window[0] == first]
    opening = [window for window in windows if window[0] != first]
    heapify(opening)
    able: dict[int, datetime] = {}  # in the order in which they are won
    closing: list[tuple[datetime, int]] = []
    while won or opening:
        while closing and closing[0][0] < first:
            del able[heappop(closing)[1]]
        for _, last, _, place in won:
            able[place] = first
            heappush(closing, (last, place))
        if len(able) >= count:
            yield Slot(Interval(first, first + duration), tuple(matches[place] for place in _won_last(able, count)))
        # Only now: most who ask want no more than a few slots.
        for _, _, block, place in won:
            blocks = matches[place].reservations
            if block < len(blocks) and (
                window := _start_window(blocks, block + 1, duration, blocks[block].end, horizon)
            ):
                heappush(opening, (*window, place))
        won = []
        while opening and (not won or opening[0][0] == first):
            first = opening[0][0]
            won.append(heappop(opening))


def _won_last(able: dict[int, datetime], count: int) -> list[int]:
    """So that a later slot is another choice, and bookings follow closely on each other.

    Args:
        able: When each place was won, the last one last.
        count: How many places; of those that were won together the first.
    """
    chosen: list[int] = []
    for _, places in groupby(reversed(able), key=able.__getitem__):
        chosen += sorted(places)[: count - len(chosen)]
        if len(chosen) == count:
            break
    return sorted(chosen)


def _start_window(
    blocks: Sequence[Interval], block: int, duration: timedelta, free_from: datetime, horizon: datetime
) -> tuple[datetime, datetime, int] | None:
    """The next time in which a reservation could start: its first and last moment, and the block that ends it.

    Args:
        blocks: When the node is booked.
        block: The first of them that is not over at `free_from`, or one before it.
        duration: Of the reservation.
        free_from: When the node is free for the first time that is to be looked at.
        horizon: After which no reservation is to start.
    """
    for place in range(block, len(blocks)):
        if free_from > horizon:
            break
        start, end = blocks[place].start, blocks[place].end
        if end > free_from:
            if start - free_from >= duration:
                return free_from, start - duration, place
            free_from = end
    return None if free_from > horizon else (free_from, horizon, len(blocks))

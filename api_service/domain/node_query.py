"""Which nodes fit: an index answers for the hardware, what is known of each node that is left for its bookings."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from api_service.domain.availability_map import AvailabilityMap, ObservedSite
from api_service.domain.inventory import Inventory, Node
from api_service.domain.node_conditions import Condition, UnknownFieldsError
from api_service.domain.node_fields import distinct_values, path_of, rank
from api_service.domain.node_index import NodeIndex
from api_service.domain.row_sets import bits, rows_of
from shared.availability import AvailabilityState, Interval, NodeAvailability

NEVER: Final = datetime.max.replace(tzinfo=UTC)


class WindowInThePastError(ValueError):
    """A window that is over; Blazar forgets the past, so nothing is known of it."""


def future_part(window: Interval, now: datetime) -> Interval:
    """What of `window` is not over at `now`.

    Raises:
        WindowInThePastError: nothing of it is left.
    """
    if window.end <= now:
        raise WindowInThePastError("the window lies in the past, of which Blazar keeps no record")
    return Interval(max(window.start, now), window.end)


SITE: Final = ("site_id",)
CLUSTER: Final = ("cluster_id",)
NODE_TYPE: Final = ("node_type",)
ARCH: Final = ("architecture", "platform_type")
GPU: Final = ("gpu", "gpu")
INFINIBAND: Final = ("infiniband",)
RAM: Final = ("main_memory", "ram_size")
FILTERED: Final = (SITE, CLUSTER, NODE_TYPE, ARCH, GPU, INFINIBAND, RAM)
"""Fields that filters have names for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQuery:
    """A search. None means that a filter was not given; of several values of one filter any will do.

    Attributes:
        archs: Of `architecture.platform_type`.
        gpu: Of `gpu.gpu`; a node that does not say has none.
        infiniband: Of `infiniband`; likewise.
        min_ram: Bytes of `main_memory.ram_size`, at least; a node that does not say has too little.
        conditions: Of any field; each is to be fulfilled.
        words: Each is to be found, whatever its case, in a text of the node or in the name of its site or cluster.
        states: Of the moment of the search.
        window: Keeps nodes that could be reserved for all of it.
    """

    site_ids: frozenset[str] | None = None
    cluster_ids: frozenset[str] | None = None
    node_types: frozenset[str] | None = None
    archs: frozenset[str] | None = None
    gpu: frozenset[bool] | None = None
    infiniband: frozenset[bool] | None = None
    min_ram: int | None = None
    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = ()
    states: frozenset[AvailabilityState] | None = None
    window: Interval | None = None

    def fitting(self, index: NodeIndex) -> int:
        """The rows whose hardware is what is looked for.

        Raises:
            UnknownFieldsError: conditions are about fields that no node has.
            UnfitConditionError: a condition cannot be meant so.
        """
        if unknown := [each.name for each in self.conditions if not index.field(each.path).known]:
            raise UnknownFieldsError(*((name, name) for name in unknown))
        found = index.everything
        for rows in self._filtered(index):
            found &= rows
        for condition in self.conditions:
            found &= condition.rows(index)
        return index.with_words(self.words, found) if self.words else found

    def _filtered(self, index: NodeIndex) -> Iterator[int]:
        for path, wanted in (
            (SITE, self.site_ids),
            (CLUSTER, self.cluster_ids),
            (NODE_TYPE, self.node_types),
            (ARCH, self.archs),
        ):
            if wanted is not None:
                texts = index.field(path).texts
                yield bits(texts[value] for value in wanted if value in texts)
        for path, flags in ((GPU, self.gpu), (INFINIBAND, self.infiniband)):
            if flags is not None:
                true = bits([index.field(path).flags.get(True, 0)])
                yield bits([true if flag else index.everything & ~true for flag in flags])
        if self.min_ram is not None:
            numbers = index.field(RAM).numbers
            yield bits(rows for number, rows in numbers.items() if number >= self.min_ram)

    def allows(self, match: "Match", now: datetime) -> bool:
        """Whether the node's bookings are what is looked for. What is unknown is never free."""
        if self.states is not None and match.state_at(now) not in self.states:
            return False
        if self.window is None:
            return True
        return match.known is not None and match.known.reservable_throughout(self.window)


STATE_FIELDS: Final = frozenset({"availability", "availability_now", "availability_until"})
"""Fields of a match that come of its bookings."""


class Match(NamedTuple):
    """A node and what is known of its bookings: None of a site never synced, or a node Blazar does not list."""

    node: Node
    site: ObservedSite | None
    known: NodeAvailability | None

    def state_at(self, moment: datetime) -> AvailabilityState:
        """The node's state; unknown where nothing is known."""
        return self.known.state_at(moment) if self.known else AvailabilityState.UNKNOWN

    @property
    def bookable(self) -> bool:
        """Whether the node is free while it is not booked: what is unknown or in maintenance never is."""
        return self.known is not None and not (self.known.unreadable or self.known.maintenance)

    @property
    def reservations(self) -> tuple[Interval, ...]:
        """The node's merged bookings, as far as they are known."""
        return self.known.reservations if self.known else ()

    def until(self, moment: datetime) -> datetime | None:
        """When that state ends, as far as bookings tell."""
        return self.known.until(moment) if self.known else None

    def stale_at(self, moment: datetime) -> bool:
        """Whether what is known is old; of nothing known nothing is current."""
        return self.site.stale_at(moment) if self.site else True

    def good_until(self, moment: datetime) -> datetime:
        """From when on time alone may tell of the node what it does not tell at `moment`."""
        state_until = self.until(moment) or NEVER
        stale_from = self.site.snapshot.stale_from(self.site.last_updated) if self.site else NEVER
        return min(state_until, stale_from if stale_from > moment else NEVER)

    @property
    def last_updated(self) -> datetime | None:
        """The age of what is known."""
        return self.site.last_updated if self.site else None


def match_of(node: Node, availability: AvailabilityMap) -> Match:
    """`node` with what is known of it."""
    return Match(node, availability.sites.get(node.site_id), availability.node(node.site_id, node.uid))


def matches_of(nodes: Iterable[Node], availability: AvailabilityMap) -> Iterator[Match]:
    """The same of many."""
    sites = availability.sites
    for node in nodes:
        site = sites.get(node.site_id)
        yield Match(node, site, site.snapshot.nodes.get(node.uid) if site else None)


def matching(index: NodeIndex, availability: AvailabilityMap, query: NodeQuery, now: datetime) -> int:
    """The rows of every node that fits, and whose bookings are what is looked for.

    Raises:
        UnknownFieldsError: conditions are about fields that no node has.
        UnfitConditionError: a condition cannot be meant so.
    """
    found = query.fitting(index)
    if query.states is None and query.window is None:
        return found
    rows = zip(rows_of(found), matches_of(index.nodes_in(found), availability), strict=True)
    return bits([array("I", [row for row, match in rows if query.allows(match, now)])])


def search(index: NodeIndex, availability: AvailabilityMap, query: NodeQuery, now: datetime) -> list[Match]:
    """The same as nodes with what is known of them, in the order of the index."""
    rows = matching(index, availability, query, now)
    return list(matches_of(index.nodes_in(rows), availability))


def sites_in_question(matches: Iterable[Match], query: NodeQuery, inventory: Inventory) -> list[str]:
    """The sites whose data an answer about `matches`, the result of `query`, rests on; sorted.

    Those of the matches and those that the query names: of a site that was never synced, an answer without any node
    still has to say so. Where neither gives one, all sites were asked.
    """
    named = inventory.sites.keys() & (query.site_ids or frozenset())
    return sorted({match.node.site_id for match in matches} | named or inventory.sites)


def ordered(matches: Iterable[Match], names: Sequence[str], now: datetime) -> list[Match]:
    """The same, sorted by fields, the first of `names` first; a `-` before one turns it round.

    Numbers come before texts; of several values of a node the first of that order counts. Nodes without any come last,
    and those that are alike stay as they were.
    """
    found = list(matches)
    for name in reversed(names):
        down = name.startswith("-")
        ranked = [(_values(match, name.removeprefix("-"), now), match) for match in found]
        having = [(ranks[-1 if down else 0], match) for ranks, match in ranked if ranks]
        having.sort(key=lambda pair: pair[0], reverse=down)
        found = [match for _, match in having] + [match for ranks, match in ranked if not ranks]
    return found


def _values(match: Match, name: str, now: datetime) -> list[tuple[int, float, str]]:
    match name:
        case "availability" | "availability_now":
            return [rank(match.state_at(now))]
        case "availability_until":
            until = match.until(now)
            return [(1, until.timestamp(), "")] if until else []
        case _:
            return [rank(value) for value in distinct_values(match.node, path_of(name))]

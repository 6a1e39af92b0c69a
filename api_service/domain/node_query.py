"""Which nodes fit: every filter of a search, compiled once and asked of each node."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api_service.domain.availability_map import AvailabilityMap, ObservedSite
from api_service.domain.inventory import Document, Node
from shared.availability import AvailabilityState, Interval, NodeAvailability


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


def values_at(document: Document, *path: str) -> Iterator[Any]:
    """Every value at a path; a list on the way means any of its elements, anything else unfit means none."""
    pending: list[tuple[Any, int]] = [(document, 0)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, list):
            pending.extend((element, depth) for element in reversed(value))
        elif depth == len(path):
            yield value
        elif isinstance(value, dict) and path[depth] in value:
            pending.append((value[path[depth]], depth + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQuery:
    """A search. None means that a filter was not given; of several values of one filter any will do.

    Attributes:
        gpu: Of `gpu.gpu`; a node that does not say has none.
        infiniband: Of `infiniband`; likewise.
        min_ram: Bytes of `main_memory.ram_size`, at least; a node that does not say has too little.
        window: Keeps nodes that could be reserved for all of it.
    """

    site_ids: frozenset[str] | None = None
    cluster_ids: frozenset[str] | None = None
    node_types: frozenset[str] | None = None
    archs: frozenset[str] | None = None
    gpu: frozenset[bool] | None = None
    infiniband: frozenset[bool] | None = None
    min_ram: int | None = None
    states: frozenset[AvailabilityState] | None = None
    window: Interval | None = None

    def fits(self, node: Node) -> bool:
        """Whether the hardware is what is looked for."""
        return (
            (self.site_ids is None or node.site_id in self.site_ids)
            and (self.cluster_ids is None or node.cluster_id in self.cluster_ids)
            and _one_of(self.node_types, node.document, "node_type")
            and _one_of(self.archs, node.document, "architecture", "platform_type")
            and _flag(self.gpu, node.document, "gpu", "gpu")
            and _flag(self.infiniband, node.document, "infiniband")
            and (self.min_ram is None or _at_least(self.min_ram, node.document, "main_memory", "ram_size"))
        )

    def allows(self, match: "Match", now: datetime) -> bool:
        """Whether the node's bookings are what is looked for. What is unknown is never free."""
        if self.states is not None and match.state_at(now) not in self.states:
            return False
        if self.window is None:
            return True
        return match.known is not None and match.known.reservable_throughout(self.window)


@dataclass(frozen=True, slots=True)
class Match:
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

    @property
    def last_updated(self) -> datetime | None:
        """The age of what is known."""
        return self.site.last_updated if self.site else None


def match_of(node: Node, availability: AvailabilityMap) -> Match:
    """`node` with what is known of it."""
    return Match(node, availability.sites.get(node.site_id), availability.node(node.site_id, node.uid))


def search(nodes: Iterable[Node], availability: AvailabilityMap, query: NodeQuery, now: datetime) -> list[Match]:
    """Every node that fits, sorted by uid, then site and cluster: the same order on every replica."""
    found = (match_of(node, availability) for node in nodes if query.fits(node))
    allowed = (match for match in found if query.allows(match, now))
    return sorted(allowed, key=lambda match: (match.node.uid, match.node.site_id, match.node.cluster_id))


def _one_of(wanted: frozenset[str] | None, document: Document, *path: str) -> bool:
    return wanted is None or any(isinstance(value, str) and value in wanted for value in values_at(document, *path))


def _flag(wanted: frozenset[bool] | None, document: Document, *path: str) -> bool:
    return wanted is None or any(value is True for value in values_at(document, *path)) in wanted


def _at_least(least: int, document: Document, *path: str) -> bool:
    return any(
        isinstance(value, int | float) and not isinstance(value, bool) and value >= least
        for value in values_at(document, *path)
    )

"""What is told of a site at one moment, and what differs between two: facts of a poll, seen through an inventory."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from api_service.domain.availability_map import ObservedSite
from api_service.domain.inventory import Site
from shared.availability import AvailabilityState, Interval, NodeAvailability

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Roster:
    """Which nodes a site has in the inventory, or which of them somebody asks for: a cluster id and a uid each."""

    site_id: str
    nodes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, site: Site) -> "Roster":
        """All nodes of a site."""
        return cls(site.uid, tuple((node.cluster_id, node.uid) for node in site.nodes()))

    def only(self, node_ids: frozenset[str]) -> "Roster":
        """Those of these uids; costs grow with them, not with the site."""
        rows = sorted(row for node_id in node_ids for row in self._rows.get(node_id, ()))
        return Roster(self.site_id, tuple(self.nodes[row] for row in rows))

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """Where each uid is in `nodes`: two clusters may have the same."""
        rows: dict[str, list[int]] = {}
        for row, (_, node_id) in enumerate(self.nodes):
            rows.setdefault(node_id, []).append(row)
        return rows

    @cached_property
    def digest(self) -> bytes:
        """Equal on every replica, for equal nodes only."""
        # No id holds a slash or a line feed.
        return hashlib.blake2b("\n".join(map("/".join, self.nodes)).encode()).digest()


@dataclass(frozen=True)
class Position:
    """Which view of a site it is, in words that every replica understands.

    Attributes:
        generation: Of the snapshot; None if nothing is known of the site.
        as_of: The moment whose states are told, in whole milliseconds.
        digest: Of the nodes that are told and of the poll: two of one site may bear one generation.
    """

    generation: int | None
    as_of: datetime
    digest: str

    @cached_property
    def text(self) -> str:
        """As a token has it."""
        generation = "-" if self.generation is None else self.generation
        return f"{generation}.{(self.as_of - EPOCH) // MILLISECOND}.{self.digest}"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as it is told; `maintenance` is None of one of which nothing is known."""

    cluster_id: str
    node_id: str
    availability: AvailabilityState
    availability_until: datetime | None
    maintenance: bool | None
    reservations: tuple[Interval, ...]


@dataclass(frozen=True, eq=False)
class SiteView:
    """A site as it is told at `as_of`; `observed` is None of one that was never synced."""

    roster: Roster
    observed: ObservedSite | None
    as_of: datetime

    @property
    def site_id(self) -> str:
        """The site's uid in the inventory."""
        return self.roster.site_id

    @property
    def generation(self) -> int | None:
        """Of its snapshot; None of a site never synced."""
        return self.observed.snapshot.generation if self.observed else None

    @property
    def last_updated(self) -> datetime | None:
        """The age of what is known; None of a site never synced."""
        return self.observed.last_updated if self.observed else None

    @property
    def stale(self) -> bool:
        """Whether it is old; of nothing known nothing is current."""
        return self.observed.stale_at(self.as_of) if self.observed else True

    @cached_property
    def position(self) -> Position:
        """Which view this is."""
        observed_at = self.observed.snapshot.observed_at.isoformat() if self.observed else ""
        digest = hashlib.blake2b(self.roster.digest + observed_at.encode(), digest_size=6).hexdigest()
        return Position(self.generation, self.as_of, digest)

    @cached_property
    def valid_until(self) -> datetime:
        """From when on time alone may make it another."""
        if self.observed is None or self.stale:
            return self.next_bound
        return min(self.next_bound, self.observed.snapshot.stale_from(self.observed.last_updated))

    @cached_property
    def next_bound(self) -> datetime:
        """No booking of the site's nodes begins or ends before; takes half a microsecond a node."""
        known = self.observed.snapshot.nodes if self.observed else {}
        return min((bound for each in known.values() if (bound := each.next_bound(self.as_of))), default=NEVER)

    def after(self, before: "SiteView") -> "SiteView":
        """The same; where nodes and bookings are those of `before`, and none began or ended since, that is known."""
        known, known_before = (view.observed.snapshot.nodes if view.observed else None for view in (self, before))
        if known is known_before and before.as_of <= self.as_of < before.next_bound:
            vars(self)["next_bound"] = before.next_bound
        return self

    def only(self, node_ids: frozenset[str]) -> "SiteView":
        """The same of fewer nodes."""
        return replace(self, roster=self.roster.only(node_ids))

    def known(self, node_id: str) -> NodeAvailability | None:
        """The facts of a node; None if there are none."""
        return self.observed.snapshot.nodes.get(node_id) if self.observed else None

    def node(self, cluster_id: str, node_id: str) -> NodeView:
        """One node."""
        known = self.known(node_id)
        if known is None:
            return NodeView(cluster_id, node_id, AvailabilityState.UNKNOWN, None, None, ())
        to_come = tuple(block for block in known.reservations if block.end > self.as_of)
        state, until = known.state_at(self.as_of), known.until(self.as_of)
        return NodeView(cluster_id, node_id, state, until, known.maintenance, to_come)

    def nodes(self) -> list[NodeView]:
        """All of them."""
        return [self.node(*each) for each in self.roster.nodes]

    def changed_nodes(self, before: "SiteView") -> list[NodeView]:
        """Those that were told otherwise in `before`, a view of the same nodes."""
        changed = []
        earlier, later = sorted((before.as_of, self.as_of))
        for cluster_id, node_id in self.roster.nodes:
            known = self.known(node_id)
            # Most nodes are what they were, and time has changed nothing about them.
            if known is before.known(node_id) and not (
                known and (bound := known.next_bound(earlier)) and bound <= later
            ):
                continue
            if (now := self.node(cluster_id, node_id)) != before.node(cluster_id, node_id):
                changed.append(now)
        return changed

    def follows_on(self, before: "SiteView") -> bool:
        """Whether telling what changed since `before` leads here, and nowhere back."""
        if before.roster is not self.roster and before.roster.nodes != self.roster.nodes:
            return False
        if before.observed is None or before.observed is self.observed:
            return True
        return self.generation is not None and self.generation > before.observed.snapshot.generation

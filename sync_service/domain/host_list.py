"""The host list that a site's polls are judged by: read seldom, since reading it costs the site seconds of work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from shared.availability import SiteAvailability
from sync_service.domain.judgement import Host


@dataclass(frozen=True, slots=True)
class HostList:
    """A host list that is believed, until it is due again.

    Attributes:
        observed_at: When the poll that read it began, in whichever replica.
        read_at: The same by this process's monotonic clock, in seconds.
        known: Ids that need no new list: those that it holds, and those that were allocated and not in it.
    """

    rows: Sequence[Host]
    observed_at: datetime
    read_at: float
    known: frozenset[str]

    @classmethod
    def read(cls, rows: Sequence[Host], allocated: frozenset[str], *, observed_at: datetime, read_at: float) -> Self:
        """A list that was just read; an id that it does not explain must not have it read again at every poll."""
        known = allocated.union(row.resource_id for row in rows if row.resource_id is not None)
        return cls(rows, observed_at, read_at, known)

    def due(self, allocated: frozenset[str], *, now: float, interval: timedelta) -> bool:
        """Whether it is too old, or an allocation names a host that it does not know."""
        return now - self.read_at >= interval.total_seconds() or not allocated <= self.known

    def overtaken_by(self, published: SiteAvailability) -> bool:
        """Whether another replica has read and published a newer list."""
        return published.hosts_observed_at > self.observed_at

    def corrected_by(self, published: SiteAvailability, *, read_at: float) -> Self | None:
        """What a newer list must have said, as far as the snapshot made of it tells; None if it has to be read.

        So replicas that share a site need one list an interval together, and none of them takes back what another
        has published: a node in maintenance would look free again.

        Args:
            published: Made of a newer list than this.
            read_at: When that one was read, by our clock.
        """
        ours = {row.node_id for row in self.rows}
        if not published.nodes.keys() <= ours:
            return None  # a new host, whose id in the allocations the snapshot does not tell
        rows = tuple(_corrected(row, published) for row in self.rows if row.node_id in published.nodes)
        return replace(self, rows=rows, observed_at=published.hosts_observed_at, read_at=read_at)


def _corrected(row: Host, published: SiteAvailability) -> Host:
    assert row.node_id is not None  # noqa: S101 - it is one of the snapshot's
    node = published.nodes[row.node_id]
    # Why the node was unreadable is not told: perhaps for a booking of that moment, perhaps as it was deleted.
    return replace(row, maintenance=node.maintenance, unreadable=row.unreadable or node.unreadable)

"""What is known of every site: an informer's store. Single-threaded; each site is replaced whole or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from shared.availability import Interval, NodeAvailability, SiteAvailability, SiteFlavors, Snapshot, is_late
from shared.topology import Subject, Topic, topic_of


@dataclass(frozen=True, slots=True)
class Observed[S: (SiteAvailability, SiteFlavors)]:
    """A site's newest snapshot and its age.

    Attributes:
        last_updated: The earlier of when it was observed and when it was received; it never goes back.
    """

    snapshot: S
    last_updated: datetime
    received_at: datetime

    def stale_at(self, moment: datetime) -> bool:
        """Whether the data is older than three of the site's poll intervals."""
        return moment >= self.snapshot.stale_from(self.last_updated)


type ObservedSite = Observed[SiteAvailability]
type ObservedFlavors = Observed[SiteFlavors]


class AvailabilityMap:
    """The newest snapshot of every topic that has one.

    Attributes:
        revision: How often anything was taken or dropped: while it is the same, so is all that is known.
        changed_at: When anything was taken last; None before the first.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.changed_at: datetime | None = None
        self._sites: dict[str, ObservedSite] = {}
        self._flavors: dict[str, ObservedFlavors] = {}
        self._current: dict[Topic, int] = {}

    @property
    def sites(self) -> Mapping[str, ObservedSite]:
        """What is known of every synced site, by site id."""
        return MappingProxyType(self._sites)

    @property
    def flavors(self) -> Mapping[str, ObservedFlavors]:
        """What is known of the flavors of every site that publishes them, by site id."""
        return MappingProxyType(self._flavors)

    def copied(self) -> "AvailabilityMap":
        """What is known now, for another thread to read while this one goes on."""
        copy = AvailabilityMap()
        copy._sites, copy._flavors, copy._current = self._sites.copy(), self._flavors.copy(), self._current.copy()
        return copy

    def has_synced(self, topic: Topic) -> bool:
        """Whether anything is known of `topic`."""
        return topic.site_id in (self._sites if topic.subject is Subject.SITE else self._flavors)

    def generation(self, topic: Topic) -> int | None:
        """The generation that fences older ones; None before the first, and after `forget_generation`."""
        return self._current.get(topic)

    def replace(self, snapshot: Snapshot, *, received_at: datetime) -> bool:
        """Takes `snapshot` as the whole truth about its site, unless it is late. Says whether it was taken."""
        topic = topic_of(snapshot)
        if is_late(snapshot.generation, snapshot.follows, current=self._current.get(topic)):
            return False
        # A writer's clock may run ahead of ours: nothing is younger than its receipt.
        last_updated = min(snapshot.observed_at, received_at)
        known = (self._sites if topic.subject is Subject.SITE else self._flavors).get(topic.site_id)
        if known and last_updated < known.last_updated:
            if topic not in self._current:
                # A reborn log may come from a backup, or from a writer whose clock is behind: what is known is newer.
                return False
            last_updated = known.last_updated
        if isinstance(snapshot, SiteAvailability):
            self._sites[snapshot.site_id] = Observed(snapshot, last_updated, received_at)
        else:
            self._flavors[snapshot.site_id] = Observed(snapshot, last_updated, received_at)
        self._current[topic] = snapshot.generation
        self.revision += 1
        self.changed_at = received_at
        return True

    def forget_generation(self, topic: Topic) -> None:
        """For a stream that was wiped and reborn: the next message, if not older, is taken whatever its generation."""
        self._current.pop(topic, None)

    def drop(self, topic: Topic) -> None:
        """For a site that is in no inventory and no setting any more."""
        self.revision += 1
        self._current.pop(topic, None)
        (self._sites if topic.subject is Subject.SITE else self._flavors).pop(topic.site_id, None)

    def is_stale(self, site_id: str, moment: datetime) -> bool:
        """Whether the data of a site is stale; that of a site never synced always is."""
        site = self._sites.get(site_id)
        return site is None or site.stale_at(moment)

    def node(self, site_id: str, node_id: str) -> NodeAvailability | None:
        """What is known of a node; None if its site was never synced or Blazar does not list it."""
        site = self._sites.get(site_id)
        return site.snapshot.nodes.get(node_id) if site else None


def clipped_segments(
    observed: ObservedFlavors, flavor_id: str, window: Interval
) -> tuple[tuple[Interval, int, int], ...] | None:
    """A flavor's capacity inside `window`: (during, available, total) each; None if it is not published."""
    segments = observed.snapshot.flavors.get(flavor_id)
    if segments is None:
        return None
    clipped = ((each.during.clipped_to(window), each) for each in segments)
    return tuple((during, each.available, each.total) for during, each in clipped if during)

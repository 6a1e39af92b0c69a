"""What is told of every site now, and what of each was told lately: the present of the live feed."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from api_service.domain.availability_map import AvailabilityMap, ObservedSite
from api_service.domain.inventory import InventoryStore
from api_service.domain.site_view import EPOCH, MILLISECOND, NEVER, Position, Roster, SiteView

REMEMBERED: Final = 10
"""Snapshots of each site by which a client that comes back is told what it missed."""


class LiveMap:
    """A view of each site of the inventory, replaced when a poll, an inventory or time makes it another.

    Single-threaded. Nothing changes but in `advance`.

    Attributes:
        inventory: What `sites` were seen through.
    """

    def __init__(self, store: InventoryStore, availability: AvailabilityMap, clock: Callable[[], datetime]) -> None:
        self._store, self._availability, self._clock = store, availability, clock
        self.inventory = store.current
        self._rosters: dict[str, Roster] = {}
        self._sites: dict[str, SiteView] = {}
        self._history: dict[str, deque[ObservedSite]] = {}
        self._enrol()

    @property
    def sites(self) -> Mapping[str, SiteView]:
        """By site id, sorted."""
        return MappingProxyType(self._sites)

    def now(self) -> datetime:
        """In whole milliseconds, as positions tell it."""
        return EPOCH + (self._clock() - EPOCH) // MILLISECOND * MILLISECOND

    def advance(self) -> datetime:
        """Brings the views up to date. Says until when they are good if nothing new is learnt."""
        now = self.now()
        if self.inventory is not self._store.current:
            self.inventory = self._store.current
            self._enrol()
        self._sites = {site_id: self._seen(roster, now) for site_id, roster in self._rosters.items()}
        return min((view.valid_until for view in self._sites.values()), default=NEVER)

    def recall(self, roster: Roster, position: Position) -> SiteView | None:
        """The view at `position`, of the nodes of `roster`; None if it is not remembered, or was of other nodes."""
        for observed in (None, *self._history.get(roster.site_id, ())):
            view = SiteView(roster, observed, position.as_of)
            if view.generation == position.generation and view.position == position:
                return view
        return None

    def _seen(self, roster: Roster, now: datetime) -> SiteView:
        observed, view = self._remembered(roster.site_id), self._sites.get(roster.site_id)
        if view is None:
            return SiteView(roster, observed, now)
        as_before = view.roster is roster and view.observed is observed
        return (
            view if as_before and view.as_of <= now < view.valid_until else SiteView(roster, observed, now).after(view)
        )

    def _enrol(self) -> None:
        rosters = (Roster.of(site) for site in self.inventory.sites.values())
        # One that is what it was stays the same object, so that its view does.
        self._rosters = {
            each.site_id: known if (known := self._rosters.get(each.site_id)) == each else each for each in rosters
        }
        for site_id in self._sites.keys() - self._rosters.keys():
            self._history.pop(site_id, None)

    def _remembered(self, site_id: str) -> ObservedSite | None:
        """The newest that is known of the site."""
        newest = self._availability.sites.get(site_id)
        history = self._history.setdefault(site_id, deque(maxlen=REMEMBERED))
        if newest and not (history and history[-1] is newest):
            history.append(newest)
        return newest

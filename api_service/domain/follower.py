"""One client of the live feed: what it has, what it is told next, and what it must not be told yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from api_service.domain.history import NoSuchVersionError
from api_service.domain.inventory import Inventory
from api_service.domain.live_map import LiveMap
from api_service.domain.resume_token import ResumeToken
from api_service.domain.site_view import NodeView, Position, SiteView

PATIENCE: Final = timedelta(seconds=60)
"""How long a replica that knows less than its client hopes to catch up before it says so."""

LONGEST_PATIENCE: Final = timedelta(minutes=5)
"""How old what the client has may become meanwhile, over however many connections: some are cut each minute."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sites and nodes a client asks for; None means all."""

    site_ids: frozenset[str] | None = None
    node_ids: frozenset[str] | None = None

    def of(self, view: SiteView) -> SiteView | None:
        """What is asked for of a site; None if it is another."""
        if self.site_ids is not None and view.site_id not in self.site_ids:
            return None
        return view if self.node_ids is None else view.only(self.node_ids)


@dataclass(frozen=True, slots=True)
class InventoryEvent:
    """The commit that is served, and all its sites; a client drops what it has of others."""

    version: str | None
    site_ids: tuple[str, ...]
    kind: Literal["inventory"] = "inventory"


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """What became of a site.

    Attributes:
        before: What the client has; None if it is to forget that, and take `after` whole.
        first: The first of its site since the client came: told even if nothing changed.
    """

    before: SiteView | None
    after: SiteView
    first: bool

    @property
    def kind(self) -> Literal["resync", "availability"]:
        """Whether it replaces what the client has, or changes it."""
        return "resync" if self.before is None else "availability"

    def nodes(self) -> list[NodeView]:
        """The nodes to tell."""
        return self.after.nodes() if self.before is None else self.after.changed_nodes(self.before)

    def told_otherwise(self) -> bool:
        """Whether what is told of the site itself is another."""
        return self.before is None or _told(self.before) != _told(self.after)


@dataclass(frozen=True, slots=True)
class BehindEvent:
    """A client knows more of a site than this replica, and has for `PATIENCE`: what it has may be old by now."""

    site_id: str
    kind: Literal["availability"] = "availability"


type Event = InventoryEvent | SiteEvent | BehindEvent


class Follower:
    """Tells a client what leads it from what it has to what there is; all that it missed in one step.

    It never leads it back: a site of which the client has seen more is held until this replica has caught up, or knows
    a poll that cannot have been seen yet and is of a lower generation: then the site's stream was wiped and reborn. A
    replica that knows nothing of the site says so when its patience is over.
    """

    def __init__(self, live: LiveMap, selection: Selection, seen: ResumeToken) -> None:
        self._live, self._selection = live, selection
        self._came = live.now()
        self._awaited_version = seen.version
        self._claims = dict(seen.positions)
        self._inventory: Inventory | None = None
        self._told: dict[str, SiteView] = {}
        self._looked_at: dict[str, SiteView] = {}
        self._said_behind: set[str] = set()

    @property
    def token(self) -> ResumeToken:
        """What the client has seen once it has the event that was given last."""
        version = self._inventory.version if self._inventory else self._awaited_version
        return ResumeToken(version, {site_id: view.position for site_id, view in self._told.items()} | self._claims)

    def events(self) -> Iterator[Event]:
        """What is to be told now, each to be sent before the next is asked for."""
        if self._awaits_commit():
            return
        inventory = self._live.inventory
        if inventory is not self._inventory:
            self._inventory = inventory
            self._forget_all_but(frozenset(inventory.sites))
            yield InventoryEvent(inventory.version, tuple(inventory.sites))
        for site_id in inventory.sites:
            if self._live.inventory is not inventory:
                return  # it was replaced while an event was sent, and is to be told before its sites
            view = self._live.sites[site_id]
            if view is not self._looked_at.get(site_id) and (event := self._of(view)):
                yield event

    def _of(self, view: SiteView) -> Event | None:
        selected, claim = self._selection.of(view), self._claims.get(view.site_id)
        if claim and selected and self._awaits(claim, selected):
            return self._behind(view.site_id, claim)
        self._looked_at[view.site_id] = view
        self._claims.pop(view.site_id, None)
        had = self._told.get(view.site_id)
        if selected is None or not (selected.roster.nodes or had or claim or self._selection.node_ids is None):
            return None
        self._told[view.site_id] = selected
        before = self._live.recall(selected.roster, claim) if claim else had
        if before and not selected.follows_on(before):
            before = None
        return SiteEvent(before, selected, first=had is None)

    def _awaits(self, claim: Position, view: SiteView) -> bool:
        if claim.generation is None or (view.generation is not None and view.generation >= claim.generation):
            return False
        if view.observed is None:
            return not self._is_patience_over(claim.as_of)
        # A poller's clock may run ahead of ours, by less than its interval.
        return view.observed.snapshot.observed_at <= self._came + view.observed.snapshot.poll_interval

    def _behind(self, site_id: str, claim: Position) -> BehindEvent | None:
        if site_id in self._said_behind or not self._is_patience_over(claim.as_of):
            return None
        self._said_behind.add(site_id)
        return BehindEvent(site_id)

    def _awaits_commit(self) -> bool:
        """Whether the client has seen a commit that is not served here yet; one that never comes was rewritten."""
        inventory, version = self._live.inventory, self._awaited_version
        if version is None or self._inventory is not None or not self._claims:
            return False
        if inventory.version is None or inventory.shallow:
            # Without git, or without all of its history, nothing says what is older.
            return False
        if self._is_patience_over(max(claim.as_of for claim in self._claims.values())):
            return False
        try:
            inventory.history.resolve(version)
        except NoSuchVersionError:
            return True
        return False

    def _is_patience_over(self, told_as_of: datetime) -> bool:
        now = self._live.now()
        # Clients may make up any moment: to the last one of the calendar nothing can be added.
        return not self._came <= now < self._came + PATIENCE or now - told_as_of >= LONGEST_PATIENCE

    def _forget_all_but(self, site_ids: frozenset[str]) -> None:
        for known in (self._told, self._looked_at, self._claims):
            for site_id in known.keys() - site_ids:
                del known[site_id]


def _told(view: SiteView) -> tuple[int | None, datetime | None, bool]:
    return view.generation, view.last_updated, view.stale

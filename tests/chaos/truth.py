"""What is really so at the sites, and since when: what every answer is held to."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from deploy.local.openstack.cloud import BreakableSite
from deploy.local.openstack.site import Lease
from shared.availability import utc_now

NODES = ("twin-a", "twin-b", "n1", "n2", "n3", "n4")
TWINS = NODES[:2]
"""Of these one is booked and the other is free at any time, so that half of one poll and half of another show."""

LEASE = timedelta(hours=1)


class Why(StrEnum):
    """Why a node is not free."""

    BOOKED = "reserved"
    MAINTENANCE = "maintenance"
    REMOVED = "unknown"


@dataclass(slots=True)
class Spell:
    """A time in which a node was not free: certainly from `since` on, and certainly until `until`."""

    why: Why
    since: datetime
    until: datetime | None = None

    def covers(self, start: datetime, end: datetime) -> bool:
        return self.since <= start and (self.until is None or end <= self.until)


@dataclass
class SiteTruth:
    """One simulated site, which only this changes."""

    site: BreakableSite
    random: Random
    spells: dict[str, list[Spell]] = field(default_factory=lambda: defaultdict(list))
    leases: dict[str, str] = field(default_factory=dict)
    polled: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        for node in NODES:
            self.site.add_host(node)
        self._book(TWINS[0])
        answer = self.site.leases_by_host

        def noted() -> Mapping[str, list[Lease]]:
            self.polled.append(utc_now())
            return answer()

        self.site.leases_by_host = noted  # type: ignore[method-assign]

    def step(self) -> None:
        """One change: the twins change places, or a node becomes free or not."""
        if self.random.random() < 0.3:
            booked, free = sorted(TWINS, key=lambda twin: twin not in self.leases)
            self._free(booked)
            self._book(free)
            return
        node = self.random.choice(NODES[2:])
        why = self.state(node)
        if why is None:
            self.random.choice((self._book, self._book, self._take_out, self._remove))(node)
        else:
            self._free(node)

    def state(self, node: str) -> Why | None:
        """None if it is free."""
        spells = self.spells[node]
        return spells[-1].why if spells and spells[-1].until is None else None

    def was_not_free(self, node: str, last_updated: datetime, answered: datetime, hosts_age: timedelta) -> Spell | None:
        """What an answer that calls `node` free, as of `last_updated`, should have known."""
        for spell in self.spells[node]:
            known = last_updated if spell.why is Why.BOOKED else last_updated - hosts_age
            if spell.covers(known, answered):
                return spell
        return None

    def _book(self, node: str) -> None:
        now = self.site.now()
        self.leases[node] = self.site.add_lease(node, now - timedelta(minutes=1), now + LEASE)
        self._begin(node, Why.BOOKED)

    def _take_out(self, node: str) -> None:
        self.site.update_host(node, reservable=False)
        self._begin(node, Why.MAINTENANCE)

    def _remove(self, node: str) -> None:
        self.site.remove_host(node)
        self._begin(node, Why.REMOVED)

    def _begin(self, node: str, why: Why) -> None:
        self.spells[node].append(Spell(why, utc_now()))

    def _free(self, node: str) -> None:
        spell = self.spells[node][-1]
        spell.until = utc_now()
        match spell.why:
            case Why.BOOKED:
                self.site.remove_lease(self.leases.pop(node))
            case Why.MAINTENANCE:
                self.site.update_host(node, reservable=True)
            case Why.REMOVED:
                self.site.add_host(node)

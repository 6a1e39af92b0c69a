"""Sites of one size, and what polls of them find; the same in every process that is told the same numbers."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.availability import Interval, NodeAvailability, SiteAvailability, utc_now
from tests.bench.world import BOOKINGS, MINUTE, Document, Place, World
from tests.inventories import node_document

CLUSTER: Final = "main"


def fleet(sites: int, nodes: int) -> World:
    """So many sites with so many nodes each, in one cluster; of the hardware little is told."""
    documents: dict[Place, Document] = {}
    for number, site_id in enumerate(site_ids(sites)):
        chance = random.Random(number)
        for _ in range(nodes):
            uid = str(UUID(int=chance.getrandbits(128), version=4))
            documents[Place(site_id, CLUSTER, uid)] = node_document(uid)
    return World(sites * nodes, documents, {site_id: {"uid": site_id, "type": "site"} for site_id in site_ids(sites)})


def site_ids(sites: int) -> list[str]:
    return [f"site{number:03}" for number in range(sites)]


class Polls:
    """What each poll of a site finds: one node, or as many as are asked for, booked anew. Ten bookings a node.

    Generations are another for each poll, whatever its site.
    """

    def __init__(self, world: World) -> None:
        self.uids = {site_id: [place.uid for place in world.places(site_id)] for site_id in world.sites}
        self._now = utc_now().replace(second=0, microsecond=0)
        self._generation = int(utc_now().timestamp() * 1000)
        self.newest = {site_id: self._first(site_id, uids) for site_id, uids in self.uids.items()}

    def next(self, site_id: str, changed: Iterable[str]) -> SiteAvailability:
        """The site as it is now, in which these nodes are booked anew."""
        before, now = self.newest[site_id], utc_now()
        self._generation += 1
        self.newest[site_id] = replace(
            before,
            generation=self._generation,
            follows=before.generation,
            observed_at=now,
            hosts_observed_at=now,
            nodes={**before.nodes, **{uid: self._booked(uid) for uid in changed}},
        )
        return self.newest[site_id]

    def _first(self, site_id: str, uids: Iterable[str]) -> SiteAvailability:
        now, nodes = utc_now(), {uid: self._booked(uid) for uid in uids}
        self._generation += 1
        return SiteAvailability(site_id, self._generation, None, now, now, MINUTE, nodes)

    def _booked(self, uid: str) -> NodeAvailability:
        chance = random.Random(f"{uid} {self._generation}")
        bookings, end = [], self._now - timedelta(days=chance.randrange(1, 4))
        for _ in range(BOOKINGS):
            start = end + MINUTE * chance.randrange(1, 14 * 1440)
            end = start + MINUTE * chance.randrange(60, 7 * 1440)
            bookings.append(Interval(start, end))
        return NodeAvailability(uid, tuple(bookings))

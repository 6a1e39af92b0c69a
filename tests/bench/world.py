"""A testbed of any size and what Blazar says of it: the same in every process that is told the same size and moment.

Standard library only: the naive service, which has an environment of its own, is made of it too.
"""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from shared.availability import Interval, NodeAvailability, SiteAvailability

SAMPLE: Final = Path(__file__).parents[1] / "data/chameleoncloud/sites"
GROUP: Final = 500
CLUSTERS: Final = (313, 187)
"""Of the nodes of a group so many are a cluster of one site, and the others of another."""
MOST_GROUPS_OF_SITES: Final = 10
RACK: Final = 40
BOOKINGS: Final = 10
MINUTE: Final = timedelta(minutes=1)

type Document = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a node is."""

    site_id: str
    cluster_id: str
    uid: str


@dataclass(frozen=True)
class World:
    """A testbed.

    Attributes:
        size: How many nodes it has.
        documents: What the file of each says.
        sites: What the file of each site says, by uid.
    """

    size: int
    documents: Mapping[Place, Document] = field(repr=False)
    sites: Mapping[str, Document] = field(repr=False)

    @classmethod
    def of(cls, size: int) -> "World":
        """Groups of 500 nodes; beyond ten groups there are more clusters, not more sites."""
        templates = [json.loads(path.read_bytes()) for path in sorted(SAMPLE.glob("*/clusters/*/nodes/*-*.json"))]
        documents = {}
        for number in range(size):
            place = _place(number)
            documents[place] = _node(place.uid, number, templates[number % len(templates)])
        about = json.loads((SAMPLE / "tacc/tacc.json").read_bytes())
        sites = sorted({place.site_id for place in documents})
        return cls(size, documents, {uid: about | {"uid": uid, "name": f"CHI@{uid.upper()}"} for uid in sites})

    def clusters(self, site_id: str) -> list[str]:
        """Of a site."""
        return sorted({place.cluster_id for place in self._by_site[site_id]})

    def places(self, site_id: str | None = None, cluster_id: str | None = None) -> list[Place]:
        """Of all nodes, of those of a site, or of a cluster, sorted by uid."""
        found = self.documents if site_id is None else self._by_site[site_id]
        return sorted((each for each in found if cluster_id in {None, each.cluster_id}), key=lambda each: each.uid)

    @cached_property
    def _by_site(self) -> Mapping[str, list[Place]]:
        found: dict[str, list[Place]] = {site_id: [] for site_id in self.sites}
        for place in self.documents:
            found[place.site_id].append(place)
        return found


def _place(number: int) -> Place:
    group, rest = divmod(number, GROUP)
    side = "a" if rest < CLUSTERS[0] else "b"
    uid = str(UUID(int=random.Random(number).getrandbits(128), version=4))
    return Place(f"site{group % MOST_GROUPS_OF_SITES}{side}", f"cluster{group // MOST_GROUPS_OF_SITES}", uid)


def _node(uid: str, number: int, template: Document) -> Document:
    """Like a real one, with what no two have in common."""
    rack, unit = divmod(number, RACK)
    node: Document = json.loads(json.dumps(template)) | {"uid": uid, "node_name": f"c{rack:02}-{unit:02}"}
    node["placement"] = {"rack": str(rack + 1), "node": str(unit)}
    node["chassis"] = {**node.get("chassis", {}), "serial": f"SN{number:07}"}
    for port, adapter in enumerate(node.get("network_adapters", ())):
        adapter["mac"] = f"02:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:{port:02x}"
    return node


@dataclass
class Bookings:
    """What polls of every site find: each time, at each site, one node is booked anew.

    Attributes:
        began: To which all bookings relate; aware, a whole minute.
        snapshots: The newest, by site.
    """

    world: World
    began: datetime
    snapshots: dict[str, SiteAvailability] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._uids = {site_id: [place.uid for place in self.world.places(site_id)] for site_id in self.world.sites}
        for site_id, uids in self._uids.items():
            nodes = {uid: self._booked(uid, 1) for uid in uids}
            self.snapshots[site_id] = SiteAvailability(site_id, 1, None, self.began, self.began, MINUTE, nodes)

    def poll(self, moment: datetime) -> Iterator[SiteAvailability]:
        """Every site as it is at `moment`."""
        for site_id, before in list(self.snapshots.items()):
            generation = before.generation + 1
            uid = random.Random(generation).choice(self._uids[site_id])
            self.snapshots[site_id] = replace(
                before,
                generation=generation,
                follows=before.generation,
                observed_at=moment,
                hosts_observed_at=moment,
                nodes={**before.nodes, uid: self._booked(uid, generation)},
            )
        yield from self.snapshots.values()

    def _booked(self, uid: str, generation: int) -> NodeAvailability:
        """Ten bookings of an hour to a week, a third of the nodes booked now; a few nodes are in maintenance."""
        chance = random.Random(f"{uid} {generation}")
        bookings, end = [], self.began - timedelta(days=chance.randrange(1, 4))
        for _ in range(BOOKINGS):
            start = end + MINUTE * chance.randrange(1, 14 * 1440)
            end = start + MINUTE * chance.randrange(60, 7 * 1440)
            bookings.append(Interval(start, end))
        return NodeAvailability(uid, tuple(bookings), maintenance=chance.random() < 1 / 50)

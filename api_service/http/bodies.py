"""Bodies as bytes: those of one snapshot of the inventory, each built once and joined per request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Final

import orjson

from api_service.domain.inventory import Cluster, Flavor, Inventory, Node, Site, Written
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import FILTERED
from api_service.http.links import LinkList, Links, quoted, with_pages
from api_service.http.queries import PageQuery
from api_service.http.ready import Keep, Ready
from shared.availability import utc_now

OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
DEFAULT_QUEUES: Final = ("admin", "default")
PARENTS: Final = {
    "sites": "root",
    "clusters": "site",
    "nodes": "cluster",
    "flavors": "site",
    "network_equipments": "root",
    "site.network_equipments": "site",
}
"""What each collection belongs to, by the names of their routes."""
WHOLE: Final = PageQuery()
MOST_NODES_TWICE: Final = 10_000
"""Of a larger inventory nodes are kept as bytes once, not in the lists of their clusters too: 2 kB each."""
NO_UID: Final = "\0"
"""Stands for a node's uid, in which it cannot be, where links are made for all nodes of a cluster at once."""


def dumps(value: object) -> bytes:
    """JSON; times in UTC with `Z`."""
    return orjson.dumps(value, option=OPTIONS)


class Bodies:
    """The JSON of one snapshot; but for nodes, each resource is made when it is first asked for, and kept.

    Attributes:
        inventory: The snapshot.
        links: Those of its resources.
        modified: When it was committed; without git, when this was made.
    """

    def __init__(self, inventory: Inventory, links: Links, *, lasting: bool = False) -> None:
        """Makes nothing yet.

        Args:
            inventory: As above.
            links: As above.
            lasting: Whether compressed forms are kept too. Nobody counts what they take in memory.
        """
        self.inventory = inventory
        self.links = links
        self.modified = inventory.committed_at or utc_now()
        self._lasting = lasting
        self._is_large = sum(1 for _ in inventory.nodes()) > MOST_NODES_TWICE
        self._kept: dict[tuple[str, ...], Ready] = {}
        self._kept_parts: dict[tuple[str, ...], orjson.Fragment] = {}
        self._endings: dict[tuple[str, str], list[bytes]] = {}

    @cached_property
    def index(self) -> NodeIndex:
        """The nodes by the values of their fields; to be asked for only where the snapshot stays."""
        return NodeIndex(self.inventory.nodes())

    def availability_links(self, node: Node) -> orjson.Fragment:
        """Those of the availability of a node of which something is known."""
        return self._keep_part("availability", node, lambda: self.links.node_availability(node, known=True))

    def planned_node(self, node: Node, *, stale: bool) -> orjson.Fragment:
        """A node that a plan names."""
        return self._keep_part(
            "planned and stale" if stale else "planned",
            node,
            lambda: {
                "node_id": node.uid,
                "cluster_id": node.cluster_id,
                "site_id": node.site_id,
                "stale": stale,
                "links": self.links.planned_node(node),
            },
        )

    def root(self) -> Ready:
        """The testbed itself."""

        def make() -> bytes:
            committed_at = self.inventory.committed_at
            timestamp = None if committed_at is None else str(int(committed_at.timestamp()))
            more = {"version": self.inventory.version, "links": self.links.root(self.inventory.version)}
            return dumps({**self.inventory.document, "timestamp": timestamp, **more})

        return self._keep(("root",), make)

    def site(self, site: Site) -> Ready:
        """One site."""
        key = ("site", site.uid)
        return self._keep(key, lambda: self._resource(site.written, self.links.site(site, self.inventory.version)))

    def cluster(self, cluster: Cluster) -> Ready:
        """One cluster."""

        def make() -> bytes:
            links = self.links.cluster(cluster, self.inventory.version)
            queues = {} if "queues" in cluster.written.document() else {"queues": DEFAULT_QUEUES}
            return self._resource(cluster.written, links, **queues)

        return self._keep(("cluster", cluster.site_id, cluster.uid), make)

    def node(self, node: Node) -> Ready:
        """One node; made anew each time."""
        return Ready(self.node_body(node), keep=Keep.WHILE_SERVED)

    def node_body(self, node: Node) -> bytes:
        """The same as bytes; takes about four microseconds."""
        place = node.site_id, node.cluster_id
        if (ending := self._endings.get(place)) is None:
            links = self.links.node(replace(node, uid=NO_UID), self.inventory.version)
            ending = self._endings[place] = self._ending(links).split(quoted(NO_UID).encode())
        return node.written.text[:-1] + quoted(node.uid).encode().join(ending)

    def flavor(self, flavor: Flavor) -> Ready:
        """One flavor."""
        key = ("flavor", flavor.site_id, flavor.uid)
        return self._keep(
            key, lambda: self._resource(flavor.written, self.links.flavor(flavor, self.inventory.version))
        )

    def index_filters(self) -> None:
        """The fields that filters of a search have names for; takes some microseconds a node."""
        self.index.prepare(FILTERED)

    def make_all(self) -> None:
        """Every resource and collection that is kept, and the forms of what is long."""
        self.root()
        self.collection("sites", self.inventory.sites, self.site)
        for site in self.inventory.sites.values():
            self.collection("clusters", site.clusters, self.cluster, site_id=site.uid)
            self.collection("flavors", site.flavors, self.flavor, site_id=site.uid)
            for each in () if self._is_large else site.clusters.values():
                self.collection("nodes", each.nodes, self.node, site_id=site.uid, cluster_id=each.uid)
        for ready in self._kept.values():
            ready.prepare()

    def part(
        self,
        items: Sequence[bytes],
        links: LinkList,
        query: PageQuery,
        asked: Sequence[tuple[str, str]],
        *,
        total: int,
    ) -> dict[str, object]:
        """The envelope around a part of a collection.

        Args:
            items: That part.
            links: Of the whole collection.
            query: Which part it is.
            asked: The query string as it was sent.
            total: How many items the whole collection has.
        """
        pages = with_pages(
            links,
            asked,
            offset=query.offset,
            limit=query.limit,
            total=total,
            continues=None if self.links.pinned_to else self.inventory.version,
        )
        return {
            "total": total,
            "offset": query.offset,
            "items": [orjson.Fragment(item) for item in items],
            "version": self.inventory.version,
            "links": pages,
        }

    def collection[R](
        self,
        name: str,
        members: Mapping[str, R],
        body_of: Callable[[R], Ready],
        query: PageQuery = WHOLE,
        asked: Sequence[tuple[str, str]] = (),
        **ids: str,
    ) -> Ready:
        """A collection of the inventory; kept when the whole of it is asked for, as clients do, and that is no more.

        It takes 7 ms to make one of 1000 nodes.

        Args:
            name: Of its route.
            members: All of it.
            body_of: Makes the JSON of one.
            query: Which part is asked for.
            asked: The query string as it was sent.
            ids: Where it is.
        """

        def make() -> bytes:
            # A folder that is not there has no version to link to.
            version = self.inventory.version if members else None
            links = self.links.collection(name, PARENTS[name], version, **ids)
            part = islice(members.values(), query.offset, query.offset + query.limit)
            items = [body_of(member).body for member in part]
            return dumps(self.part(items, links, query, asked, total=len(members)))

        if asked or (self._is_large and name == "nodes"):
            return Ready(make(), keep=Keep.WHILE_SERVED)
        return self._keep((name, *ids.values()), make)

    def _resource(self, written: Written, links: LinkList, **more: object) -> bytes:
        return written.text[:-1] + self._ending(links, **more)

    def _ending(self, links: LinkList, **more: object) -> bytes:
        return b"," + dumps({**more, "version": self.inventory.version, "links": links})[1:]

    def _keep_part(self, kind: str, node: Node, make: Callable[[], object]) -> orjson.Fragment:
        key = (kind, node.site_id, node.cluster_id, node.uid)
        if (kept := self._kept_parts.get(key)) is None:
            kept = self._kept_parts[key] = orjson.Fragment(dumps(make()))
        return kept

    def _keep(self, key: tuple[str, ...], make: Callable[[], bytes]) -> Ready:
        if (kept := self._kept.get(key)) is None:
            # A copy: what orjson makes holds on to several times the memory that it needs.
            body = bytes(memoryview(make()))
            kept = self._kept[key] = Ready(body, keep=Keep.WHILE_SERVED, lasting=self._lasting)
        return kept

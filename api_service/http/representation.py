"""Bodies as bytes: built once per snapshot of the inventory, joined per request."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import orjson
from aiohttp import web

from api_service.domain.inventory import (
    NODE_OWN_KEYS,
    OWN_KEYS,
    Cluster,
    Document,
    Flavor,
    Inventory,
    InventoryStore,
    Node,
    Site,
)
from api_service.domain.node_fields import selected
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import FILTERED
from api_service.http.links import LinkList, Links, with_pages
from api_service.http.queries import PageQuery

OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
DEFAULT_QUEUES: Final = ("admin", "default")


def dumps(value: object) -> bytes:
    """JSON; times in UTC with `Z`."""
    return orjson.dumps(value, option=OPTIONS)


def json_response(body: bytes) -> web.Response:
    """A good answer with a ready body."""
    return web.Response(body=body, content_type="application/json")


class Bodies:
    """The JSON of one snapshot, each resource made when it is first asked for and kept."""

    def __init__(self, inventory: Inventory, links: Links) -> None:
        self.inventory = inventory
        self.links = links
        self._kept: dict[tuple[str, ...], bytes] = {}

    @property
    def size(self) -> int:
        """Bytes of all that was made so far."""
        return sum(map(len, self._kept.values()))

    @cached_property
    def index(self) -> NodeIndex:
        """The nodes by the values of their fields; to be asked for only where the snapshot stays."""
        return NodeIndex(self.inventory.nodes())

    def root(self) -> bytes:
        """The testbed itself."""

        def make() -> bytes:
            committed_at = self.inventory.committed_at
            timestamp = None if committed_at is None else str(int(committed_at.timestamp()))
            links = self.links.root(self.inventory.version)
            return self._resource(self.inventory.document, links, timestamp=timestamp)

        return self._keep(("root",), make)

    def site(self, site: Site) -> bytes:
        """One site."""
        key = ("site", site.uid)
        return self._keep(key, lambda: self._resource(site.document, self.links.site(site, self.inventory.version)))

    def cluster(self, cluster: Cluster) -> bytes:
        """One cluster."""

        def make() -> bytes:
            links = self.links.cluster(cluster, self.inventory.version)
            queues = cluster.document.get("queues", DEFAULT_QUEUES)
            return self._resource(cluster.document, links, queues=queues)

        return self._keep(("cluster", cluster.site_id, cluster.uid), make)

    def node(self, node: Node) -> bytes:
        """One node."""

        def make() -> bytes:
            fields = _without(node.document, NODE_OWN_KEYS)
            return self._resource(fields, self.links.node(node, self.inventory.version))

        return self._keep(("node", node.site_id, node.cluster_id, node.uid), make)

    def flavor(self, flavor: Flavor) -> bytes:
        """One flavor."""
        key = ("flavor", flavor.site_id, flavor.uid)
        return self._keep(
            key, lambda: self._resource(flavor.document, self.links.flavor(flavor, self.inventory.version))
        )

    def make_all(self) -> None:
        """Every resource; takes a tenth of a millisecond a node."""
        self.root()
        for site in self.inventory.sites.values():
            self.site(site)
            for cluster in site.clusters.values():
                self.cluster(cluster)
            for flavor in site.flavors.values():
                self.flavor(flavor)
            for node in site.nodes():
                self.node(node)

    def index_filters(self) -> None:
        """The fields that filters of a search have names for; takes some microseconds a node."""
        for path in FILTERED:
            self.index.field(path)

    def found_node(self, node: Node, availability: Mapping[str, object]) -> bytes:
        """One node of a search: what it is, where, and `availability` as of now."""
        more = {"site_id": node.site_id, "cluster_id": node.cluster_id, **availability}
        return self.node(node)[:-1] + b"," + dumps(more)[1:]

    def selected_node(self, node: Node, names: Sequence[str], availability: Mapping[str, object]) -> bytes:
        """Of one node of a search what `names` select: fields of its file by dotted path, or what is told besides.

        Where it is, and its uid, are always told.
        """
        paths = [tuple(name.split(".")) for name in names]
        fields = selected(_without(node.document, NODE_OWN_KEYS), paths)
        told = {
            **availability,
            "version": self.inventory.version,
            "links": self.links.node(node, self.inventory.version),
        }
        where = {"uid": node.uid, "site_id": node.site_id, "cluster_id": node.cluster_id}
        return dumps(where | fields | {name: told[name] for name in told if name in names})

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
        return {
            "total": total,
            "offset": query.offset,
            "items": [orjson.Fragment(item) for item in items],
            "version": self.inventory.version,
            "links": with_pages(links, asked, offset=query.offset, limit=query.limit, total=total),
        }

    def collection[R](
        self,
        members: Sequence[R],
        body_of: Callable[[R], bytes],
        links: LinkList,
        query: PageQuery,
        asked: Sequence[tuple[str, str]],
    ) -> bytes:
        """A collection of the inventory; kept when the whole of it is asked for, as clients do.

        Args:
            members: All of it.
            body_of: Makes the JSON of one.
            links: Of the whole collection.
            query: Which part is asked for.
            asked: The query string as it was sent.
        """

        def make() -> bytes:
            items = [body_of(member) for member in members[query.offset : query.offset + query.limit]]
            return dumps(self.part(items, links, query, asked, total=len(members)))

        return make() if asked else self._keep(("collection", links[0]["href"]), make)

    def _resource(self, document: Document, links: LinkList, **more: object) -> bytes:
        return dumps(_without(document, OWN_KEYS) | more | {"version": self.inventory.version, "links": links})

    def _keep(self, key: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
        if (kept := self._kept.get(key)) is None:
            kept = self._kept[key] = make()
        return kept


def _without(document: Document, keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


class Representations:
    """The bodies of the snapshot that is being served."""

    def __init__(self, store: InventoryStore, links: Links) -> None:
        self._store = store
        self._links = links
        self._bodies = Bodies(store.current, links)
        self._prepared = self._bodies

    def prepare(self, inventory: Inventory) -> None:
        """Makes the bodies of what is about to be served; may be called in another thread."""
        bodies = Bodies(inventory, self._links)
        bodies.make_all()
        bodies.index_filters()
        self._prepared = bodies

    @property
    def current(self) -> Bodies:
        """To be asked for once per request: everything in one answer comes from one snapshot."""
        if self._bodies.inventory is not self._store.current:
            prepared = self._prepared.inventory is self._store.current
            self._bodies = self._prepared if prepared else Bodies(self._store.current, self._links)
        return self._bodies


REPRESENTATIONS: Final = web.AppKey("representations", Representations)


def bodies_of(request: web.Request) -> Bodies:
    """The bodies of the snapshot that is being served."""
    return request.app[REPRESENTATIONS].current

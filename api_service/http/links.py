"""Every URL that an answer holds; made from the names of the routes, so that nothing else spells one."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode

from aiohttp import web

from api_service.domain.inventory import Cluster, Flavor, Node, Site

type LinkList = list[dict[str, str]]

ENTRIES: Final = ("search", "docs", "ui", "openapi", "asyncapi", "status")
"""Entry points that the root links to, by the names of their routes, which are the links' rels too."""

DIFFS: Final = ("root.diff", "site.diff", "cluster.diff", "node.diff")
TIMELESS: Final = frozenset({*ENTRIES, *DIFFS}) - {"search"}
"""Routes that answer the same whatever commit is asked for: what differs names its commits itself."""
PLANS: Final = {
    "nodes-availability": "nodes.availability",
    "calendar": "calendar",
    "earliest": "earliest",
    "capacity": "capacity",
}
"""Routes that the filters of a search select the nodes of, by their rels."""
VERSIONS_PARENTS: Final = {"sites": "root", "site": "sites", "clusters": "site", "flavors": "site"}
"""What the versions of a resource have for parent where it is not the resource, by the names of their routes: what the
APIs before this one say."""
LASTING: Final = frozenset({"root", "sites"})
"""What is always there."""
PAGE: Final = frozenset({"offset", "limit", "continues"})
"""Parameters that say which part of a collection."""
_SAFE: Final = re.compile(r"[\w.~-]+", re.ASCII)
"""What stands in a URL as it is, as nearly all ids do."""


class Links:
    """Links of one application; `root_path` comes before every href, and after it the commit that it leads to.

    Attributes:
        pinned_to: That commit; None if they lead to the present.
    """

    def __init__(self, router: web.UrlDispatcher, root_path: str, *, version: str | None = None) -> None:
        self._router, self._root_path = router, root_path
        self.pinned_to = version
        self._last_pinned: Links | None = None
        self._pin = urlencode({"version": version}) if version else ""
        self._templates: dict[str, str] = {}
        for name, resource in router.named_resources().items():
            info = resource.get_info()
            self._templates[name] = root_path + (info.get("formatter") or info.get("path") or "")

    def pinned(self, version: str) -> "Links":
        """The same, but to what there was at the commit `version`; of availability there is only the present."""
        return Links(self._router, self._root_path, version=version)

    def href(self, name: str, **ids: str) -> str:
        """The URL of the route `name`."""
        found = self._templates[name].format_map({key: quoted(value) for key, value in ids.items()})
        return f"{found}?{self._pin}" if self._pin and name not in TIMELESS else found

    def root(self, version: str | None) -> LinkList:
        """Of `/`."""
        return [
            *self._links(self="root", parent="root", sites="sites"),
            *self._versions("root", version),
            *self._links(**{name: name for name in ENTRIES}),
            *self._plans(()),
            *self._events(),
        ]

    def site(self, site: Site, version: str | None) -> LinkList:
        """Of a site."""
        ids = {"site_id": site.uid}
        return [
            *self._links(ids, self="site", parent="root", clusters="clusters", flavors="flavors"),
            *self._versions("site", version, **ids),
            *self._availability("site", ids),
            *self._present(ids, status="site.status"),
            *self._plans([("site_id", site.uid)]),
            *self._events(site_id=site.uid),
        ]

    def cluster(self, cluster: Cluster, version: str | None) -> LinkList:
        """Of a cluster."""
        ids = {"site_id": cluster.site_id, "cluster_id": cluster.uid}
        return [
            *self._links(ids, self="cluster", parent="site", nodes="nodes"),
            *self._versions("cluster", version, **ids),
            *self._present(ids, status="cluster.status"),
        ]

    def node(self, node: Node, version: str | None) -> LinkList:
        """Of a node."""
        ids = {"site_id": node.site_id, "cluster_id": node.cluster_id, "node_id": node.uid}
        return [
            *self._links(ids, self="node", parent="cluster"),
            *self._versions("node", version, **ids),
            *self._availability("node", ids),
        ]

    def flavor(self, flavor: Flavor, version: str | None) -> LinkList:
        """Of a flavor."""
        ids = {"site_id": flavor.site_id, "flavor_id": flavor.uid}
        return [
            *self._links(ids, self="flavor", parent="site"),
            *self._versions("flavor", version, **ids),
            *self._availability("flavor", ids),
        ]

    def availability(self, name: str, parent: str, **ids: str) -> LinkList:
        """Of the availability of `parent`."""
        found = self._links(ids, self=name, parent=parent)
        return [*found, *self._events(**ids)] if name == "site.availability" else found

    def version(self, name: str, version: str, before: str | None, *, last: str | None = None, **ids: str) -> LinkList:
        """Of a version of the resource `name`.

        Args:
            name: Of the resource's route.
            version: The version.
            before: The one before it, for what differs; None if there is none.
            last: The version that had the resource last; None if it is there.
            ids: The resource's.
        """
        found = [
            {"rel": "self", "href": self.href(f"{name}.version", version=version, **ids)},
            {"rel": "parent", "href": self._as_of(last).href(name, **ids)},
        ]
        if before is not None and f"{name}.diff" in DIFFS:
            found.append({"rel": "diff", "href": self.href(f"{name}.diff", version=before, other=version, **ids)})
        return found

    def only_node(self, node: Node) -> LinkList:
        """Where a node is, without what belongs to it."""
        return self._links({"site_id": node.site_id, "cluster_id": node.cluster_id, "node_id": node.uid}, self="node")

    def differences(self, name: str, before: str, after: str, **ids: str) -> LinkList:
        """Of what differs in the resource `name` between two versions."""
        return [
            {"rel": "self", "href": self.href(f"{name}.diff", version=before, other=after, **ids)},
            {"rel": "parent", "href": self.href(f"{name}.versions", **ids)},
        ]

    def collection(self, name: str, parent: str, version: str | None, **ids: str) -> LinkList:
        """Of a collection of the inventory; `with_pages` adds where its other parts are."""
        # What no file is of has no versions.
        versions = self._versions(name, version, **ids) if f"{name}.versions" in self._templates else []
        return [*self._links(ids, self=name, parent=parent), *versions]

    def versions(self, name: str, *, last: str | None = None, **ids: str) -> LinkList:
        """Of the versions of the resource `name`; `last` as for `version`."""
        parent = VERSIONS_PARENTS.get(name, name)
        found = [
            {"rel": "self", "href": self.href(f"{name}.versions", **ids)},
            {"rel": "parent", "href": (self if parent in LASTING else self._as_of(last)).href(parent, **ids)},
        ]
        return [*found, {"rel": "latest-version", "href": self._as_of(last).href(name, **ids)}] if last else found

    def search(self, filters: Sequence[tuple[str, str]]) -> LinkList:
        """Of a search, with the plans for the nodes that `filters` select."""
        return [*self._links(self="search", parent="root"), *self._plans(filters)]

    def plan(self, name: str, query: Sequence[tuple[str, str]] = ()) -> LinkList:
        """Of a plan, as it was asked for."""
        asked = f"?{urlencode(query)}" if query else ""
        return [{"rel": "self", "href": self.href(name) + asked}, *self._links(parent="root")]

    def nodes_availability(self, asked: Sequence[tuple[str, str]]) -> LinkList:
        """Of all that the availability of nodes tells, and the calendar of what was asked for, but for its page."""
        kept = [(key, value) for key, value in asked if key not in PAGE]
        calendar = self.href("calendar") + (f"?{urlencode(kept)}" if kept else "")
        return [*self._links(self="nodes.availability", parent="root"), {"rel": "calendar", "href": calendar}]

    def planned_node(self, node: Node) -> LinkList:
        """Of a node that a plan names."""
        ids = {"site_id": node.site_id, "cluster_id": node.cluster_id, "node_id": node.uid}
        return self._links(ids, self="node", availability="node.availability")

    def node_availability(self, node: Node, *, known: bool) -> LinkList:
        """Of the availability of a node; where it is not known there is none to lead to, but a calendar."""
        ids = {"site_id": node.site_id, "cluster_id": node.cluster_id, "node_id": node.uid}
        own = {"self": "node.availability"} if known else {}
        found = self._links(ids, **own, parent="node", calendar="node.calendar")
        return [*found, *self._events(site_id=node.site_id, node_id=node.uid)]

    def _as_of(self, version: str | None) -> "Links":
        if version is None:
            return self
        # A list has thousands of links to the same. Other threads may ask for another meanwhile.
        pinned = self._last_pinned
        if pinned is None or pinned.pinned_to != version:
            self._last_pinned = pinned = self.pinned(version)
        return pinned

    def _plans(self, filters: Sequence[tuple[str, str]]) -> LinkList:
        if self._pin:
            return []
        query = f"?{urlencode(filters)}" if filters else ""
        return [{"rel": rel, "href": self.href(name) + query} for rel, name in PLANS.items()]

    def _events(self, **filters: str) -> LinkList:
        query = f"?{urlencode(filters)}" if filters else ""
        return [] if self._pin else [{"rel": "events", "href": self.href("events") + query}]

    def _availability(self, name: str, ids: dict[str, str]) -> LinkList:
        return self._present(ids, availability=f"{name}.availability")

    def _present(self, ids: dict[str, str], /, **names: str) -> LinkList:
        return [] if self._pin else self._links(ids, **names)

    def _versions(self, name: str, version: str | None, **ids: str) -> LinkList:
        found = [{"rel": "versions", "href": self.href(f"{name}.versions", **ids)}]
        if version is not None:
            found.append({"rel": "version", "href": self.href(f"{name}.version", version=version, **ids)})
        return found

    def _links(self, ids: dict[str, str] | None = None, /, **names: str) -> LinkList:
        return [{"rel": rel, "href": self.href(name, **(ids or {}))} for rel, name in names.items()]


@lru_cache(maxsize=1024)
def quoted(uid: str) -> str:
    """An id as it stands in a URL; a node has its ids in many links, one after the other."""
    return uid if _SAFE.fullmatch(uid) else quote(uid, safe="")


def with_pages(
    links: LinkList,
    query: Sequence[tuple[str, str]],
    *,
    offset: int,
    limit: int,
    total: int,
    continues: str | None = None,
) -> LinkList:
    """`links` of a collection, the first of which is `self`, for the part that was asked for.

    Args:
        links: Links of the whole collection.
        query: The query string as it was sent, but for the commit it asks for; `self`, `next` and `prev` are made
            from it.
        offset: The first item of this part.
        limit: How many items it may hold.
        total: How many items there are.
        continues: The commit of this part, for the other parts to be of the same; None if `links` lead to it already,
            or if there is none.
    """
    bare = links[0]["href"]
    kept = [(key, value) for key, value in query if key not in PAGE]

    def asked(more: Sequence[tuple[str, str]]) -> str:
        # What leads to a commit asks for it already.
        return f"{bare}{'&' if '?' in bare else '?'}{urlencode(more)}" if more else bare

    def part(rel: str, start: int, most: int) -> dict[str, str]:
        place = [("offset", str(start)), ("limit", str(most)), *([("continues", continues)] if continues else [])]
        return {"rel": rel, "href": asked([*kept, *place])}

    found = [{"rel": "self", "href": asked(query)}, *links[1:]]
    if offset + limit < total:
        found.append(part("next", offset + limit, limit))
    if offset > 0:
        # No item of this part again.
        end = min(offset, total)
        start = max(0, end - limit)
        found.append(part("prev", start, max(1, end - start)))
    return found

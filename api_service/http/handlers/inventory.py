"""The testbed, its sites, clusters, nodes and flavors."""

from collections.abc import Callable, Mapping

from aiohttp import web

from api_service.http.openapi import documented
from api_service.http.queries import PageQuery
from api_service.http.representation import Bodies, bodies_of, json_response
from api_service.http.requests import ids_of, query_as
from api_service.http.schemas import ClusterBody, FlavorBody, NodeBody, Page, RootBody, SiteBody


@documented(returns=RootBody, tag="inventory")
async def get_root(request: web.Request) -> web.Response:
    """The testbed, with links to all that this service has."""
    return json_response(bodies_of(request).root())


@documented(returns=Page[SiteBody], query=PageQuery, tag="inventory")
async def list_sites(request: web.Request) -> web.Response:
    """All sites."""
    bodies = bodies_of(request)
    return _collection(request, bodies, bodies.inventory.sites, bodies.site, name="sites", parent="root")


@documented(returns=SiteBody, tag="inventory")
async def get_site(request: web.Request) -> web.Response:
    """One site."""
    bodies = bodies_of(request)
    return json_response(bodies.site(bodies.inventory.site(**ids_of(request))))


@documented(returns=Page[ClusterBody], query=PageQuery, tag="inventory")
async def list_clusters(request: web.Request) -> web.Response:
    """All clusters of a site."""
    bodies = bodies_of(request)
    site = bodies.inventory.site(**ids_of(request))
    return _collection(request, bodies, site.clusters, bodies.cluster, name="clusters", parent="site")


@documented(returns=ClusterBody, tag="inventory")
async def get_cluster(request: web.Request) -> web.Response:
    """One cluster."""
    bodies = bodies_of(request)
    return json_response(bodies.cluster(bodies.inventory.cluster(**ids_of(request))))


@documented(returns=Page[NodeBody], query=PageQuery, tag="inventory")
async def list_nodes(request: web.Request) -> web.Response:
    """All nodes of a cluster; without a query all of them, up to 5000."""
    bodies = bodies_of(request)
    cluster = bodies.inventory.cluster(**ids_of(request))
    return _collection(request, bodies, cluster.nodes, bodies.node, name="nodes", parent="cluster")


@documented(returns=NodeBody, tag="inventory")
async def get_node(request: web.Request) -> web.Response:
    """One node: the fields of its file as they are."""
    bodies = bodies_of(request)
    return json_response(bodies.node(bodies.inventory.node(**ids_of(request))))


@documented(returns=Page[FlavorBody], query=PageQuery, tag="inventory")
async def list_flavors(request: web.Request) -> web.Response:
    """All flavors of a site."""
    bodies = bodies_of(request)
    site = bodies.inventory.site(**ids_of(request))
    return _collection(request, bodies, site.flavors, bodies.flavor, name="flavors", parent="site")


@documented(returns=FlavorBody, tag="inventory")
async def get_flavor(request: web.Request) -> web.Response:
    """One flavor."""
    bodies = bodies_of(request)
    return json_response(bodies.flavor(bodies.inventory.flavor(**ids_of(request))))


def _collection[R](
    request: web.Request,
    bodies: Bodies,
    members: Mapping[str, R],
    body_of: Callable[[R], bytes],
    *,
    name: str,
    parent: str,
) -> web.Response:
    query = query_as(PageQuery, request)
    # A folder that is not there has no version to link to.
    version = bodies.inventory.version if members else None
    links = bodies.links.collection(name, parent, version, **ids_of(request))
    asked = list(request.query.items())
    return json_response(bodies.collection(tuple(members.values()), body_of, links, query, asked))

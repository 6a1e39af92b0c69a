"""The testbed, its sites, clusters, nodes and flavors."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aiohttp import web

from api_service.http.bodies import Bodies
from api_service.http.openapi import documented
from api_service.http.queries import CollectionQuery, TravelQuery
from api_service.http.ready import Ready
from api_service.http.requests import answer, asked_of, bodies_at, ids_of, query_as, route_name
from api_service.http.schemas import ClusterBody, FlavorBody, NodeBody, Page, RootBody, SiteBody

LONG_LIST: Final = 1000
"""Items whose list is made in a thread if it has more: each takes seven microseconds."""


@documented(returns=RootBody, query=TravelQuery, tag="inventory")
async def get_root(request: web.Request) -> web.Response:
    """The testbed, with links to all that this service has."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    return answer(query, bodies, bodies.root())


@documented(returns=Page[SiteBody], query=CollectionQuery, tag="inventory")
async def list_sites(request: web.Request) -> web.Response:
    """All sites."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    return await _collection(request, query, bodies, bodies.inventory.sites, bodies.site)


@documented(returns=SiteBody, query=TravelQuery, tag="inventory")
async def get_site(request: web.Request) -> web.Response:
    """One site."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    return answer(query, bodies, bodies.site(bodies.inventory.site(**ids_of(request))))


@documented(returns=Page[ClusterBody], query=CollectionQuery, tag="inventory")
async def list_clusters(request: web.Request) -> web.Response:
    """All clusters of a site."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    site = bodies.inventory.site(**ids_of(request))
    return await _collection(request, query, bodies, site.clusters, bodies.cluster)


@documented(returns=ClusterBody, query=TravelQuery, tag="inventory")
async def get_cluster(request: web.Request) -> web.Response:
    """One cluster."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    return answer(query, bodies, bodies.cluster(bodies.inventory.cluster(**ids_of(request))))


@documented(returns=Page[NodeBody], query=CollectionQuery, tag="inventory")
async def list_nodes(request: web.Request) -> web.Response:
    """All nodes of a cluster; without a query all of them, up to 5000."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    cluster = bodies.inventory.cluster(**ids_of(request))
    return await _collection(request, query, bodies, cluster.nodes, bodies.node)


@documented(returns=NodeBody, query=TravelQuery, tag="inventory")
async def get_node(request: web.Request) -> web.Response:
    """One node: the fields of its file as they are."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    return answer(query, bodies, bodies.node(bodies.inventory.node(**ids_of(request))))


@documented(returns=Page[FlavorBody], query=CollectionQuery, tag="inventory")
async def list_flavors(request: web.Request) -> web.Response:
    """All flavors of a site."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    site = bodies.inventory.site(**ids_of(request))
    return await _collection(request, query, bodies, site.flavors, bodies.flavor)


@documented(returns=FlavorBody, query=TravelQuery, tag="inventory")
async def get_flavor(request: web.Request) -> web.Response:
    """One flavor."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    return answer(query, bodies, bodies.flavor(bodies.inventory.flavor(**ids_of(request))))


async def _collection[R](
    request: web.Request,
    query: CollectionQuery,
    bodies: Bodies,
    members: Mapping[str, R],
    body_of: Callable[[R], Ready],
) -> web.Response:
    name, asked = route_name(request), asked_of(request)
    make = partial(bodies.collection, name, members, body_of, query, asked, **ids_of(request))
    ready = await asyncio.to_thread(make) if min(len(members), query.limit) > LONG_LIST else make()
    return answer(query, bodies, ready)

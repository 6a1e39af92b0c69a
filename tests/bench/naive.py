"""`python -m tests.bench.naive PORT SIZE BEGAN VERSION`: the same answers the usual way, with models made per request.

FastAPI and uvicorn as their documentation has them, on the same loop: each request looks through everything, makes
models of what it finds, and has those validated and written as JSON.
"""

import sys
from datetime import UTC, datetime
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict

from tests.bench.oracle import Oracle
from tests.bench.world import Bookings, Place, World

NODES: Final = "/sites/{site_id}/clusters/{cluster_id}/nodes"


class Link(BaseModel):
    rel: str
    href: str


class Site(BaseModel):
    model_config = ConfigDict(extra="allow")

    uid: str
    version: str
    links: list[Link]


class Node(Site):
    pass


class FoundNode(Node):
    site_id: str
    cluster_id: str
    availability: str
    availability_until: datetime | None
    last_updated: datetime
    stale: bool


class Page[Item](BaseModel):
    total: int
    offset: int
    items: list[Item]
    version: str
    links: list[Link]


class Found(Page[FoundNode]):
    facets: dict[str, dict[str, int]] | None = None


class Interval(BaseModel):
    start: datetime
    end: datetime


class Availability(BaseModel):
    node_id: str
    cluster_id: str
    site_id: str
    availability: str
    availability_until: datetime | None
    last_updated: datetime
    maintenance: bool
    stale: bool
    reservations: list[Interval]
    links: list[Link]


class Service:
    """What it answers, each time from the beginning."""

    def __init__(self, bookings: Bookings, version: str) -> None:
        self._bookings, self._version = bookings, version

    @property
    def _now(self) -> Oracle:
        return Oracle(self._bookings, self._version, datetime.now(UTC))

    async def sites(self) -> Page[Site]:
        return Page[Site].model_validate(self._now.sites())

    async def nodes(self, site_id: str, cluster_id: str) -> Page[Node]:
        return Page[Node].model_validate(self._now.nodes(site_id, cluster_id))

    async def node(self, site_id: str, cluster_id: str, node_id: str) -> Node:
        return Node.model_validate(self._now.node(Place(site_id, cluster_id, node_id)))

    async def availability(self, site_id: str, cluster_id: str, node_id: str) -> Availability:
        return Availability.model_validate(self._now.availability(Place(site_id, cluster_id, node_id)))

    async def search(self, request: Request) -> Found:
        asked = {name: request.query_params.getlist(name) for name in request.query_params}
        return Found.model_validate(self._now.search(asked, request.url.query))

    async def poll(self, moments: list[datetime]) -> dict[str, int]:
        for moment in moments:
            list(self._bookings.poll(moment))
        return {"polls": len(moments)}


def application(service: Service) -> FastAPI:
    app = FastAPI()
    app.add_api_route("/sites", service.sites)
    app.add_api_route(NODES, service.nodes)
    app.add_api_route(f"{NODES}/{{node_id}}", service.node)
    app.add_api_route(f"{NODES}/{{node_id}}/availability", service.availability)
    app.add_api_route("/nodes/search", service.search, response_model_exclude_unset=True)
    app.add_api_route("/bench/poll", service.poll, methods=["POST"])
    return app


def main(arguments: list[str]) -> None:
    port, size, began, version = arguments
    app = application(Service(Bookings(World.of(int(size)), datetime.fromisoformat(began)), version))
    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])

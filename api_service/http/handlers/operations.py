"""For those who run the service: probes, numbers, documents."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.http.caching import Answer
from api_service.http.openapi import OPENAPI, documented
from api_service.http.ready import Ready
from api_service.http.schemas import HealthBody, StatusBody
from shared import probes
from shared.asyncapi import rendered
from shared.availability import utc_now

ASSETS: Final = Path(__file__).parent.parent / "static" / "docs"
ASSET_TYPES: Final = {
    "favicon-32x32.png": "image/png",
    "init.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
BEGUN: Final = utc_now()
"""Before which no document of this process may have been the same."""


@documented(returns=HealthBody, bodies={503: HealthBody}, tag="operations", stored=False)
async def get_healthz(request: web.Request) -> web.Response:
    """Whether the process and its loops are alive."""
    return await probes.healthz(request)


@documented(returns=HealthBody, bodies={503: HealthBody}, tag="operations", stored=False)
async def get_readyz(request: web.Request) -> web.Response:
    """Whether the inventory is loaded and the availability log has been replayed."""
    return await probes.readyz(request)


@documented(returns="text/plain", tag="operations", stored=False)
async def get_metrics(request: web.Request) -> web.Response:
    """Numbers for Prometheus."""
    return await probes.metrics(request)


@documented(returns=StatusBody, tag="operations", stored=False)
async def get_status(request: web.Request) -> web.Response:
    """What is served, how old it is, and what is wrong with it."""
    return await probes.status(request)


async def get_openapi(request: web.Request) -> web.Response:
    """This contract as OpenAPI 3.1."""
    made = await asyncio.to_thread(request.app[OPENAPI].made)
    return Answer(_lasting(made, "application/json"), modified=BEGUN)


async def get_asyncapi(_request: web.Request) -> web.Response:
    """The contract of the availability log, for whoever wants to read that instead, as AsyncAPI 3."""
    return Answer(_lasting(_asyncapi(), "application/json"), modified=BEGUN)


async def get_docs(request: web.Request) -> web.Response:
    """The contract as a page, with all it needs served from here."""
    response = Answer(_page(request.app[keys.SETTINGS].server.root_path), modified=BEGUN)
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


async def get_docs_asset(request: web.Request) -> web.StreamResponse:
    """One of the page's files."""
    name = request.match_info["name"]
    if name not in ASSET_TYPES:
        raise web.HTTPNotFound
    return Answer(_lasting(_asset(name), ASSET_TYPES[name]), modified=BEGUN)


@cache
def _lasting(body: bytes, content_type: str) -> Ready:
    return Ready(body, content_type, lasting=True)


@cache
def _page(root: str) -> Ready:
    page = _asset("index.html").decode().format(assets=f"{root}/docs/assets", openapi=f"{root}/openapi.json")
    return _lasting(page.encode(), "text/html; charset=utf-8")


@cache
def _asyncapi() -> bytes:
    return rendered()


@cache
def _asset(name: str) -> bytes:
    return (ASSETS / name).read_bytes()

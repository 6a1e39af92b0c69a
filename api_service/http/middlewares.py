"""What every request passes: an id and numbers, and the rules of cross-origin reading."""

import logging
import re
import secrets
import time
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Histogram

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a proxy may send in `X-Request-ID`; anything else is replaced."""

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFLIGHT_SECONDS: Final = 86_400

type Marks = dict[str, str]

MARKS: Final[web.RequestKey[Marks]] = web.RequestKey("marks")
"""Headers of the answer to a request, whatever it will be."""

READABLE_HEADERS: Final = "ETag, Link, Retry-After, X-Request-ID"


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Puts them there; a stream, which begins long before its handler returns it, is to ask for that by itself."""
    _put(request.get(MARKS, {}), response)


def observed(registry: CollectorRegistry) -> Middleware:
    """Gives each request an id, counts and times it by route, and logs it: at DEBUG, as there are many."""
    requests = Counter("reference_api_requests", "Requests answered.", ["route", "method", "status"], registry=registry)
    seconds = Histogram("reference_api_request_seconds", "Time to answer.", ["route"], registry=registry)
    # None is to be looked up for each request.
    log = structlog.get_logger().bind()
    counted, timed, route_of = cache(requests.labels), cache(seconds.labels), cache(_route)

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        request_id = _request_id(request)
        marks = request[MARKS] = {"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff"}
        # Each request is a task of its own, so nobody else sees it, and it ends with the request.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = await handler(request)
        if not response.prepared:
            _put(marks, response)
        took = time.perf_counter() - began
        route = route_of(request.match_info.route.resource)
        # A client may invent methods without end.
        method = request.method if request.method in KNOWN_METHODS else "other"
        counted(route, method, response.status).inc()
        if not response.prepared:  # a stream takes as long as somebody reads it
            timed(route).observe(took)
        if log.is_enabled_for(logging.DEBUG):
            log.debug("request", method=method, path=request.path, status=response.status, seconds=round(took, 6))
        return response

    return observe


def _put(marks: Marks, response: web.StreamResponse) -> None:
    if "Vary" in marks and (others := response.headers.get("Vary")):
        marks = {**marks, "Vary": f"{others}, {marks['Vary']}"}
    response.headers.update(marks)


def _request_id(request: web.Request) -> str:
    sent = request.headers.get("X-Request-ID")
    return sent if sent and REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)


def _route(resource: web.AbstractResource | None) -> str:
    # A client that appends `.json` asks for the same.
    return (resource.canonical.removesuffix("{form}") or "/") if resource else "none"


def cross_origin(origins: Sequence[str]) -> Middleware:
    """Lets pages of `origins` read, and answers OPTIONS on every path. Nothing here needs credentials."""
    # Whatever the origin, so that a cache need not keep an answer for each.
    everybody = _allowed("*") if "*" in origins else None

    def told(origin: str | None) -> Marks:
        return {"Vary": "Origin"} | (_allowed(origin) if origin is not None and origin in origins else {})

    @web.middleware
    async def share(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[MARKS].update(everybody or told(request.headers.get("Origin")))
        refused = request.match_info.http_exception
        if request.method == "OPTIONS" and isinstance(refused, web.HTTPMethodNotAllowed):
            methods = ", ".join(sorted({*refused.allowed_methods, "OPTIONS"}))
            response: web.StreamResponse = web.Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": methods})
            if "Access-Control-Request-Method" in request.headers:
                response.headers["Access-Control-Allow-Methods"] = methods
                response.headers["Access-Control-Allow-Headers"] = "*"
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        else:
            response = await handler(request)
        return response

    return share


def _allowed(origin: str) -> Marks:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": READABLE_HEADERS}

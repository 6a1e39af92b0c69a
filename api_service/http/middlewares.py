"""What every request passes: an id and numbers, and the rules of cross-origin reading."""

import re
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Histogram

log = structlog.get_logger()

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a proxy may send in `X-Request-ID`; anything else is replaced."""

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFLIGHT_SECONDS: Final = 86_400
type Marks = list[Callable[[web.StreamResponse], None]]

MARKS: Final[web.RequestKey[Marks]] = web.RequestKey("marks")
"""What puts headers on the answer to a request."""

READABLE_HEADERS: Final = "ETag, Link, Retry-After, X-Request-ID"


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Puts them there as the answer begins: a stream does so long before its handler returns it."""
    for put in request.get(MARKS, ()):
        put(response)


def observed(registry: CollectorRegistry) -> Middleware:
    """Gives each request an id, counts and times it by route, and logs it: at DEBUG, as there are many."""
    requests = Counter("reference_api_requests", "Requests answered.", ["route", "method", "status"], registry=registry)
    seconds = Histogram("reference_api_request_seconds", "Time to answer.", ["route"], registry=registry)

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        sent = request.headers.get("X-Request-ID", "")
        request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex

        def name(response: web.StreamResponse) -> None:
            response.headers["X-Request-ID"] = request_id
            response.headers["X-Content-Type-Options"] = "nosniff"

        marks: Marks = [name]
        request[MARKS] = marks
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = await handler(request)
            took = time.perf_counter() - began
            resource = request.match_info.route.resource
            # A client that appends `.json` asks for the same.
            route = (resource.canonical.removesuffix("{form}") or "/") if resource else "none"
            # A client may invent methods without end.
            method = request.method if request.method in KNOWN_METHODS else "other"
            requests.labels(route, method, str(response.status)).inc()
            if not response.prepared:  # a stream takes as long as somebody reads it
                seconds.labels(route).observe(took)
            log.debug("request", method=method, path=request.path, status=response.status, seconds=round(took, 6))
        return response

    return observe


def cross_origin(origins: Sequence[str]) -> Middleware:
    """Lets pages of `origins` read, and answers OPTIONS on every path. Nothing here needs credentials."""
    anybody = "*" in origins

    def allow(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if not anybody:
            others = response.headers.get("Vary")
            response.headers["Vary"] = f"{others}, Origin" if others else "Origin"
        # Whatever the origin, so that a cache need not keep an answer for each.
        if anybody or origin in origins:
            response.headers["Access-Control-Allow-Origin"] = "*" if anybody else str(origin)
            response.headers["Access-Control-Expose-Headers"] = READABLE_HEADERS

    @web.middleware
    async def share(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[MARKS].append(partial(allow, request))
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

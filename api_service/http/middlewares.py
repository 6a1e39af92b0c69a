"""What every request passes: an id and numbers, and the rules of cross-origin reading."""

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Histogram

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a proxy may send in `X-Request-ID`; anything else is replaced."""

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFLIGHT_SECONDS: Final = 86_400

type Marks = dict[str, str]

type Meters = tuple[Callable[[], None], Callable[[float], None]]
"""What counts an answer, and what takes the seconds that it took."""

MARKS: Final[web.RequestKey[Marks]] = web.RequestKey("marks")
"""Headers of the answer to a request, whatever it will be."""

READABLE_HEADERS: Final = "ETag, Link, Retry-After, X-Request-ID"


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Puts them there; a stream, which begins long before its handler returns it, is to ask for that by itself."""
    put(request.get(MARKS, {}), response)


def put(marks: Marks, response: web.StreamResponse) -> None:
    """The same of marks that are given."""
    if "Vary" in marks and (others := response.headers.get("Vary")):
        marks = {**marks, "Vary": f"{others}, {marks['Vary']}"}
    response.headers.update(marks)


class Reception:
    """Gives each request an id, lets pages of `origins` read, counts and times it by route, and logs it.

    That at DEBUG, as there are many. Nothing here needs credentials, so that any page may be allowed.
    """

    def __init__(self, registry: CollectorRegistry, origins: Sequence[str]) -> None:
        """Registers its metrics.

        Args:
            registry: Where.
            origins: Of pages that may read, or `*`.
        """
        labels = ["route", "method", "status"]
        self._requests = Counter("reference_api_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram("reference_api_request_seconds", "Time to answer.", ["route"], registry=registry)
        # Neither is to be looked up for each request.
        self._meters_of = cache(self._meters)
        self._log = structlog.get_logger().bind()
        self._origins = frozenset(origins)
        # Whatever the origin, so that a cache need not keep an answer for each.
        self._everybody = _allowed("*") if "*" in origins else None

    def marks(self, request: web.Request) -> Marks:
        """Headers of its answer, whatever it will be."""
        sent = request.headers.get("X-Request-ID")
        request_id = sent if sent and REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)
        told = self._everybody or self._told(request.headers.get("Origin"))
        return {"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff", **told}

    def _told(self, origin: str | None) -> Mapping[str, str]:
        return {"Vary": "Origin"} | (_allowed(origin) if origin is not None and origin in self._origins else {})

    @web.middleware
    async def receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """As above; what is still to be made is made by `handler`."""
        began = time.perf_counter()
        marks = request[MARKS] = self.marks(request)
        # Each request is a task of its own, so nobody else sees it, and it ends with the request.
        structlog.contextvars.bind_contextvars(request_id=marks["X-Request-ID"])
        response = await handler(request)
        if not response.prepared:
            put(marks, response)
        self.note(request, response, time.perf_counter() - began)
        return response

    def note(self, request: web.Request, response: web.StreamResponse, took: float) -> None:
        """Counts an answer that took so many seconds."""
        # A client may invent methods without end.
        method = request.method if request.method in KNOWN_METHODS else "other"
        count, observe = self._meters_of(request.match_info.route.resource, method, response.status)
        count()
        if not response.prepared:  # a stream takes as long as somebody reads it
            observe(took)
        if self._log.is_enabled_for(logging.DEBUG):
            status, seconds = response.status, round(took, 6)
            self._log.debug("request", method=method, path=request.path, status=status, seconds=seconds)

    def _meters(self, resource: web.AbstractResource | None, method: str, status: int) -> Meters:
        # A client that appends `.json` asks for the same.
        route = (resource.canonical.removesuffix("{form}") or "/") if resource else "none"
        return self._requests.labels(route, method, status).inc, self._seconds.labels(route).observe


def _allowed(origin: str) -> Marks:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": READABLE_HEADERS}


@web.middleware
async def options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers OPTIONS on every path."""
    refused = request.match_info.http_exception
    if request.method != "OPTIONS" or not isinstance(refused, web.HTTPMethodNotAllowed):
        return await handler(request)
    methods = ", ".join(sorted({*refused.allowed_methods, "OPTIONS"}))
    response = web.Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": methods})
    if "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = "*"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response

"""What every request passes: an id and numbers, and the rules of cross-origin reading."""

import logging
import random
import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import istr
from prometheus_client import CollectorRegistry

from api_service.http.request_metrics import RequestMetrics

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a proxy may send in `X-Request-ID`; anything else is replaced."""

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFLIGHT_SECONDS: Final = 86_400

# Names that aiohttp's headers need not fold again and again.
X_REQUEST_ID: Final = istr("X-Request-ID")
X_CONTENT_TYPE_OPTIONS: Final = istr("X-Content-Type-Options")

type Marks = dict[str, str]

MARKS: Final[web.RequestKey[Marks]] = web.RequestKey("marks")
"""Headers of the answer to a request, whatever it will be."""

READABLE_HEADERS: Final = "ETag, Link, Retry-After, X-Request-ID"


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Puts them there; a stream, which begins long before its handler returns it, is to ask for that by itself."""
    _put(request.get(MARKS, {}), response)


def _put(marks: Marks, response: web.StreamResponse) -> None:
    if hdrs.VARY in marks and (others := response.headers.get(hdrs.VARY)):
        marks = {**marks, hdrs.VARY: f"{others}, {marks[hdrs.VARY]}"}
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
        self._metrics = RequestMetrics(registry)
        # Neither is to be looked up for each request.
        self._route_of = cache(_route)
        self._log = structlog.get_logger().bind()
        self._origins = frozenset(origins)
        # Whatever the origin, so that a cache need not keep an answer for each.
        self._everybody = _allowed("*") if "*" in origins else None

    def marks(self, request: web.Request) -> Marks:
        """Headers of its answer, whatever it will be."""
        sent = request.headers.get(X_REQUEST_ID)
        request_id = sent if sent and REQUEST_ID.fullmatch(sent) else _new_id()
        told = self._everybody or self._told(request.headers.get(hdrs.ORIGIN))
        return {X_REQUEST_ID: request_id, X_CONTENT_TYPE_OPTIONS: "nosniff", **told}

    def _told(self, origin: str | None) -> Mapping[str, str]:
        return {hdrs.VARY: hdrs.ORIGIN} | (_allowed(origin) if origin is not None and origin in self._origins else {})

    @web.middleware
    async def receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """As above; what is still to be made is made by `handler`."""
        began = time.perf_counter()
        marks = request[MARKS] = self.marks(request)
        # Each request is a task of its own, so nobody else sees it, and it ends with the request.
        structlog.contextvars.bind_contextvars(request_id=marks[X_REQUEST_ID])
        response = await handler(request)
        self.finish(request, response, marks, began)
        return response

    def finish(self, request: web.Request, response: web.StreamResponse, marks: Marks, began: float) -> None:
        """Puts the marks on an answer and counts it; `began` is of `time.perf_counter`."""
        if not response.prepared:
            _put(marks, response)
        took = time.perf_counter() - began
        # A client may invent methods without end.
        method = request.method if request.method in KNOWN_METHODS else "other"
        route = self._route_of(request.match_info.route.resource)
        self._metrics.count(route, method, response.status)
        if not response.prepared:  # a stream takes as long as somebody reads it
            self._metrics.time(route, took)
        if self._log.is_enabled_for(logging.DEBUG):
            self._log.debug(
                "request",
                request_id=marks[X_REQUEST_ID],
                method=method,
                path=request.path,
                status=response.status,
                seconds=round(took, 6),
            )


def _route(resource: web.AbstractResource | None) -> str:
    # A client that appends `.json` asks for the same.
    return (resource.canonical.removesuffix("{form}") or "/") if resource else "none"


def _new_id() -> str:
    # Nobody gains by guessing one, and the kernel's random numbers cost a tenth of a small answer.
    return f"{random.getrandbits(128):032x}"


def _allowed(origin: str) -> Marks:
    return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: READABLE_HEADERS}


@web.middleware
async def options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers OPTIONS on every path."""
    refused = request.match_info.http_exception
    if request.method != "OPTIONS" or not isinstance(refused, web.HTTPMethodNotAllowed):
        return await handler(request)
    methods = ", ".join(sorted({*refused.allowed_methods, "OPTIONS"}))
    response = web.Response(status=HTTPStatus.NO_CONTENT, headers={hdrs.ALLOW: methods})
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "*"
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_SECONDS)
    return response

"""What may go wrong between a client and a service: each fault stands in for an answer, or spoils one."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from deploy.local.openstack import forms

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

MENDED: Final = web.AppKey("mended", asyncio.Event)
"""Set when a fault is over, so that what hangs is let go."""

TRICKLE_STEPS: Final = 50
TRICKLE_SECONDS: Final = 0.05


async def refused(_request: web.Request, _handler: Handler) -> web.StreamResponse:
    """Nobody listens: the listener is closed, so that this is never called."""
    raise AssertionError("a request came in through a closed listener")


async def closed(request: web.Request, _handler: Handler) -> web.StreamResponse:
    """The connection ends in good order, without an answer."""
    return _disconnected(request)


async def reset(request: web.Request, _handler: Handler) -> web.StreamResponse:
    """The connection is reset without an answer."""
    return _disconnected(request, reset=True)


async def truncated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Half of the body, and then the connection ends."""
    await _half(request, handler)
    return _disconnected(request)


async def truncated_by_reset(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Half of the body, and then the connection is reset."""
    await _half(request, handler)
    return _disconnected(request, reset=True)


async def stalled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Half of the body, and the rest when the fault is mended."""
    answer, rest = await _half(request, handler)
    await request.app[MENDED].wait()
    with contextlib.suppress(ConnectionError):  # whoever asked has given up
        await answer.write(rest)
    return answer


async def hang(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No answer until the fault is mended."""
    await request.app[MENDED].wait()
    return await handler(request)


async def garbage(_request: web.Request, _handler: Handler) -> web.StreamResponse:
    """200 with JSON that ends in the middle."""
    return web.Response(body=b'{"hosts": [{"id": "1", "hyper', content_type="application/json")


async def unauthorized(request: web.Request, _handler: Handler) -> web.StreamResponse:
    """The token is refused, though it is a good one."""
    return forms.unauthenticated(str(request.url.origin()))


async def forbidden(request: web.Request, _handler: Handler) -> web.StreamResponse:
    """Policy forbids it."""
    rule = "get_allocations" if request.path.endswith("/allocations") else "get"
    return forms.blazar_error(403, f"Policy doesn't allow blazar:oshosts:{rule} to be performed")


async def emptied(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty list, as a Blazar says whose database has just been restored."""
    _, body = await _answer(request, handler)
    return forms.blazar_answer({key: [] for key in orjson.loads(body)})


def nothing(code: int) -> Fault:
    """A status without a body."""

    async def fault(_request: web.Request, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=code)

    return fault


def status(code: int, *, html: bool = False) -> Fault:
    """An error in Blazar's form, or in that of a proxy before it."""

    async def fault(_request: web.Request, _handler: Handler) -> web.StreamResponse:
        phrase = HTTPStatus(code).phrase
        if not html:
            return forms.blazar_error(code, phrase)
        text = f"<html><head><title>{code} {phrase}</title></head><body><h1>{code} {phrase}</h1>nginx</body></html>"
        return web.Response(text=text, status=code, content_type="text/html")

    return fault


def body(said: bytes, code: int = 200, **headers: str) -> Fault:
    """These bytes."""

    async def fault(_request: web.Request, _handler: Handler) -> web.StreamResponse:
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=said, status=code, headers=sent)

    return fault


def leading_to(url: str, code: int) -> Fault:
    """A redirect."""

    async def fault(_request: web.Request, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": url})

    return fault


def slow(seconds: float) -> Fault:
    """The right answer, later."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await handler(request)

    return fault


def trickle(seconds: float) -> Fault:
    """The whole answer, spread over `seconds`."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer, body = await _answer(request, handler)
        answer.content_length = len(body)
        await answer.prepare(request)
        step = max(1, len(body) // TRICKLE_STEPS)
        with contextlib.suppress(ConnectionError):  # whoever asked has given up
            for begin in range(0, len(body), step):
                await answer.write(body[begin : begin + step])
                await asyncio.sleep(seconds / TRICKLE_STEPS)
        return answer

    return fault


async def trickling_head(request: web.Request, _handler: Handler) -> web.StreamResponse:
    """The beginning of an answer, and then a header that does not end before the fault is mended."""
    transport, mended = request.transport, request.app[MENDED]
    if transport is not None:
        transport.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        while not (mended.is_set() or transport.is_closing()):
            transport.write(b"x")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRICKLE_SECONDS):
                    await mended.wait()
    return _disconnected(request)


async def _answer(request: web.Request, handler: Handler) -> tuple[web.StreamResponse, bytes]:
    """The right answer's head, to be sent anew, and its body."""
    good = await handler(request)
    body = good.body if isinstance(good, web.Response) and isinstance(good.body, bytes) else b""
    return web.StreamResponse(status=good.status, headers={"Content-Type": good.headers["Content-Type"]}), body


async def _half(request: web.Request, handler: Handler) -> tuple[web.StreamResponse, bytes]:
    """What has been begun, and the other half of its body."""
    answer, body = await _answer(request, handler)
    answer.content_length = len(body)
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    return answer, body[len(body) // 2 :]


def _disconnected(request: web.Request, *, reset: bool = False) -> web.StreamResponse:
    if request.transport is not None:
        if reset:
            unsent_is_dropped = struct.pack("ii", 1, 0)
            request.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, unsent_is_dropped
            )
        request.transport.abort()
    return web.Response()

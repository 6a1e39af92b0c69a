"""How much a client may send, and for how long it may send and take nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import sync_service.app
import sync_service.settings
from api_service import keys
from api_service.app import create_app
from api_service.http.problems import MAX_LINE_BYTES
from api_service.settings import Settings
from shared import serving
from shared.embedded import EmbeddedTransport
from shared.serving import SERVER_OPTIONS
from tests.eventually import LONG_SECONDS, until
from tests.inventories import inventory, site

HEAD = "GET /sites HTTP/1.1\r\nHost: x\r\n"
TRICKLE_SECONDS = 0.1

type Serve = Callable[..., Awaitable[TestServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an application with the socket and the options of the real one; ends that at the end of the test."""
    servers: list[TestServer] = []

    async def made(app: web.Application, **changes: Any) -> TestServer:
        servers.append(TestServer(app, socket_factory=lambda host, port, _: serving.listening(host, port)[0]))
        await servers[-1].start_server(**{**SERVER_OPTIONS, "max_line_size": MAX_LINE_BYTES, **changes})
        return servers[-1]

    yield made
    for server in servers:
        await server.close()


def api() -> web.Application:
    app = create_app(Settings(), transport=EmbeddedTransport(), contexts=())
    app[keys.INVENTORY].replace(inventory(site("uc")))
    return app


def sync() -> web.Application:
    return sync_service.app.create_app(sync_service.settings.Settings(), transport=EmbeddedTransport(), contexts=())


async def large_page(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(20_000_000))


async def status(server: TestServer, said: str) -> int:
    """Of the answer to what is said; fails if none comes."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(said.encode())
        async with asyncio.timeout(LONG_SECONDS):
            line = await reader.readline()
    finally:
        writer.transport.abort()
    return int(line.split()[1])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"GET /{'x' * MAX_LINE_BYTES} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (f"{HEAD}X-Long: {'x' * 8200}\r\n\r\n", 400),
        (f"{HEAD}{'x' * 8200}: 1\r\n\r\n", 400),
        (f"{HEAD}{''.join(f'X-{number}: 1\r\n' for number in range(200))}\r\n", 400),
        (f"{HEAD}X-Long: {'x' * 7000}\r\n\r\n", 200),
        (f"{HEAD}{''.join(f'X-{number}: 1\r\n' for number in range(100))}\r\n", 200),
    ],
    ids=["line", "value", "name", "number", "value that is allowed", "number that is allowed"],
)
async def test_a_request_whose_head_is_too_large_is_refused(serve: Serve, said: str, expected: int) -> None:
    assert await status(await serve(api()), said) == expected


async def test_a_line_that_never_ends_is_not_waited_for(serve: Serve) -> None:
    server = await serve(api())
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"GET /" + b"x" * 2 * MAX_LINE_BYTES)
    with suppress(ConnectionError):  # it hangs up on what it has not read
        async with asyncio.timeout(LONG_SECONDS):
            await reader.read()
    writer.transport.abort()


async def test_an_answer_does_not_wait_for_a_body_however_large_it_is_said_to_be(serve: Serve) -> None:
    assert await status(await serve(api()), f"{HEAD}Content-Length: 1000000000000\r\n\r\nand so on") == 200


@pytest.mark.parametrize("beginning", ["", "GET /sites HT", HEAD, f"{HEAD}\r\n"])
async def test_a_client_that_says_no_whole_request_is_hung_up_on_even_if_it_drips(serve: Serve, beginning: str) -> None:
    server = await serve(api(), keepalive_timeout=0.5)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(beginning.encode())

    async def drip() -> None:
        while True:
            writer.write(b"x" if beginning else b"")
            await asyncio.sleep(TRICKLE_SECONDS)

    dripping = asyncio.create_task(drip())
    try:
        # Whoever writes on to a closed connection may be told so by a reset.
        async with asyncio.timeout(LONG_SECONDS):
            with suppress(ConnectionResetError):
                while await reader.read(65_536):
                    pass
    finally:
        dripping.cancel()
        writer.transport.abort()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux gives up the deaf")
async def test_a_client_that_takes_no_answer_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DEAF_SECONDS", 1)
    app = web.Application()
    app.router.add_get("/", large_page)
    server = await serve(app)
    assert server.runner
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((server.host, server.port))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        handlers = server.runner.server
        assert handlers
        await until(lambda: handlers.connections)
        await until(lambda: not handlers.connections)


@pytest.mark.parametrize("service", [api, sync], ids=["api", "sync"])
async def test_a_client_that_sends_thousands_of_requests_at_once_leaves_the_loop_to_others(
    serve: Serve, service: Callable[[], web.Application]
) -> None:
    server = await serve(service())
    reader, writer = await asyncio.open_connection(server.host, server.port)
    greedy = b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
    answered = 0

    async def count() -> None:
        nonlocal answered
        while line := await reader.readline():
            answered += line.startswith(b"HTTP/1.1 200")

    counting = asyncio.create_task(count())
    try:
        writer.write(greedy)
        await until(lambda: answered > 0)
        assert await status(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
        assert answered < 1000
        await until(lambda: answered == 2000)
    finally:
        writer.transport.abort()
        await asyncio.wait({counting})

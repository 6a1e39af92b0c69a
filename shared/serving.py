"""How either service is served over HTTP."""

import ctypes
import errno
import gc
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

import uvloop
from aiohttp import web

from shared.process import stop_requested

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long a connection may say no whole request, from its beginning or from the answer before: drips do not count."""

DEAF_SECONDS: Final = 30
"""How long a client may take nothing of an answer, which is kept for it until then."""

SWITCH_SECONDS: Final = 0.001
"""How long a thread that computes may hold up the event loop each time that this wants to go on; else it were 5 ms."""

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    # Nobody reads a request's body here, and inflating two megabytes of one into gigabytes would take the loop seconds.
    "auto_decompress": False,
    "keepalive_timeout": KEEP_ALIVE_SECONDS,
}
"""For `web.run_app` and `web.AppRunner`."""


def serve(
    app: web.Application,
    *,
    prog: str,
    host: str,
    port: int,
    shutdown_seconds: float,
    max_line_size: int = 8190,
    sockets: Sequence[socket.socket] = (),
) -> None:
    """Until SIGINT or SIGTERM; requests that are being answered then have `shutdown_seconds` to end.

    Twice that where a client does not take its answer: aiohttp waits for the answer, and then for the connection.

    Args:
        app: What to serve.
        prog: The program's name, for errors.
        host: Where to listen.
        port: Likewise.
        shutdown_seconds: As above.
        max_line_size: Bytes of a request's first line; a longer one is refused in plain text.
        sockets: Those of `opened`, if they were opened before.

    Raises:
        SystemExit: 1 after it was told that the address cannot be listened on.
    """
    if stop_requested():
        return
    sys.setswitchinterval(SWITCH_SECONDS)
    web.run_app(
        app,
        sock=sockets or opened(prog, host, port),
        loop=uvloop.new_event_loop(),
        print=None,
        shutdown_timeout=shutdown_seconds,
        **SERVER_OPTIONS,
        max_line_size=max_line_size,
    )


def opened(prog: str, host: str, port: int) -> Sequence[socket.socket]:
    """As `listening`.

    Raises:
        SystemExit: 1 after it was told that the address cannot be listened on.
    """
    try:
        return listening(host, port)
    except OSError as error:
        sys.stderr.write(f"{prog}: error: cannot listen on port {port} of {host}: {error.strerror}\n")
        sys.exit(1)


def set_aside() -> None:
    """To be called when much was made that lasts, and took the place of nothing: the garbage collector leaves it out.

    Each of its full passes would go through all of it, while no other thread runs. What is garbage of it stays.
    """
    gc.freeze()
    # What was freed meanwhile goes back to the kernel; only glibc has that, and does not do it by itself.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def set_aside_anew() -> None:
    """The same when it took the place of what was set aside before, which is let go; takes such a pass, once."""
    gc.unfreeze()
    gc.collect()
    set_aside()


def listening(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of `host`, whose connections the kernel ends if their clients take nothing.

    aiohttp would wait for as long as such a client stays. What a connection inherits need not be said for each answer.

    Raises:
        OSError: an address cannot be listened on.
    """
    addresses = {
        (family, address)
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    }
    sockets = [made for address in sorted(addresses) if (made := _bound(*address, alone=len(addresses) == 1))]
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        for each in sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAF_SECONDS * 1000)
    return sockets


def _bound(family: int, address: Any, *, alone: bool) -> socket.socket | None:
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        # A name may have an address of a family that is switched off.
        if alone or error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            raise
        return None

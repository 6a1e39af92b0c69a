"""How either service is served over HTTP."""

import gc
import socket
import sys
from typing import Any, Final

import uvloop
from aiohttp import web

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
    app: web.Application, *, prog: str, host: str, port: int, shutdown_seconds: float, max_line_size: int = 8190
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

    Raises:
        SystemExit: 1 after it was told that the address cannot be listened on.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    app.on_response_prepare.append(_give_up_the_deaf)
    loop = uvloop.new_event_loop()
    try:
        web.run_app(
            app,
            host=host,
            port=port,
            loop=loop,
            print=None,
            shutdown_timeout=shutdown_seconds,
            **SERVER_OPTIONS,
            max_line_size=max_line_size,
        )
    except OSError as error:  # everything else that may fail is caught where it can be mended
        sys.stderr.write(f"{prog}: error: cannot listen on port {port} of {host}: {error.strerror}\n")
        sys.exit(1)


def spare_the_collector() -> None:
    """To be called when much was made that lasts; takes 0.1 s, in which no other thread runs.

    Each full pass of the garbage collector would take as long otherwise. What was set aside before, and is needed no
    more, is let go.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def _give_up_the_deaf(request: web.Request, _response: web.StreamResponse) -> None:
    """Lets the kernel end a connection whose client takes nothing: aiohttp would wait for as long as that stays."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAF_SECONDS * 1000)

"""How either service is served over HTTP."""

import sys
from typing import Any, Final

import uvloop
from aiohttp import web

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    # Nobody reads a request's body here, and inflating two megabytes of one into gigabytes would take the loop seconds.
    "auto_decompress": False,
}
"""For `web.run_app` and `web.AppRunner`."""


def serve(
    app: web.Application, *, prog: str, host: str, port: int, shutdown_seconds: float, max_line_size: int = 8190
) -> None:
    """Until SIGINT or SIGTERM; requests that are being answered then have `shutdown_seconds` to end.

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

"""`python -m api_service`: settings, logging, run."""

import os
import sys
from collections.abc import Sequence

from api_service.app import create_app
from api_service.http.problems import MAX_LINE_BYTES
from api_service.settings import PROG, load_settings
from api_service.workers import divided
from shared.logs import configure_logging
from shared.serving import opened, serve

SHUTDOWN_SECONDS = 3.0
"""With twice this, and the closing of the broker's session, the process ends within 10 s."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the API service until it is told to stop."""
    loaded = load_settings(argv, os.environ)
    configure_logging(loaded.settings.log.format, debug=loaded.debug)
    server = loaded.settings.server
    sockets = opened(PROG, server.host, server.port)
    worker = divided(server.workers, sockets) if server.workers > 1 else None
    app = create_app(loaded.settings)
    if worker:
        worker.join(app)
    serve(
        app,
        prog=PROG,
        host=server.host,
        port=server.port,
        shutdown_seconds=SHUTDOWN_SECONDS,
        max_line_size=MAX_LINE_BYTES,
        sockets=sockets,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

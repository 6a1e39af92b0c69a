"""The service as a process: its sockets, its workers, its application."""

from functools import partial

from api_service.adapters.early_reading import EarlyReading
from api_service.app import create_app, events, feed, inventory
from api_service.http.problems import MAX_LINE_BYTES
from api_service.settings import PROG, Settings
from api_service.workers import divided
from shared.process import stop_requested
from shared.serving import opened, serve

SHUTDOWN_SECONDS = 3.0
"""With twice this, and the closing of the broker's session, the process ends within 10 s."""


def run(settings: Settings, early: EarlyReading | None) -> None:
    """Serves until it is told to stop.

    Args:
        settings: All of them.
        early: What may have begun to read the inventory.
    """
    if stop_requested():
        return
    server = settings.server
    sockets = opened(PROG, server.host, server.port)
    worker = divided(server.workers, sockets) if server.workers > 1 else None
    app = create_app(settings, contexts=(partial(inventory, early=early), feed, events))
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

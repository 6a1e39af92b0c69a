"""`python -m tests.bench.replica PORT BROKER SITES NODES [WORKERS]`: the API service as it follows a real broker."""

import sys

from api_service.app import create_app, events, feed
from api_service.http.problems import MAX_LINE_BYTES
from api_service.settings import Settings
from api_service.workers import divided
from shared.logs import LogFormat, configure_logging
from shared.serving import opened, serve
from tests.bench.fleet import fleet
from tests.bench.running import LOCALHOST
from tests.bench.server import lasting, made

MOST_READERS = 20_000


def main(arguments: list[str]) -> None:
    configure_logging(LogFormat.JSON)
    port, (sites, nodes) = int(arguments[0]), map(int, arguments[2:4])
    workers = int(arguments[4]) if len(arguments) > 4 else 1
    sockets = opened("bench", LOCALHOST, port)
    worker = divided(workers, sockets) if workers > 1 else None
    settings = {"server": {"max_event_readers": MOST_READERS}, "broker": {"url": arguments[1]}}
    contexts = [lasting(made(fleet(sites, nodes))), feed, events]
    app = create_app(Settings.model_validate(settings), contexts=contexts)
    if worker:
        worker.join(app)
    serve(
        app,
        prog="bench",
        host=LOCALHOST,
        port=port,
        shutdown_seconds=1,
        max_line_size=MAX_LINE_BYTES,
        sockets=sockets,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

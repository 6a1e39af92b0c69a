"""The sync service as it is, on a machine whose clock is an hour behind."""

import os
import sys
from datetime import timedelta

from shared.availability import utc_now
from shared.logs import configure_logging
from shared.serving import serve
from sync_service.app import create_app
from sync_service.settings import PROG, load_settings

BEHIND = timedelta(hours=1)

if __name__ == "__main__":
    loaded = load_settings(sys.argv[1:], os.environ)
    configure_logging(loaded.settings.log.format)
    own = loaded.settings.sync
    app = create_app(loaded.settings, clock=lambda: utc_now() - BEHIND)
    serve(app, prog=PROG, host=own.host, port=own.port, shutdown_seconds=2)

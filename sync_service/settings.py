"""The sync service's settings and where they come from."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.settings import SharedSettings
from shared.settings_sources import Loaded, Option, load


class Settings(SharedSettings):
    """The whole shared file; this service uses `[sync]`, `[broker]`, `[log]` and the polling settings."""


PROG: Final = "reference-sync"
OPTIONS: Final = (
    Option("sync", "host", "REFERENCE_SYNC_HOST", "address of the probes"),
    Option("sync", "port", "REFERENCE_SYNC_PORT", "port of the probes"),
    Option("broker", "url", "REFERENCE_API_BROKER_URL", "address of RabbitMQ"),
)


def load_settings(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Loaded[Settings]:
    """Exits with status 2 and one line if anything is wrong."""
    return load(
        Settings,
        OPTIONS,
        prog=PROG,
        description="Polls the Blazar of every site and publishes the availability of its nodes.",
        argv=argv,
        environ=environ,
    )

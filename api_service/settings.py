"""The API service's settings and where they come from."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.settings import SharedSettings
from shared.settings_sources import Loaded, Option, load


class Settings(SharedSettings):
    """The whole shared file; this service uses `[server]`, `[reference]`, `[broker]`, `[log]` and the site lists."""


PROG: Final = "reference-api"
OPTIONS: Final = (
    Option("server", "host", "REFERENCE_API_HOST", "address to listen on", "--host"),
    Option("server", "port", "REFERENCE_API_PORT", "port to listen on", "--port"),
    Option("reference", "ref_dir", "REFERENCE_API_REF_DIR", "folder of the inventory", "--ref-dir"),
    Option("broker", "url", "REFERENCE_API_BROKER_URL", "address of RabbitMQ"),
)


def load_settings(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Loaded[Settings]:
    """Exits with status 2 and one line if anything is wrong."""
    return load(
        Settings,
        OPTIONS,
        prog=PROG,
        description="Serves the hardware inventory of a testbed and the availability of its nodes over HTTP.",
        argv=argv,
        environ=environ,
    )

"""The API service's settings and where they come from."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.settings import Loaded, Option, SharedSettings, load


class Settings(SharedSettings):
    """The whole shared file; this service uses `[server]`, `[reference]`, `[broker]`, `[log]` and the site lists."""


OPTIONS: Final = (
    Option("server", "host", "REFERENCE_API_HOST", "--host", "address to listen on"),
    Option("server", "port", "REFERENCE_API_PORT", "--port", "port to listen on"),
    Option("reference", "ref_dir", "REFERENCE_API_REF_DIR", "--ref-dir", "folder of the inventory"),
    Option("broker", "url", "REFERENCE_API_BROKER_URL"),
)


def load_settings(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Loaded[Settings]:
    """Exits with status 2 and one line if anything is wrong."""
    return load(
        Settings,
        OPTIONS,
        prog="reference-api",
        description="Serves the hardware inventory of a testbed and the availability of its nodes over HTTP.",
        argv=argv,
        environ=environ,
    )

"""Settings: one frozen model of the whole shared file, so that one file configures a deployment.

What belongs to the other service is checked all the same. `shared.settings_sources` says where values come from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.logs import LogFormat
from shared.topology import SITE_ID, JobQueueType

MAX_TEXT: Final = 2000
"""Characters of an address or a path."""


class Section(BaseModel):
    """A table of the file; an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _number(value: object) -> object:
    # Python takes true for 1: a port of 1 is nothing that anybody meant.
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic tells ValueErrors only
    return value


def _root_path(path: str) -> str:
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ValueError("must start with / and not end with it")
    if "//" in path:
        raise ValueError("must not hold //, which would lead to another host")
    return path


def _path(path: Path) -> Path:
    if "\0" in str(path) or len(str(path)) > MAX_TEXT:
        raise ValueError(f"must be a path of at most {MAX_TEXT} characters")
    return path


def _broker_url(url: SecretStr) -> SecretStr:
    problem = "must be amqp://user:password@host:port/vhost, or amqps://, with reserved characters percent-encoded"
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in {"amqp", "amqps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # Its text would hold the part that was taken for a port: a password with a slash ends up there.
        raise ValueError(problem) from None
    if not usable or len(url) > MAX_TEXT:
        raise ValueError(problem)
    return url


Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=86_400)]
PollSeconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1200)]
"""The broker takes a token back, and the whole session with it, that is held for 30 minutes."""

Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=65_535)]
Host = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^\S+$")]
Origin = Annotated[str, Field(max_length=300, pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/\s]+)$")]


class ServerSettings(Section):
    """`[server]`: the API service's HTTP."""

    host: Host = "0.0.0.0"  # noqa: S104 - a container's only sensible default
    port: Port = 8000
    root_path: Annotated[str, AfterValidator(_root_path)] = Field(
        default="", max_length=200, pattern=r"^[A-Za-z0-9/._~-]*$"
    )
    cors_origins: tuple[Origin, ...] = Field(default=("*",), max_length=100)
    max_event_readers: Annotated[int, BeforeValidator(_number)] = Field(default=10_000, ge=0, le=1_000_000)
    workers: Annotated[int, BeforeValidator(_number)] = Field(default=1, ge=1, le=64)


class ReferenceSettings(Section):
    """`[reference]`: the inventory."""

    ref_dir: Annotated[Path, AfterValidator(_path)] = Path("reference-repository/data/chameleoncloud")
    reload_interval_seconds: Seconds = 10


class BrokerSettings(Section):
    """`[broker]`: RabbitMQ."""

    url: Annotated[SecretStr, AfterValidator(_broker_url)] = SecretStr("amqp://guest:guest@localhost/")
    job_queue_type: JobQueueType = JobQueueType.CLASSIC


class SyncSettings(Section):
    """`[sync]`: the sync service's own probes and metrics, and its concurrency."""

    host: Host = "0.0.0.0"  # noqa: S104 - a container's only sensible default
    port: Port = 8081
    max_concurrent_polls: Annotated[int, BeforeValidator(_number)] = Field(default=32, ge=1, le=1000)


class LogSettings(Section):
    """`[log]`."""

    format: LogFormat = LogFormat.AUTO


class CloudSettings(Section):
    """`[….sites.<site_id>]`: where a site's Blazar is."""

    cloud: str = Field(min_length=1, max_length=255, description="a name in clouds.yaml")


SiteClouds = Annotated[
    Mapping[Annotated[str, Field(pattern=f"^{SITE_ID.pattern}$")], CloudSettings], Field(max_length=1000)
]


class AvailabilitySettings(Section):
    """`[availability]`: how sites are polled."""

    poll_interval_seconds: Seconds = 60
    site_timeout_seconds: PollSeconds = 120
    error_backoff_seconds: Seconds = 60
    hosts_interval_seconds: Seconds = 300
    sites: SiteClouds = {}


class FlavorAvailabilitySettings(Section):
    """`[flavor_availability]`: sites that publish the capacity of their flavors."""

    sites: SiteClouds = {}


class SharedSettings(Section):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    reference: ReferenceSettings = ReferenceSettings()
    broker: BrokerSettings = BrokerSettings()
    sync: SyncSettings = SyncSettings()
    log: LogSettings = LogSettings()
    availability: AvailabilitySettings = AvailabilitySettings()
    flavor_availability: FlavorAvailabilitySettings = FlavorAvailabilitySettings()

"""Settings: command line over environment over file over defaults; every error names its source and key.

Both services read the whole shared file, so that one file configures a deployment; what belongs to the other
service is checked all the same.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.logs import LogFormat
from shared.topology import SITE_ID, JobQueueType

DEFAULT_CONFIG: Final = Path("etc/config.toml")
CONFIG_VARIABLE: Final = "REFERENCE_API_CONFIG"
MAX_CONFIG_BYTES: Final = 1024 * 1024

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class Section(BaseModel):
    """A table of the file; an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _root_path(path: str) -> str:
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ValueError("must start with / and not end with it")
    return path


class ServerSettings(Section):
    """`[server]`: the API service's HTTP."""

    host: str = Field(default="0.0.0.0", min_length=1)  # noqa: S104 - a container's only sensible default
    port: Port = 8000
    root_path: Annotated[str, AfterValidator(_root_path)] = Field(
        default="", max_length=200, pattern=r"^[A-Za-z0-9/._~-]*$"
    )
    cors_origins: tuple[Annotated[str, Field(min_length=1, max_length=300)], ...] = Field(
        default=("*",), max_length=100
    )


class ReferenceSettings(Section):
    """`[reference]`: the inventory."""

    ref_dir: Path = Path("reference-repository/data/chameleoncloud")
    reload_interval_seconds: Seconds = 10


def _broker_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("amqp://", "amqps://")):
        raise ValueError("must start with amqp:// or amqps://")
    return url


class BrokerSettings(Section):
    """`[broker]`: RabbitMQ."""

    url: Annotated[SecretStr, AfterValidator(_broker_url)] = SecretStr("amqp://guest:guest@localhost/")
    job_queue_type: JobQueueType = JobQueueType.CLASSIC


class SyncSettings(Section):
    """`[sync]`: the sync service's own probes and metrics, and its concurrency."""

    host: str = Field(default="0.0.0.0", min_length=1)  # noqa: S104 - a container's only sensible default
    port: Port = 8081
    max_concurrent_polls: int = Field(default=32, ge=1, le=1000)


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
    site_timeout_seconds: Seconds = 120
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


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that has a form outside the file."""

    section: str
    key: str
    variable: str | None = None
    flag: str | None = None
    help: str = ""


@dataclass(frozen=True, slots=True)
class Loaded[S: SharedSettings]:
    """Settings, and whether `--debug` was given."""

    settings: S
    debug: bool


def load[S: SharedSettings](
    model: type[S],
    options: Sequence[Option],
    *,
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded[S]:
    """The settings of a service.

    An empty environment variable counts as unset. Any error ends the program with status 2 and one line on
    standard error that names the source and the key, and never a value.
    """
    parser = _parser(prog, description, options)
    arguments = parser.parse_args(argv)
    path, path_source = _config_path(arguments.config, environ)
    data = _read(path, path_source, prog)
    sources: dict[tuple[str, str], str] = {}
    for option in options:
        for source, value in _given(option, arguments, environ):
            section = data.setdefault(option.section, {})
            if isinstance(section, dict):  # else the model says that it is no table
                section[option.key] = value
                sources[option.section, option.key] = source
            break
    try:
        return Loaded(model.model_validate(data, strict=False), arguments.debug)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        _fail(prog, "; ".join(_sentence(each["loc"], each["msg"], sources, path) for each in problems))


def _parser(prog: str, description: str, options: Sequence[Option]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    for option in options:
        if option.flag:
            also = f" (also {option.variable})" if option.variable else ""
            parser.add_argument(option.flag, help=option.help + also, dest=f"{option.section}.{option.key}")
    parser.add_argument("--config", help=f"configuration file, {DEFAULT_CONFIG} if it exists (also {CONFIG_VARIABLE})")
    parser.add_argument("--debug", action="store_true", help="log more; never response bodies or secrets")
    return parser


def _given(option: Option, arguments: argparse.Namespace, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """(source, value) of an option, the stronger source first."""
    found = []
    if option.flag and (value := getattr(arguments, f"{option.section}.{option.key}")) is not None:
        found.append((option.flag, value))
    if option.variable and (value := environ.get(option.variable)):
        found.append((option.variable, value))
    return found


def _config_path(
    flag: str | None, environ: Mapping[str, str]
) -> tuple[Path, Literal["--config", "REFERENCE_API_CONFIG"] | None]:
    if flag is not None:
        return Path(flag), "--config"
    if variable := environ.get(CONFIG_VARIABLE):
        return Path(variable), CONFIG_VARIABLE
    return DEFAULT_CONFIG, None


def _read(path: Path, source: str | None, prog: str) -> dict[str, Any]:
    named = f"{source}: {path}" if source else str(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
        if len(text) > MAX_CONFIG_BYTES:
            _fail(prog, f"{named}: larger than {MAX_CONFIG_BYTES} bytes")
        return tomllib.loads(text.decode())
    except FileNotFoundError:
        if source is None:
            return {}
        _fail(prog, f"{named}: there is no such file")
    except OSError as error:
        _fail(prog, f"{named}: {error.strerror}")
    except UnicodeDecodeError:
        _fail(prog, f"{named}: not UTF-8")
    except tomllib.TOMLDecodeError as error:
        _fail(prog, f"{named}: not TOML: {error}")


def _sentence(location: tuple[int | str, ...], message: str, sources: Mapping[tuple[str, str], str], path: Path) -> str:
    section, key = (*map(str, location), "", "")[:2]
    if message == "Extra inputs are not permitted":
        message = "there is no such setting"
    dotted = ".".join(map(str, location))
    if source := sources.get((section, key)):
        return f"{source} ({dotted}): {message}"
    return f"{path}: {dotted}: {message}"


def _fail(prog: str, sentence: str) -> NoReturn:
    sys.stderr.write(f"{prog}: error: {' '.join(sentence.split())}\n")
    sys.exit(2)

"""Where settings come from: command line over environment over file over defaults.

Any error ends the program with status 2 and one line on standard error that names the source and the key, and
never a value: it may be a secret in the wrong place.
"""

import argparse
import codecs
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, override

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.settings import SharedSettings

DEFAULT_CONFIG: Final = Path("etc/config.toml")
CONFIG_VARIABLE: Final = "REFERENCE_API_CONFIG"
MAX_CONFIG_BYTES: Final = 1024 * 1024
MAX_ERRORS_TOLD: Final = 5

PLAINER: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such setting",
    "model_type": "must be a table",
    "mapping_type": "must be a table",
    "dict_type": "must be a table",
    "path_type": "must be a path",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
    "missing": "is missing",
}
"""What to say instead of pydantic's own words, which speak of Python."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that has a form outside the file: an environment variable, and perhaps a flag."""

    section: str
    key: str
    variable: str
    help: str
    flag: str | None = None

    @property
    def dotted(self) -> str:
        """The key as errors name it."""
        return f"{self.section}.{self.key}"


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
    """The settings of a service. An empty environment variable counts as unset.

    Raises:
        SystemExit: 2 after an error was told; 0 after `--help`.
    """
    arguments, unknown = _parser(prog, description, options).parse_known_args(argv)
    if unknown:
        flag = unknown[0].partition("=")[0] if unknown[0].startswith("--") else "command line"
        _fail(prog, f"{flag}: there is no such argument")
    for name, value in vars(arguments).items():
        if value == "":
            _fail(prog, f"--{name.rpartition('.')[2].replace('_', '-')}: must not be empty")
    path, named = _config_path(arguments.config, environ)
    try:
        data = _read(path, required=named is not None)
    except _UnusableFileError as error:
        _fail(prog, f"{named}: {path}: {error}" if named else f"{path}: {error}")
    sources = _overlay(data, options, arguments, environ)
    try:
        return Loaded(model.model_validate(data), arguments.debug)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_input=False, include_context=False)
        told = [_sentence(error, sources, path) for error in errors[:MAX_ERRORS_TOLD]]
        more = [f"and {len(errors) - len(told)} more"] if len(errors) > len(told) else []
        _fail(prog, "; ".join(told + more))


class _Parser(argparse.ArgumentParser):
    """Tells an error in one line, without the values that argparse would repeat."""

    @override
    def error(self, message: str) -> NoReturn:
        _fail(self.prog, message.partition(" '")[0])


def _parser(prog: str, description: str, options: Sequence[Option]) -> argparse.ArgumentParser:
    silent = ", ".join(f"{option.variable} ({option.help})" for option in options if not option.flag)
    parser = _Parser(prog=prog, description=description, epilog=f"Environment only: {silent}.", allow_abbrev=False)
    for option in options:
        if option.flag:
            told = f"{option.help} (also {option.variable})"
            parser.add_argument(option.flag, help=told, dest=option.dotted, metavar=option.key.upper())
    told = f"configuration file (also {CONFIG_VARIABLE}; {DEFAULT_CONFIG} if it exists)"
    parser.add_argument("--config", help=told, metavar="FILE")
    parser.add_argument("--debug", action="store_true", help="log more of our own doings; never secrets")
    return parser


def _config_path(flag: str | None, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """The file, and what named it: None for the default, which alone may be missing."""
    if flag is not None:
        return Path(flag), "--config"
    if variable := environ.get(CONFIG_VARIABLE):
        return Path(variable), CONFIG_VARIABLE
    return DEFAULT_CONFIG, None


class _UnusableFileError(Exception):
    """Its text says why, without what is in the file."""


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise _UnusableFileError(f"larger than {MAX_CONFIG_BYTES} bytes")
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _UnusableFileError("UTF-16; TOML is UTF-8")
        return tomllib.loads(content.decode("utf-8-sig"))  # some editors mark UTF-8 at its beginning
    except FileNotFoundError:
        if required:
            raise _UnusableFileError("there is no such file") from None
        return {}
    except OSError as error:
        raise _UnusableFileError(error.strerror) from error
    except UnicodeDecodeError:
        raise _UnusableFileError("not UTF-8") from None
    except (ValueError, RecursionError) as error:  # an integer of 5 000 digits is a plain ValueError
        raise _UnusableFileError(f"not TOML: {error}") from error


def _overlay(
    data: dict[str, Any], options: Sequence[Option], arguments: argparse.Namespace, environ: Mapping[str, str]
) -> dict[str, str]:
    """Puts flags and variables over the file's `data`; returns which source each setting then has."""
    sources: dict[str, str] = {}
    for option in options:
        flag = getattr(arguments, option.dotted) if option.flag else None
        value = flag if flag is not None else environ.get(option.variable)
        section = data.setdefault(option.section, {}) if value or flag is not None else None
        if isinstance(section, dict):  # else nothing was given, or the model says that it is no table
            section[option.key] = value
            sources[option.dotted] = option.flag if option.flag and flag is not None else option.variable
    return sources


def _sentence(error: ErrorDetails, sources: Mapping[str, str], path: Path) -> str:
    dotted = ".".join(map(str, error["loc"]))
    message = PLAINER.get(error["type"], error["msg"].removeprefix("Value error, "))
    if source := sources.get(dotted):
        return f"{source} ({dotted}): {message}"
    return f"{path}: {dotted}: {message}"


def _fail(prog: str, sentence: str) -> NoReturn:
    line = "".join(character if character.isprintable() else "?" for character in sentence)
    sys.stderr.write(f"{prog}: error: {line}\n")
    sys.exit(2)

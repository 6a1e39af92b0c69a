"""What is written for people and installers holds: the settings tables and the locked requirements."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import SecretStr

from api_service.settings import OPTIONS as API_OPTIONS
from shared.settings import SharedSettings
from shared.settings_sources import CONFIG_VARIABLE, DEFAULT_CONFIG
from sync_service.settings import OPTIONS as SYNC_OPTIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OPTIONS = {option.dotted: option for option in (*API_OPTIONS, *SYNC_OPTIONS)}


@dataclass(frozen=True)
class Documented:
    """A setting as the README has it."""

    default: str
    variables: frozenset[str]
    flags: frozenset[str]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows() -> Iterator[tuple[list[str], Documented]]:
    """The rows of every table headed `TOML | environment | default`: the settings of a row, and what it says."""
    lines = iter(README.splitlines())
    for line in lines:
        if cells(line)[:3] != ["TOML", "environment", "default"]:
            continue
        assert set(next(lines)) <= set("|-: ")
        for row in lines:
            if not row.startswith("|"):
                break
            toml, environment, default, *rest = cells(row)
            named = re.fullmatch(r"`\[([\w.<>]+)\] ([\w, ]+)`", toml)
            assert named, f"not `[section] key`: {toml}"
            settings = [f"{named[1]}.{key}" for key in named[2].split(", ")]
            flags = frozenset(re.findall(r"`(--[\w-]+)`", " ".join(rest)))
            yield settings, Documented(default, frozenset(re.findall(r"`([A-Z_]+)`", environment)), flags)


DOCUMENTED = {setting: row for settings, row in rows() for setting in settings}


def defaults() -> dict[str, str]:
    """Every setting of the model with its default as TOML writes it, without the quotes of plain words."""
    found: dict[str, str] = {}
    for section, values in SharedSettings():
        for key, value in values:
            if key == "sites":
                found[f"{section}.sites.<site_id>.cloud"] = "none"
            elif isinstance(value, SecretStr):
                found[f"{section}.{key}"] = value.get_secret_value()
            elif isinstance(value, tuple):
                found[f"{section}.{key}"] = str(list(value)).replace("'", '"')
            else:
                found[f"{section}.{key}"] = str(value) or '""'
    return found


def test_the_readme_has_every_setting_and_no_other() -> None:
    assert set(DOCUMENTED) == set(defaults())


@pytest.mark.parametrize("setting", defaults())
def test_the_readme_tells_the_default(setting: str) -> None:
    row = next(settings for settings, _ in rows() if setting in settings)
    told = [each.strip().strip("`") for each in DOCUMENTED[setting].default.split(", ")]
    assert len(told) == len(row)
    assert told[row.index(setting)].removesuffix(".0") == defaults()[setting].removesuffix(".0")


def test_the_readme_tells_every_variable_and_flag_in_the_right_row() -> None:
    for settings, row in rows():
        options = [OPTIONS[setting] for setting in settings if setting in OPTIONS]
        assert row.variables == {option.variable for option in options}
        assert row.flags == {option.flag for option in options if option.flag}


def test_the_readme_tells_where_the_file_is() -> None:
    assert all(f"`{name}`" in README for name in (CONFIG_VARIABLE, "--config", str(DEFAULT_CONFIG), "--debug"))


LOCKS = {name: (ROOT / f"requirements/{name}.txt").read_text() for name in ("build", "run", "dev")}
DEPENDENCIES = PYPROJECT["project"]["dependencies"]
DEVELOPMENT = PYPROJECT["project"]["optional-dependencies"]["dev"]


def pinned(lock: str) -> dict[str, Requirement]:
    joined = re.sub(r"#.*", "", LOCKS[lock]).replace("\\\n", " ")
    requirements = [Requirement(line.partition(" --hash")[0]) for line in joined.splitlines() if line.strip()]
    return {canonicalize_name(each.name): each for each in requirements}


def version_of(requirement: Requirement) -> str:
    [only] = requirement.specifier
    assert only.operator == "=="
    return only.version


@pytest.mark.parametrize(("lock", "wanted"), [("run", DEPENDENCIES), ("dev", DEPENDENCIES + DEVELOPMENT)])
def test_the_locks_hold_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    held = pinned(lock)
    for requirement in map(Requirement, wanted):
        version = version_of(held[canonicalize_name(requirement.name)])
        assert requirement.specifier.contains(version, prereleases=True), f"run `make lock`: {requirement}"


def test_the_locks_agree() -> None:
    services, development, build = pinned("run"), pinned("dev"), pinned("build")
    assert {name: each for name, each in development.items() if name in services} == services
    assert version_of(services["setuptools"]) == version_of(build["setuptools"])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"#.*\n", "", LOCKS[lock]))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCKS[lock]
    assert "--index" not in LOCKS[lock]

"""One clouds.yaml with many clouds, each of which is opened by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from sync_service.adapters import clouds_file
from sync_service.adapters.clouds_file import SharedCloudsConfig


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    clouds_file._PARSED.clear()
    yield
    clouds_file._PARSED.clear()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was parsed as YAML."""
    found: list[Any] = []
    load = yaml.safe_load

    def counted(stream: Any) -> Any:
        found.append(load(stream))
        return found[-1]

    monkeypatch.setattr(yaml, "safe_load", counted)
    return found


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(made))
    write(made, "one", "other")
    return made


def write(file: Path, *names: str) -> None:
    auth = {"auth_url": "http://127.0.0.1:1/v3", "username": "x", "password": "x", "project_name": "x"}
    file.write_text(json.dumps({"clouds": {name: {"auth": auth} for name in names}}))


def names() -> set[str]:
    return set(SharedCloudsConfig().get_cloud_names()) - {"envvars", "defaults"}


def test_a_file_is_parsed_once_for_all_clouds(file: Path, parsed: list[Any]) -> None:
    assert names() == names() == {"one", "other"}
    assert len(parsed) == 1


def test_a_file_that_changed_is_parsed_again(file: Path, parsed: list[Any]) -> None:
    assert names() == {"one", "other"}
    write(file, "third")
    assert names() == {"third"}
    file.unlink()
    assert "third" not in names()
    write(file, "one", "other")
    assert names() == {"one", "other"}


def test_a_file_that_could_not_be_read_is_read_as_soon_as_it_can(file: Path, parsed: list[Any]) -> None:
    file.write_text("{")
    assert names() == set()
    write(file, "one")
    assert names() == {"one"}


def test_what_one_cloud_does_to_its_configuration_is_not_seen_by_another(file: Path) -> None:
    first = SharedCloudsConfig()
    first.cloud_config["clouds"]["one"]["auth"]["password"] = "changed"
    assert SharedCloudsConfig().cloud_config["clouds"]["one"]["auth"]["password"] == "x"

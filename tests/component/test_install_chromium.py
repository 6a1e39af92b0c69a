"""The browser that tests drive: found, or a sentence of why there is none."""

from pathlib import Path

import pytest

from deploy.local.debian_packages import CannotInstallError, Machine, install
from deploy.local.install_chromium import find_chromium


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is all that is searched."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


def program(folder: Path, name: str) -> Path:
    made = folder / name
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_debians_browser_is_found_by_its_name(programs: Path) -> None:
    assert find_chromium() is None
    expected = program(programs, "chromium")
    assert find_chromium() == expected


def test_another_one_may_be_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "chromium")
    mine = program(programs, "mine")
    monkeypatch.setenv("CHROMIUM", str(mine))
    assert find_chromium() == mine


def test_where_nothing_can_be_installed_a_sentence_says_what_is_missing(programs: Path) -> None:
    program(programs, "apt-get")
    with pytest.raises(CannotInstallError, match="Chromium is not installed; as root: apt-get install chromium"):
        install("chromium", "Chromium", Machine(find_chromium, is_root=lambda: False))

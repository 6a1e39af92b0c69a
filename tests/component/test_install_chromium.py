"""The browser that tests drive: found, or a sentence of why there is none."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local import install_chromium
from deploy.local.debian_packages import CannotInstallError, Machine, install
from deploy.local.install_chromium import find_chromium

ROOT = Path(__file__).parents[2]


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


def test_that_there_can_be_no_browser_has_an_exit_code_of_its_own(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        install_chromium.main()
    assert ended.value.code == install_chromium.NO_BROWSER
    assert "Chromium is not installed" in capsys.readouterr().err
    assert list(programs.iterdir()) == []


@pytest.mark.skipif(not shutil.which("make"), reason="without make there are no targets")
@pytest.mark.parametrize(("code", "fails", "told"), [(3, False, "NOT tested"), (1, True, ""), (0, False, "tested all")])
def test_the_page_goes_untested_only_where_there_can_be_no_browser(
    code: int, fails: bool, told: str, tmp_path: Path
) -> None:
    for name, does in (("python", f"exit {code}"), ("pytest", "echo tested all")):
        program(tmp_path, name).write_text(f"#!/bin/sh\n{does}\n")
    command = ["make", "--old-file=environment", f"BIN={tmp_path}", "check-ui"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode != 0) is fails
    assert told in ran.stdout

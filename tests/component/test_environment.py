"""How `make` finds a Python and makes .venv of it; the installing itself is what every other test stands on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/local/environment.sh"
OLD = """#!/bin/sh
exit 1
"""
"""As the shim of a version manager answers, or a Python that is too old."""

NEW = f"""#!/bin/sh
case "$*" in "-m venv"*) echo "made with $0" >>"$MADE"; mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit;; esac
case "$*" in "-m pip install"*) exit;; esac
exec {sys.executable} "$@"
"""
"""The interpreter of these tests, which installs nothing."""


class Project:
    """A copy of the script in a project with nothing to install, and the programs that it may find."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.made = folder / "project", folder / "programs", folder / "made"
        (self.folder / "deploy/local").mkdir(parents=True)
        (self.folder / "requirements").mkdir()
        shutil.copy(SCRIPT, self.folder / "deploy/local")
        for name in ("build", "dev"):
            (self.folder / f"requirements/{name}.txt").touch()
        self.add(self.programs, dirname="", cat="", cksum="", tr="", rm="", head="", mkdir="", cp="")

    def add(self, folder: Path, **programs: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in programs.items():
            program = folder / name.replace("_", ".")
            if text:
                program.write_text(text)
                program.chmod(0o755)
            else:
                program.symlink_to(str(shutil.which(name)))

    def make(self, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.folder / "deploy/local/environment.sh")],
            env={"PATH": str(self.programs), "MADE": str(self.made), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def used(self) -> list[str]:
        return self.made.read_text().splitlines() if self.made.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_version_managers_python_is_found_where_python3_is_too_old(project: Project, tmp_path: Path) -> None:
    home = tmp_path / "home"
    project.add(project.programs, python3=OLD, python3_13=OLD, python3_12=OLD)
    project.add(home / ".pyenv/versions/3.12.1/bin", python3_12=NEW)
    done = project.make(HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert project.used == [f"made with {home}/.pyenv/versions/3.12.1/bin/python3.12"]


def test_a_python_on_the_path_is_found_by_whoever_has_no_home(project: Project) -> None:
    project.add(project.programs, python3=OLD, python3_12=NEW)
    done = project.make()
    assert (done.returncode, done.stderr) == (0, "")
    assert project.used == [f"made with {project.programs}/python3.12"]


def test_a_python_that_is_named_is_taken_or_refused(project: Project, tmp_path: Path) -> None:
    project.add(project.programs, python3_13=NEW)
    project.add(tmp_path, mine=NEW, old=OLD)
    assert project.make(PYTHON=str(tmp_path / "mine")).returncode == 0
    assert project.used == [f"made with {tmp_path}/mine"]
    refused = project.make(PYTHON=str(tmp_path / "old"))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"PYTHON={tmp_path}/old does not run, is older than 3.12")


def test_what_is_whole_is_left_alone_and_what_is_not_is_made_anew(project: Project) -> None:
    project.add(project.programs, python3_13=NEW)
    project.make()
    project.make()
    assert len(project.used) == 1
    (project.folder / ".venv/bin/python").unlink()
    project.make()
    assert len(project.used) == 2
    (project.folder / ".venv/.complete").unlink()
    project.make()
    assert len(project.used) == 3

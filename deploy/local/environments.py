"""Environments of their own under `.cache`, for what needs packages that the services do not."""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

CACHE: Final = Path(".cache")
REQUIREMENTS: Final = Path("requirements")


class InstallError(Exception):
    """Something could not be installed; tells why."""


def environment(name: str, what: str) -> Path:
    """The interpreter of `.cache/<name>`; made anew if the requirements or our own interpreter changed.

    Args:
        name: Of the environment, and of its file under `requirements`.
        what: What it holds, as people call it.

    Raises:
        InstallError: with what pip said.
    """
    folder, build, requirements = CACHE / name, REQUIREMENTS / "build.txt", REQUIREMENTS / f"{name}.txt"
    python = folder.absolute() / "bin/python"
    stamp = folder / ".complete"
    content = f"{sys.version}{python}".encode() + build.read_bytes() + requirements.read_bytes()
    wanted = hashlib.sha256(content).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {what} into {folder} …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    _pip(python, "-r", str(build))
    _pip(python, "--no-build-isolation", "-r", str(requirements))
    stamp.write_text(wanted)
    return python


def _pip(python: Path, *arguments: str) -> None:
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        "--require-hashes",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"pip failed:\n{done.stderr[-3000:]}")

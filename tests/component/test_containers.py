"""Where the tests of the images find a Docker engine, and what is said where there is none."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.containers import __main__ as containers
from deploy.containers import base_images
from deploy.containers import engine as engines
from deploy.containers.engine import Engine, EngineError, engine
from deploy.local.debian_packages import CannotInstallError


class Machine:
    """A machine whose programs are the given ones, as shell scripts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
        monkeypatch.setattr(engines, "DEBIANS_CLIENT", folder / "debians-docker")

    def has(self, name: str, script: str) -> Path:
        program = self.folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def client(version: str, *, builds: bool, answers: bool) -> str:
    """What a client of Docker's does; it tells its version even where no engine answers."""
    plugin, engine_there = ("true" if builds else "false"), ("true" if answers else "false")
    return f'case "$1" in version) echo {version};; buildx) {plugin} && echo v0;; info) {engine_there};; esac'


def test_an_engine_that_answers_is_taken(machine: Machine) -> None:
    docker = machine.has("docker", client("28.2.2", builds=True, answers=True))
    with ExitStack() as stack:
        assert engine(stack) == Engine(docker)


def test_a_client_that_cannot_build_gives_way_to_one_that_can(machine: Machine) -> None:
    machine.has("docker", client("28.2.2", builds=False, answers=True))
    old = machine.has("debians-docker", client("20.10.24+dfsg1", builds=False, answers=True))
    with ExitStack() as stack:
        assert engine(stack).client == old


@pytest.mark.usefixtures("nobody")
def test_without_an_engine_whoever_is_not_root_is_told_so(machine: Machine) -> None:
    machine.has("docker", client("28.2.2", builds=True, answers=False))
    with ExitStack() as stack, pytest.raises(CannotInstallError, match="no Docker engine answers, and only root"):
        engine(stack)


@pytest.mark.usefixtures("nobody")
def test_the_command_ends_with_a_sentence_and_a_status_where_no_engine_can_be_had(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("docker", client("28.2.2", builds=True, answers=False))
    monkeypatch.setattr(containers, "environment", lambda *_: machine.folder / "python")
    assert containers.main(["true"]) == 1
    assert capsys.readouterr().err == "containers: no Docker engine answers, and only root can start one\n"


def test_an_engine_that_does_not_start_is_told_with_its_last_words(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engines, "DATA", tmp_path / "data")
    docker = machine.has("debians-docker", client("20.10.24+dfsg1", builds=False, answers=False))
    daemon = machine.has("dockerd", "echo 'overlay2 is not supported here'; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with ExitStack() as stack, pytest.raises(EngineError, match="overlay2 is not supported here"):
        engine(stack)
    assert docker.exists()
    assert daemon.exists()


@pytest.mark.usefixtures("nobody")
def test_an_image_that_no_hub_has_and_nobody_can_make_is_named(machine: Machine) -> None:
    docker = Engine(machine.has("docker", "exit 1"))
    with pytest.raises(CannotInstallError, match=r"no hub answers for the image python:3\.13-slim, and only root"):
        base_images.make_present(docker, ["python:3.13-slim"])
    with pytest.raises(CannotInstallError, match="other:1, and there is no stand-in"):
        base_images.make_present(docker, ["other:1"])


def test_an_image_that_is_there_or_comes_from_its_hub_is_not_made(machine: Machine) -> None:
    there = Engine(machine.has("docker", '[ "$1" = image ]'))
    base_images.make_present(there, ["python:3.13-slim"])
    pulled = Engine(machine.has("docker", '[ "$1" = pull ]'))
    base_images.make_present(pulled, ["python:3.13-slim"])


def test_an_engine_that_hangs_is_one_that_does_not_answer(machine: Machine) -> None:
    assert not Engine(machine.has("docker", "exec sleep 60")).does("info", seconds=0.1)


def test_there_is_a_stand_in_for_every_image_that_ours_begin_with() -> None:
    assert set(containers.base_images()) == base_images.STAND_INS.keys()

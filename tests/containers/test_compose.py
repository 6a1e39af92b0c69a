"""compose.yaml, brought up for real: the demo, and the services for real sites."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from deploy.containers.engine import Engine, EngineError
from deploy.local.ports import free_ports
from tests.containers.conftest import TAG
from tests.e2e.world import PROJECT
from tests.eventually import until_answered
from tests.repositories import GitRepository

UP_SECONDS = 240
LEASE = """
import json, sys, openstack
from datetime import UTC, datetime, timedelta
from blazarclient.client import Client
cloud = openstack.config.OpenStackConfig().get_one("tacc-alice")
client = Client("1", session=cloud.get_session(), service_type="reservation", region_name="tacc", interface="public")
end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M")
wanted = {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": ""}
wanted["resource_properties"] = json.dumps(["==", "$uid", sys.argv[1]])
print(client.lease.create("lease", "now", end, [wanted], [])["id"])
"""


class Composition:
    """A project of compose.yaml's with a name, tags and a port of its own."""

    def __init__(self, docker: Engine, profile: str, more: Mapping[str, str]) -> None:
        self.docker = docker
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._profile = profile
        # No other environment than a user's: what .env says is taken where no profile is named.
        self._environment = {**docker.environment, "TAG": TAG, "PORT": str(port), **more}

    def says(self, *arguments: str) -> str:
        profile = ("--profile", self._profile) if self._profile else ()
        command = ["docker-compose", "--project-name", "under-test", *profile, *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self.says("ps", "--quiet", service).split()

    @contextmanager
    def up(self) -> Iterator[None]:
        try:
            self.says("up", "--wait", f"--wait-timeout={UP_SECONDS}", "--no-build", "--quiet-pull")
            yield
        except AssertionError as error:
            error.add_note(self.says("logs", "--no-color", "--tail=30"))
            raise
        finally:
            self.says("down", "--volumes", "--timeout=10")


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def get(http: ClientSession, url: str) -> Any:
    async with http.get(url) as response:
        assert response.status == 200, url
        return await response.json()


async def test_the_demo_shows_a_lease_as_soon_as_it_is_made_and_heals_from_a_killed_replica_and_a_killed_broker(
    docker: Engine, http: ClientSession
) -> None:
    demo = Composition(docker, "demo", {})
    with demo.up():
        polling, other = demo.containers("demo-sync")
        free = await until_answered(partial(a_leased_node, docker, http, demo.url, polling), within=120)
        await until_answered(partial(is_in_state, http, demo.url, free, "reserved"), within=30)

        docker.says("kill", polling)
        await until_answered(partial(is_polled_again, http, demo.url, await synced(http, demo.url)), within=60)
        docker.says("kill", *demo.containers("demo-rabbitmq"))
        # A container that was killed by hand is not restarted by itself.
        demo.says("up", "--wait", f"--wait-timeout={UP_SECONDS}", "--no-build")
        assert await is_in_state(http, demo.url, free, "reserved")
        await until_answered(partial(is_polled_again, http, demo.url, await synced(http, demo.url)), within=60)
        assert other in demo.containers("demo-sync")
        assert all(is_confined(docker, each) for each in demo.containers("demo-api") + demo.containers("demo-sync"))
    assert not demo.says("ps", "--all", "--quiet").split()


async def a_leased_node(docker: Engine, http: ClientSession, url: str, container: str) -> Any:
    """A node that was free and has a lease of ours now; None if there is none, or the demo was faster."""
    found = await get(http, f"{url}/nodes/search?site_id=tacc&availability=available")
    for node in found["items"][:1]:
        try:
            docker.says("exec", container, "python", "-c", LEASE, node["uid"])
        except EngineError as refused:
            if "Not enough" not in str(refused):
                raise
        else:
            return node
    return None


async def is_in_state(http: ClientSession, url: str, node: Mapping[str, Any], state: str) -> bool:
    found = await get(http, f"{url}/nodes/search?site_id=tacc&availability={state}")
    return node["uid"] in {item["uid"] for item in found["items"]}


async def synced(http: ClientSession, url: str) -> str:
    return str((await get(http, f"{url}/sites/tacc/availability"))["last_synced"])


async def is_polled_again(http: ClientSession, url: str, before: str) -> bool:
    return await synced(http, url) > before


def is_confined(docker: Engine, container: str) -> bool:
    found = json.loads(docker.says("inspect", container))[0]
    host, config = found["HostConfig"], found["Config"]
    published = [each["HostIp"] for ports in (host["PortBindings"] or {}).values() for each in ports]
    return (
        host["ReadonlyRootfs"]
        and host["CapDrop"] == ["ALL"]
        and "no-new-privileges:true" in host["SecurityOpt"]
        and host["Memory"] > 0
        and not host["Privileged"]
        and config["User"] == "10001:10001"
        and set(published) <= {"127.0.0.1"}
    )


async def test_the_services_for_real_sites_come_up_with_an_inventory_and_no_cloud_and_know_of_nothing_free(
    docker: Engine, http: ClientSession, tmp_path: Path
) -> None:
    repository = GitRepository.of_sample(tmp_path / "repository")
    no_clouds = {"OPENSTACK_DIR": str(repository.data)}
    sites = Composition(docker, "", {"REFERENCE_REPOSITORY": str(repository.folder), **no_clouds})
    with sites.up():
        found = await get(http, f"{sites.url}/nodes/search")
        assert found["items"]
        assert {item["availability"] for item in found["items"]} == {"unknown"}
        assert len(sites.containers("sync")) == 2
        assert not sites.says("ps", "--quiet", "demo-cloud").split()


def test_compose_itself_finds_nothing_wrong(docker: Engine) -> None:
    for profile in ("", "demo"):
        Composition(docker, profile, {}).says("config", "--quiet")

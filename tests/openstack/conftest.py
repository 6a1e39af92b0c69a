"""A real Keystone and Blazar, of whose clouds.yaml `REFERENCE_API_TEST_CLOUDS` tells; without it nothing is collected.

The file has the clouds `<site>` (an application credential that reads), `<site>-mr` (the same with both sites'
regions in its catalog), `<site>-alice` (who may make leases) and `<site>-admin` (who operates the sites) of the
sites `uc` and `tacc`, which are seeded as `deploy.local.real_openstack` does.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from aiohttp import ClientSession

from deploy.local.openstack.listener import Listener
from deploy.local.rabbitmq import RabbitNode
from sync_service.adapters.blazar import BlazarFlavors, BlazarSite
from tests.blazar_cases import SHORT, TIMEOUT, CloudUnderTest
from tests.e2e.world import World
from tests.openstack.forwarder import Forwarder
from tests.openstack.real_cloud import RealTestCloud
from tests.openstack_answers import Cloud
from tests.rabbitmq import add_vhost
from tests.repositories import GitRepository

VARIABLE = "REFERENCE_API_TEST_CLOUDS"
SITE, OTHER_SITE = "uc", "tacc"

type Row = Callable[[str, str, str, str], None]

NUMBERS = count()
ROWS = pytest.StashKey[list[str]]()

collect_ignore_glob = [] if os.environ.get(VARIABLE) else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("openstack")


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """Notes a fault: what is done, of which kind it is told to be and how, and how long after it all is current."""
    rows = request.config.stash.setdefault(ROWS, [])

    def note(done: str, kind: str, told: str, healed: str) -> None:
        rows.append(f"| {done} | {kind} | {told} | {healed} |")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("as seen")
        for line in ("| what fails | kind | what is told | current again after |", "|---|---|---|---|", *rows):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def real_clouds() -> Path:
    return Path(os.environ[VARIABLE])


@pytest.fixture
def document(real_clouds: Path) -> dict[str, Any]:
    """What clouds.yaml says, to be changed."""
    read: dict[str, Any] = yaml.safe_load(real_clouds.read_text())
    return read


@pytest.fixture(scope="session")
def asked(real_clouds: Path) -> Cloud:
    return Cloud(real_clouds, SITE)


@pytest.fixture
async def cloud(
    asked: Cloud, document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CloudUnderTest]:
    """The real cloud behind two forwarders, and a clouds.yaml that leads to them."""
    keystone_origin, keystone_path = _split(asked.auth_url)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())
        keystone, blazar = (Listener(Forwarder(origin, session).app) for origin in (keystone_origin, asked.blazar))
        for listener in (keystone, blazar):
            await listener.start()
            stack.push_async_callback(listener.stop)
        path = tmp_path / "clouds.yaml"
        document["clouds"][SITE]["auth"]["auth_url"] = keystone.url + keystone_path
        document["clouds"][SITE]["reservation_endpoint_override"] = f"{blazar.url}/v1"
        path.write_text(json.dumps(document))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
        hostname = await asyncio.to_thread(_bookable, asked)
        yield CloudUnderTest(
            path, SITE, OTHER_SITE, hostname, blazar, keystone, await asyncio.to_thread(_people, asked)
        )


@pytest.fixture
def source(cloud: CloudUnderTest) -> Iterator[BlazarSite]:
    source = BlazarSite(cloud.site, timeout=TIMEOUT)
    yield source
    source.close()


@pytest.fixture
def hasty_source(cloud: CloudUnderTest) -> Iterator[BlazarSite]:
    source = BlazarSite(cloud.site, timeout=5 * SHORT)
    yield source
    source.close()


@pytest.fixture
def flavors(cloud: CloudUnderTest) -> Iterator[BlazarFlavors]:
    source = BlazarFlavors(cloud.site, timeout=TIMEOUT)
    yield source
    source.close()


@pytest.fixture
async def real_cloud(real_clouds: Path, tmp_path: Path) -> AsyncIterator[RealTestCloud]:
    """The real cloud, for both services."""
    async with RealTestCloud(real_clouds, tmp_path / "clouds.yaml") as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.of_sample(tmp_path / "repository")


@pytest.fixture
async def world(
    rabbitmq: RabbitNode, real_cloud: RealTestCloud, repository: GitRepository, tmp_path: Path
) -> AsyncIterator[World]:
    url = add_vhost(rabbitmq, f"world{next(NUMBERS)}")
    # Its host list takes a while.
    async with World(real_cloud, repository, url, tmp_path / "world", poll_seconds=0.6, site_timeout_seconds=4) as made:
        yield made


def _split(url: str) -> tuple[str, str]:
    """Origin and path."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path


def _bookable(cloud: Cloud) -> str:
    """A host that is free for a while and may be reserved."""
    free = {
        row["resource_id"]
        for row in cloud.get(f"{cloud.blazar}/v1/os-hosts/allocations").json()["allocations"]
        if row["reservations"] == []
    }
    hosts = cloud.get(f"{cloud.blazar}/v1/os-hosts").json()["hosts"]
    return str(
        next(row["uid"] for row in hosts if row["id"] in free and row["reservable"] and row["hypervisor_hostname"])
    )


def _people(cloud: Cloud) -> tuple[str, ...]:
    """Whose names the real one tells."""
    rows = cloud.get(f"{cloud.blazar}/v1/os-hosts/allocations").json()["allocations"]
    return tuple({each["extras"]["user_name"] for row in rows for each in row["reservations"]})

"""The services and their broker, started in any order."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.rabbitmq import RabbitNode
from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS, until_answered
from tests.repositories import GPU_NODE, TACC_NODES

NODE = f"/{TACC_NODES}/{GPU_NODE}"
BOOT_SECONDS = 60


@pytest.fixture
async def late_broker(tmp_path: Path) -> AsyncIterator[RabbitNode]:
    """One that nobody has started yet."""
    node = RabbitNode(tmp_path / "late")
    yield node
    node.close()


async def until_status(world: World, service: Service, path: str, status: int, *, within: float = LONG_SECONDS) -> None:
    async def answered() -> bool:
        with suppress(OSError):
            return (await world.answer(service, path))[0] == status
        return False

    await until_answered(answered, within=within)


async def test_both_services_listen_without_a_broker_and_are_ready_and_synced_once_there_is_one(
    world: World, late_broker: RabbitNode
) -> None:
    world.broker_url = late_broker.url
    api, sync = services = world.start("api_service"), world.start("sync_service")
    for service in services:
        await until_status(world, service, "/healthz", 200)
        await until_status(world, service, "/readyz", 503)
        assert "guest:guest" not in str(await world.get(service, "/status"))
    assert (await until_answered(lambda: world.get(api, NODE)))["uid"] == GPU_NODE
    assert (await world.get(api, "/nodes/search?availability=available"))["items"] == []

    late_broker.launch()
    for service in services:
        await until_status(world, service, "/readyz", 200, within=BOOT_SECONDS)
    await world.until_synced(api, *world.cloud.site_ids)
    assert (await world.get(api, f"{NODE}/availability"))["availability"] == "available"
    for service in (api, sync):
        assert service.process.poll() is None
        told = [line["event"] for line in service.lines()]
        assert told.count("broker session begun") >= 1
        assert "loop died" not in told


@pytest.mark.parametrize(
    "order",
    [("api_service", "sync_service"), ("sync_service", "api_service")],
    ids=["the API", "the sync service"],
)
async def test_whichever_service_starts_first_is_ready_alone_and_the_two_are_synced_once_both_run(
    order: tuple[str, str], world: World
) -> None:
    started = {}
    for module in order:
        started[module] = world.start(module)
        await until_status(world, started[module], "/readyz", 200)
    await world.until_synced(started["api_service"], *world.cloud.site_ids)

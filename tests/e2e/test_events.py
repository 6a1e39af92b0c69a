"""The live feed as users follow it: processes, a real broker, and replicas that come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS
from tests.followed import Client
from tests.repositories import GPU_NODE


@asynccontextmanager
async def followed(world: World, api: Service, client: Client) -> AsyncIterator[list[str]]:
    """Reads on beside the test until the stream ends; the names of the events with their sites."""
    names: list[str] = []

    async def read() -> None:
        headers = {"Last-Event-ID": client.last_event_id} if client.last_event_id else {}
        async with world.http.get(f"{api.url}/events", headers=headers) as response:
            assert response.status == 200
            while text := await response.content.readuntil(b"\n\n"):
                if event := client.read(text.decode()):
                    names.append(f"{event[0]} {event[1].get('site_id', '')}".strip())

    reading = asyncio.create_task(read())
    try:
        yield names
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def state(client: Client) -> str | None:
    """Of the node that is booked."""
    nodes = client.sites.get("tacc", {"nodes": {}})["nodes"]
    return next((str(node["availability"]) for node in nodes.values() if node["node_id"] == GPU_NODE), None)


async def until_state(client: Client, wanted: str) -> None:
    async with asyncio.timeout(LONG_SECONDS):
        while state(client) != wanted:  # noqa: ASYNC110 - what is read knows nothing of us
            await asyncio.sleep(0.01)


async def assert_as_answered(world: World, api: Service, client: Client) -> None:
    """What the client has of each node is what the calendar tells, while nobody polls."""
    items = (await world.get(api, "/nodes/availability"))["items"]
    for item in items:
        site = client.sites[item["site_id"]]
        node = site["nodes"][f"{item['cluster_id']}/{item['node_id']}"]
        assert {**node, "site_id": item["site_id"], "last_updated": site["last_updated"]} == {
            key: value for key, value in item.items() if key not in {"links", "stale", "node_name", "node_type"}
        }
    assert sum(len(site["nodes"]) for site in client.sites.values()) == len(items)


async def test_who_follows_one_replica_goes_on_at_another_and_at_one_that_was_restarted(world: World) -> None:
    first, second, sync = await asyncio.gather(world.api(), world.api(), world.sync())
    await asyncio.gather(*(world.until_synced(api, "tacc", "uc") for api in (first, second)))
    client = Client()
    async with followed(world, first, client) as names:
        await until_state(client, "available")
        assert names[0] == "inventory"
        lease = await world.cloud.book("tacc", GPU_NODE)
        await until_state(client, "reserved")
        first.kill(signal.SIGTERM)
    restarted = asyncio.create_task(world.api())
    await world.cloud.cancel("tacc", lease)
    await world.until_polled_again(second, "tacc")
    async with followed(world, second, client) as names:
        await until_state(client, "available")
        assert [name for name in names if name.startswith("resync")] == []
    await world.cloud.book("tacc", GPU_NODE)
    await world.until_polled_again(second, "tacc")
    sync.kill()
    async with followed(world, await restarted, client):
        await until_state(client, "reserved")
        await assert_as_answered(world, await restarted, client)
    assert client.led_back == []

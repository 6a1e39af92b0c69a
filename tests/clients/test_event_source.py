"""What a page that has no `EventSource` of its own, or wants headers, follows events with."""

import asyncio

from tests.clients.conftest import Follow
from tests.e2e.world import World
from tests.eventually import until
from tests.repositories import GPU_NODE
from tests.tcp_proxy import TcpProxy


async def test_event_source_polyfill_goes_on_where_its_connection_was_cut(world: World, follow: Follow) -> None:
    world.poll_seconds = 2  # it comes back after five seconds at most, and ten polls are remembered
    api, _ = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    port = int(api.url.rpartition(":")[2])
    async with TcpProxy(port).listening() as wire, follow(f"http://127.0.0.1:{wire.port}/events") as heard:
        # Of each of the sample's sites.
        await until(lambda: [each["type"] for each in heard].count("resync") == 4)
        wire.cut()
        await world.cloud.book("tacc", GPU_NODE)

        def reserved() -> bool:
            nodes = [node for each in heard if each["type"] == "availability" for node in each["data"]["nodes"]]
            return (GPU_NODE, "reserved") in [(node["node_id"], node["availability"]) for node in nodes]

        await until(reserved)
    kinds = [each["type"] for each in heard]
    assert "resync" not in kinds[kinds.index("error") :]
    assert not [each for each in heard if each.get("closed")]

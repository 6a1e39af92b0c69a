"""Clients of Grid'5000, unchanged, find what there is, and take only what is free."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.availability import Interval
from tests.clients.conftest import Run
from tests.e2e import oddities
from tests.e2e.world import Service, World
from tests.repositories import GPU_NODE, HASWELL_NODE

ODD = (*oddities.HOSTNAMES, oddities.MISSING)
SLOTS = [(timedelta(), 1), (timedelta(minutes=45), 1), (timedelta(hours=2), 24), (timedelta(days=30), 300)]
"""From now, and the hours that a job takes."""


async def pair(world: World) -> Service:
    """A booked node, one in maintenance, all odd ones, one that Blazar does not list, and two sites never synced."""
    oddities.enrol(world.repository, *ODD)
    await world.cloud.book("tacc", GPU_NODE)
    await world.cloud.set_reservable("tacc", HASWELL_NODE, reservable=False)
    api, _ = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    return api


async def uids(world: World, api: Service, path: str) -> list[str]:
    return [each["uid"] for each in (await world.get(api, path))["items"]]


async def test_enoslib_takes_the_nodes_that_a_search_finds_and_none_that_is_booked(world: World, run: Run) -> None:
    api = await pair(world)
    now = datetime.now(UTC).replace(microsecond=0)
    during = [Interval(now + later, now + later + timedelta(hours=hours)) for later, hours in SLOTS]
    slots = [f"{each.start.timestamp():.0f}:{(each.end - each.start).total_seconds():.0f}" for each in during]
    taken = await run("enoslib_slots.py", api.url, "tacc", "chameleon", *slots)
    for slot, nodes in zip(during, taken, strict=True):
        window = f"start={slot.start:%Y-%m-%dT%H:%M:%SZ}&end={slot.end:%Y-%m-%dT%H:%M:%SZ}"
        assert nodes == sorted(await uids(world, api, f"/nodes/search?site_id=tacc&cluster_id=chameleon&{window}"))
        for node in nodes:
            booked = await world.cloud.bookings("tacc", node)
            assert not [each for each in booked if each.start < slot.end and slot.start < each.end]
    assert [GPU_NODE in nodes for nodes in taken] == [False, False, True, True]
    assert not {HASWELL_NODE, oddities.DISABLED, oddities.MISSING} & {node for nodes in taken for node in nodes}


async def test_enoslib_takes_no_node_of_a_site_that_was_never_synced(world: World, run: Run) -> None:
    api = await pair(world)
    assert len(await uids(world, api, "/sites/kvm/clusters/chameleon/nodes")) == 1
    assert await run("enoslib_slots.py", api.url, "kvm", "chameleon", "4000000000:3600") == [[]]


async def test_python_grid5000_walks_from_the_root_to_each_version_of_each_node(world: World, run: Run) -> None:
    api = await pair(world)
    found = await run("grid5000_walk.py", api.url)
    lists = {path: each for path, each in found.items() if path != "/" and not path.endswith("/status")}
    for path, listed in lists.items():
        assert listed == await uids(world, api, path), path
    nodes = [uid for path, each in lists.items() if path.endswith("/nodes") for uid in each]
    assert len(nodes) == len(await uids(world, api, "/nodes/search"))
    assert sum(path.endswith("/versions") for path in lists) > len(nodes)
    cluster = "/sites/tacc/clusters/chameleon"
    assert found[f"{cluster}/status"] == found["/sites/tacc/status"] == sorted(found[f"{cluster}/nodes"])


async def test_execo_finds_every_site_cluster_and_host_with_its_attributes(world: World, run: Run) -> None:
    api = await pair(world)
    found = await run("execo_walk.py", api.url)
    sites = await uids(world, api, "/sites")
    assert sorted(found["sites"]) == sorted(sites)
    assert found["clusters"] == {site: await uids(world, api, f"/sites/{site}/clusters") for site in sites}
    nodes: list[dict[str, Any]] = (await world.get(api, "/nodes/search"))["items"]
    for site in sites:
        for cluster, hosts in found["hosts"][site].items():
            assert hosts == await uids(world, api, f"/sites/{site}/clusters/{cluster}/nodes")
    assert {host: attributes["node_type"] for host, attributes in found["attributes"].items()} == {
        node["uid"]: node["node_type"] for node in nodes
    }
    assert found["network_equipments"] == {site: [] for site in sites}

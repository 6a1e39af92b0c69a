"""The two services as users run them: processes, a real broker, HTTP."""

import asyncio
import signal
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

from deploy.local.openstack.bookings import STRANGER
from shared.availability import Interval
from tests.e2e import oddities
from tests.e2e.cloud import FAULTS
from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS, until, until_answered
from tests.repositories import GPU_NODE, HASWELL_NODE, TACC_NODES

NODES = f"/{TACC_NODES}"
NODE = f"{NODES}/{GPU_NODE}"


async def state_of(world: World, api: Service, node: str = NODE) -> str:
    body = await world.get(api, f"{node}/availability")
    return str(body["availability"]) if body else "none"


async def until_state(world: World, api: Service, state: str, node: str = NODE) -> None:
    async def reached() -> bool:
        return await state_of(world, api, node) == state

    await until_answered(reached)


async def test_a_lease_is_seen_on_every_replica_after_the_next_poll_and_so_is_its_end(world: World) -> None:
    first, second, _ = await asyncio.gather(world.api(), world.api(), world.sync())
    for api in (first, second):
        await until_state(world, api, "available")
    lease = await world.cloud.book("tacc", GPU_NODE)
    for api in (first, second):
        await until_state(world, api, "reserved")
    await world.cloud.cancel("tacc", lease)
    for api in (first, second):
        await until_state(world, api, "available")


async def test_killing_the_sync_service_changes_nothing_but_the_age_and_a_fresh_replica_has_everything(
    world: World,
) -> None:
    await world.cloud.book("tacc", GPU_NODE)
    api, sync = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    await until_state(world, api, "reserved")
    sync.kill()
    before = await everything(world, api)
    fresh = await world.api()

    async def stale() -> bool:
        return bool((await world.get(fresh, f"{NODE}/availability"))["stale"])

    await until_answered(stale)
    for replica in (api, fresh):
        assert await everything(world, replica) == before


async def everything(world: World, api: Service) -> dict[str, Any]:
    """What a search tells of every node, less what changes with time alone."""
    items = (await world.get(api, "/nodes/search"))["items"]
    return {item["uid"]: {key: value for key, value in item.items() if key != "stale"} for item in items}


async def test_a_fault_of_a_site_leaves_its_last_good_state_with_its_age_and_the_other_sites_alone(
    world: World,
) -> None:
    await world.cloud.book("tacc", GPU_NODE)
    api, sync = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    await until_state(world, api, "reserved")

    async def told(event: str, *, times: int, stale: bool) -> bool:
        site = await world.get(api, "/sites/tacc/availability")
        return events(sync)[event] == times and site["stale"] is stale

    async def goes_on() -> bool:
        return await world.age(api, "uc") < await world.age(api, "tacc")

    for number, fault in enumerate(FAULTS, 1):
        await world.cloud.break_with("tacc", fault)
        await until_answered(partial(told, "site unreachable", times=number, stale=True))
        assert await state_of(world, api) == "reserved", fault
        await until_answered(goes_on)
        await world.cloud.mend("tacc")
        await until_answered(partial(told, "site recovered", times=number, stale=False))


def events(service: Service) -> Counter[str]:
    return Counter(str(line["event"]) for line in service.lines() if line.get("site_id") == "tacc")


async def test_maintenance_and_what_blazar_does_not_list_are_never_shown_as_free(world: World) -> None:
    oddities.enrol(world.repository, oddities.DISABLED, oddities.MISSING)
    await world.cloud.set_reservable("tacc", GPU_NODE, reservable=False)
    api, _ = await asyncio.gather(world.api(), world.sync())
    await until_state(world, api, "maintenance")
    found = await everything(world, api)
    assert found[oddities.DISABLED]["availability"] == "maintenance"
    assert found[oddities.MISSING]["availability"] == "unknown"
    status, problem = await world.answer(api, f"{NODES}/{oddities.MISSING}/availability")
    assert (status, problem["type"]) == (404, "urn:reference-api:not-listed")
    window = "start=2030-01-01&end=2030-01-02"
    free = {item["uid"] for item in (await world.get(api, f"/nodes/search?site_id=tacc&{window}"))["items"]}
    assert HASWELL_NODE in free
    assert not free & {GPU_NODE, oddities.DISABLED, oddities.MISSING}


async def test_bookings_that_overlap_or_touch_are_one_and_a_host_that_nobody_knows_is_nowhere(world: World) -> None:
    nodes = len(list((world.repository.data / TACC_NODES).iterdir()))
    oddities.enrol(world.repository, oddities.BACK_TO_BACK, oddities.OVERLAPPING)
    api, _ = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc")
    for node in (oddities.BACK_TO_BACK, oddities.OVERLAPPING):
        body = await world.get(api, f"{NODES}/{node}/availability")
        first, second = await world.cloud.bookings("tacc", node)
        assert intervals_in(body) == [Interval(min(first.start, second.start), max(first.end, second.end))]
        assert body["availability"] == "reserved"
        assert body["availability_until"] == body["reservations"][0]["end"]
    assert (await world.get(api, "/sites/tacc/availability"))["synced_node_count"] == nodes + len(oddities.HOSTNAMES)
    assert STRANGER not in await everything(world, api)
    for path in (f"{NODES}/{STRANGER}", f"{NODES}/{STRANGER}/availability"):
        assert (await world.answer(api, path))[0] == 404


def intervals_in(body: Any) -> list[Interval]:
    return [Interval(*map(datetime.fromisoformat, (each["start"], each["end"]))) for each in body["reservations"]]


async def test_flavors_are_published_over_time(world: World) -> None:
    api, _ = await asyncio.gather(world.api(), world.sync())
    body = await until_answered(lambda: world.get(api, "/sites/kvm/flavors/m1.large/availability"))
    assert body["availability"]
    assert all(0 <= each["available"] <= each["total"] for each in body["availability"])
    ends = [each["end"] for each in body["availability"][:-1]]
    assert ends == [each["start"] for each in body["availability"][1:]]


async def test_every_link_that_can_be_reached_from_the_root_answers(world: World) -> None:
    api, _ = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    waiting, seen, wrong = [("/", "self")], set[str](), []
    while waiting:
        href, rel = waiting.pop()
        if href in seen:
            continue
        seen.add(href)
        async with world.http.get(api.url + href) as response:
            if response.status != 200 and not (rel in ("availability", "earliest") and response.status in (404, 503)):
                wrong.append((href, rel, response.status))
            # What a document shows as an example is no link.
            if response.content_type == "application/json" and rel not in ("openapi", "asyncapi"):
                waiting += links_in(await response.json())
    assert not wrong
    assert len(seen) > 100


def links_in(body: Any) -> list[tuple[str, str]]:
    if isinstance(body, dict):
        own = [(str(link["href"]), str(link["rel"])) for link in body.get("links", ()) if isinstance(link, dict)]
        return own + [found for value in body.values() for found in links_in(value)]
    return [found for value in body for found in links_in(value)] if isinstance(body, list) else []


async def test_both_stop_in_good_order_even_while_a_poll_hangs(world: World) -> None:
    api, sync = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc")
    await world.cloud.break_with("tacc", "hang")
    await until(lambda: events(sync)["site unreachable"] == 1)
    for service in (api, sync):
        service.process.send_signal(signal.SIGTERM)
    for service in (api, sync):
        assert service.process.wait(LONG_SECONDS) == 0


async def test_the_two_replicas_of_the_sync_service_share_the_sites_and_one_takes_over_from_the_other(
    world: World,
) -> None:
    api, first, second = await asyncio.gather(world.api(), world.sync(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    await world.until_polled_again(api, "tacc")
    first.kill()
    for site_id in ("tacc", "uc"):
        await world.until_polled_again(api, site_id)
    assert second.process.poll() is None

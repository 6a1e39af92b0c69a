"""Several processes of the API service on one port."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS, until, until_answered
from tests.repositories import GPU_NODE, TACC_NODES

AVAILABILITY = f"/{TACC_NODES}/{GPU_NODE}/availability"
COUNT = 2


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pids: Sequence[int]) -> list[int]:
    found = []
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


async def workers(world: World) -> Service:
    """All of whom take connections."""
    world.workers = COUNT
    service = await world.api()
    await until_answered(lambda: met(world, service))
    return service


async def status(world: World, service: Service) -> dict[str, object]:
    """Of whichever worker takes a new connection."""
    async with world.http.get(f"{service.url}/status", headers={"Connection": "close"}) as response:
        told: dict[str, object] = await response.json()
        return told


async def met(world: World, service: Service) -> bool:
    """Whether several questions at once were answered by all workers."""
    told = await asyncio.gather(*(status(world, service) for _ in range(20)), return_exceptions=True)
    return {each["worker"] for each in told if isinstance(each, dict)} == set(range(1, COUNT + 1))


async def ended(service: Service, number: signal.Signals) -> int:
    """With which status."""
    service.process.send_signal(number)
    return await asyncio.to_thread(service.process.wait, LONG_SECONDS)


async def test_workers_share_a_port_and_each_knows_what_the_polls_found(world: World) -> None:
    service = await workers(world)
    await world.sync()
    await world.until_synced(service, *world.cloud.site_ids)
    states: set[tuple[object, object]] = set()

    async def all_know() -> bool:
        for _ in range(10):
            told = await status(world, service)
            known = [site for site in told["sites"] if site["site_id"] in world.cloud.site_ids]  # type: ignore[attr-defined]
            if all(site["last_synced"] for site in known):
                states.add((told["worker"], told["ready"]))
        return states == {(number, "yes") for number in range(1, COUNT + 1)}

    await until_answered(all_know)
    async with world.http.get(f"{service.url}{AVAILABILITY}") as response:
        assert (await response.json())["availability"] == "available"


async def test_a_worker_that_dies_is_replaced_while_the_others_answer(world: World) -> None:
    service = await workers(world)
    before = children_of(service.process.pid)
    os.kill(before[0], signal.SIGKILL)

    async def replaced() -> bool:
        # A connection that the dead one had accepted is gone with it; any new one is answered.
        assert (await status(world, service))["ready"] == "yes"
        return len(children_of(service.process.pid)) == COUNT and before[0] not in children_of(service.process.pid)

    await until_answered(replaced)
    await until_answered(lambda: met(world, service))
    (died,) = [line for line in service.lines() if line["event"] == "worker died"]
    assert (died["worker"], died["status"], died["pause_seconds"]) == (1, -signal.SIGKILL, 1.0)
    assert [line["worker"] for line in service.lines() if line["event"] == "worker started"] == [1, 2, 1]


async def test_all_workers_end_with_their_parent_in_good_order(world: World) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        service = await workers(world)
        pids = children_of(service.process.pid)
        assert await ended(service, number) == 0
        assert not alive(pids)
        told = [line["event"] for line in service.lines()]
        assert "worker died" not in told
        assert "worker killed" not in told


async def test_a_worker_that_does_not_end_is_killed_and_the_status_tells(world: World) -> None:
    service = await workers(world)
    pids = children_of(service.process.pid)
    os.kill(pids[1], signal.SIGSTOP)
    assert await ended(service, signal.SIGTERM) == 1
    assert not alive(pids)
    assert [line["worker"] for line in service.lines() if line["event"] == "worker killed"] == [2]


async def test_workers_end_when_their_parent_is_gone(world: World) -> None:
    service = await workers(world)
    pids = children_of(service.process.pid)
    service.kill()
    await until(lambda: not alive(pids))
    assert [line["reasons"] for line in service.lines() if line["event"] == "worker ends itself"] == [
        ["the parent is gone"] for _ in pids
    ]


async def test_workers_that_are_told_twice_to_end_do_so_in_good_order_all_the_same(world: World) -> None:
    service = await workers(world)
    # As by a service manager that tells every process, while the parent tells its own.
    for pid in children_of(service.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert await ended(service, signal.SIGTERM) == 0


async def test_one_worker_is_a_process_like_any_other(world: World) -> None:
    service = await world.api()
    assert children_of(service.process.pid) == []
    told = await status(world, service)
    assert "worker" not in told

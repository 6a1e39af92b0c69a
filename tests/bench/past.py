"""The inventory as it was: a commit that is read for the first time, and one that is kept."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from tests.bench.cases import NODES
from tests.bench.client import Load, cpu_of, load, request
from tests.bench.running import Server
from tests.bench.world import World
from tests.repositories import GitRepository, write

TIMES: Final = 15


@dataclass(frozen=True)
class Costs:
    """Seconds of one request: on the clock, and of processor."""

    took: float
    cpu: float


def repository(world: World, folder: Path) -> tuple[Path, str]:
    """One of two commits, in the first of which a tenth of the nodes was missing; the inventory, and that commit."""
    made = GitRepository(folder)
    write(made.data / "chameleoncloud.json", {"uid": "chameleoncloud", "type": "grid"})
    for uid, document in world.sites.items():
        write(made.data / f"sites/{uid}/{uid}.json", document)
    first = ""
    for rest in (range(1, 10), range(1)):
        for number, (place, document) in enumerate(world.documents.items()):
            folder = made.data / f"sites/{place.site_id}/clusters/{place.cluster_id}"
            if number % 10 in rest:
                write(folder / f"{place.cluster_id}.json", {"uid": place.cluster_id, "type": "cluster"})
                write(folder / f"nodes/{place.uid}.json", document)
        first = first or made.commit("the first nodes")
    made.commit("the others")
    return made.data, first


def cold(server: Server, version: str) -> Costs:
    """A list of 313 nodes at a commit of which nothing is kept."""
    found = []
    for _ in range(TIMES):
        server.say("POST", "/bench/forget")
        began, cpu = time.perf_counter(), cpu_of(server.pid)
        server.say("GET", f"{NODES}?version={version}")
        found.append(Costs(time.perf_counter() - began, cpu_of(server.pid) - cpu))
    return Costs(median(each.took for each in found), median(each.cpu for each in found))


def anew(server: Server, path: str) -> Costs:
    """A search that nobody asked for before."""
    found = []
    for offset in range(TIMES):
        began, cpu = time.perf_counter(), cpu_of(server.pid)
        server.say("GET", f"{path}{'&' if '?' in path else '?'}offset={offset}")
        found.append(Costs(time.perf_counter() - began, cpu_of(server.pid) - cpu))
    return Costs(median(each.took for each in found), median(each.cpu for each in found))


def beside(server: Server, costly: str, small: str, seconds: float) -> tuple[Load, Load]:
    """Two requests at once, one connection each."""

    async def both() -> list[Load]:
        return await asyncio.gather(
            *(load(server, request(path), connections=1, seconds=seconds) for path in (costly, small))
        )

    one, other = uvloop.run(both())
    return one, other

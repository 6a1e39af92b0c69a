"""One process on a port, and two."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from deploy.local.rabbitmq import RabbitNode
from tests.bench.client import Load, cpu_of, load, request
from tests.bench.fleet import CLUSTER
from tests.bench.publishing import published
from tests.bench.report import number, table
from tests.bench.running import Server
from tests.bounds.load import memory_of

WORKERS: Final = (1, 2)
SITES: Final = 7
NODES: Final = 500
CONNECTIONS: Final = 16
SECONDS: Final = 1.0
ROUNDS: Final = 7
MICRO: Final = 1e6
WINDOW: Final = "start=2031-01-01&end=2031-01-03&limit=20"
HEAD: Final = ("request", "workers", "requests/s", "processor a request, µs", "share of the busiest", "memory, MB")


@dataclass(frozen=True)
class Shared:
    """A run of requests.

    Attributes:
        cpus: Seconds of processor that each worker used.
    """

    load: Load
    cpus: Sequence[float]

    @property
    def cost(self) -> float:
        """Seconds of processor a request, of all workers."""
        return sum(self.cpus) / self.load.answered

    @property
    def busiest(self) -> float:
        """The share of the processor time that one worker had; 1 where there is but one."""
        return max(self.cpus) / sum(self.cpus)


def workers_of(server: Server) -> list[int]:
    """The processes that answer."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [int(child) for child in children] or [server.pid]


async def told(node: RabbitNode) -> str:
    """For the document."""
    rows = []
    for workers in WORKERS:
        async with published(node, sites=SITES, nodes=NODES, workers=workers) as (writer, (server,)):
            site_id, uids = next(iter(writer.polls.uids.items()))
            paths = {
                "one node": f"/sites/{site_id}/clusters/{CLUSTER}/nodes/{uids[0]}",
                f"20 nodes of {SITES * NODES}, free in a window": f"/nodes/search?{WINDOW}",
            }
            memory = sum(map(memory_of, workers_of(server)))
            for name, path in paths.items():
                found = [await _run(server, path) for _ in range(ROUNDS)]
                rows.append([name, str(workers), *_figures(found), number(memory)])
                print(rows[-1], flush=True)
    return table(HEAD, sorted(rows, key=lambda row: row[0]))


async def _run(server: Server, path: str) -> Shared:
    pids = workers_of(server)
    before = [cpu_of(pid) for pid in pids]
    run = await load(server, request(path), connections=CONNECTIONS, seconds=SECONDS)
    return Shared(run, [cpu_of(pid) - cpu for pid, cpu in zip(pids, before, strict=True)])


def _figures(found: Sequence[Shared]) -> list[str]:
    return [
        number(median(each.load.answered / each.load.took for each in found)),
        number(median(each.cost for each in found) * MICRO),
        f"{median(each.busiest for each in found):.0%}",
    ]

"""`python -m tests.bench.starting`: how long the API service takes to be ready, and what it spends on that.

Each start is that of users: a process, a git repository, and a RabbitMQ whose log holds a snapshot of each site. No
sync service runs.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final

from deploy.local.ports import free_ports
from deploy.local.rabbitmq import RabbitNode
from shared.availability import SiteAvailability, utc_now
from shared.broker import BrokerTransport
from shared.topology import topic_of
from sync_service.adapters.availability_publisher import AvailabilityPublisher
from tests.bench import report
from tests.bench.client import cpu_of
from tests.bench.report import number
from tests.bench.running import LOCALHOST, Server
from tests.bench.versions import repository
from tests.bench.world import Bookings, World
from tests.rabbitmq import add_vhost, started_node

DOCUMENT: Final = Path("docs/performance.md")
SECTION: Final = "cold start"
TIMES: Final = {500: 7, 50_000: 5}
STEP_SECONDS: Final = 0.005
START_SECONDS: Final = 120
MEGABYTE: Final = 1e6
NO_INVENTORY: Final = "no inventory is loaded"
NO_LOG: Final = "the availability log has not been read yet"

HEAD: Final = (
    "nodes",
    "ready, s",
    "processor, s",
    "memory, MB",
    "listens after, s",
    "has its inventory after, s",
    "has read the log after, s",
)


@dataclass(frozen=True)
class Moment:
    """Seconds since the process was started: on the clock, and of processor."""

    took: float
    cpu: float


@dataclass(frozen=True)
class Start:
    """One start.

    Attributes:
        listening: When it first answered: everything is imported, and the application is made.
        inventory: When the inventory was served.
        log: When the log had been read.
        memory: Resident bytes once it was ready.
    """

    listening: Moment
    inventory: Moment
    log: Moment
    memory: int

    @property
    def ready(self) -> Moment:
        return max(self.inventory, self.log, key=lambda moment: moment.took)


def main() -> None:
    report.put(DOCUMENT, SECTION, measured(TIMES))


def measured(times: Mapping[int, int]) -> str:
    """A table of inventories, each of which is started so many times."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        node = started_node(folder / "rabbitmq")
        try:
            for size, count in times.items():
                found = starts(node, World.of(size), folder / str(size), count)
                rows.append(row(size, found))
                print(dict(zip(HEAD, rows[-1], strict=True)), flush=True)
        finally:
            node.close()
    return report.table(HEAD, rows)


def row(size: int, starts: Sequence[Start]) -> list[str]:
    """Medians, the last three with the processor time until then."""

    def of(moments: Sequence[Moment]) -> str:
        return f"{number(median(each.took for each in moments))} ({number(median(each.cpu for each in moments))})"

    return [
        str(size),
        number(median(each.ready.took for each in starts)),
        number(median(each.ready.cpu for each in starts)),
        number(median(each.memory for each in starts) / MEGABYTE),
        of([each.listening for each in starts]),
        of([each.inventory for each in starts]),
        of([each.log for each in starts]),
    ]


def starts(node: RabbitNode, world: World, folder: Path, count: int) -> list[Start]:
    url = add_vhost(node, f"start{world.size}")
    data = repository(world, folder / "repository")
    asyncio.run(_publish(url, list(Bookings(world, utc_now().replace(second=0, microsecond=0)).snapshots.values())))
    config = folder / "config.toml"
    config.write_text(_config(url, data, sorted(world.sites)))
    _start(config, world)  # the first one reads its files from a disk, and writes what Python compiles
    return [_start(config, world) for _ in range(count)]


async def _publish(url: str, snapshots: Sequence[SiteAvailability]) -> None:
    """As a poll of each site would."""
    publisher = AvailabilityPublisher("/sync/bench")
    async with BrokerTransport(url, name="bench").session("snapshots") as session:
        await session.declare([topic_of(snapshot) for snapshot in snapshots])
        for snapshot in snapshots:
            await publisher.publish(session, snapshot)


def _config(url: str, data: Path, sites: Sequence[str]) -> str:
    named = "\n".join(f'[availability.sites.{site_id}]\ncloud = "{site_id}"' for site_id in sites)
    return f'[broker]\nurl = "{url}"\n[reference]\nref_dir = "{data}"\n[log]\nformat = "json"\n{named}\n'


def _start(config: Path, world: World) -> Start:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "api_service", "--config", str(config), "--host", LOCALHOST, "--port", str(port)]
    with config.with_suffix(".log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=log)
    try:
        found = _watched(process, port, began)
        assert _knows(Server(port, process.pid)) == {site_id: len(world.places(site_id)) for site_id in world.sites}
        return found
    finally:
        process.terminate()
        process.wait(timeout=30)


def _watched(process: subprocess.Popen[bytes], port: int, began: float) -> Start:
    """Asks whether it is ready until it is; the reasons why not tell how far it has come."""
    moments: dict[str, Moment] = {}
    while {NO_INVENTORY, NO_LOG} - moments.keys():
        assert process.poll() is None, f"the service ended with {process.returncode}"
        assert time.perf_counter() - began < START_SECONDS, "the service did not become ready"
        reasons = _reasons(port)
        now = Moment(time.perf_counter() - began, cpu_of(process.pid))
        if reasons is not None:
            for reason in {"", NO_INVENTORY, NO_LOG} - reasons:
                moments.setdefault(reason, now)
        time.sleep(STEP_SECONDS)
    return Start(moments[""], moments[NO_INVENTORY], moments[NO_LOG], _resident(process.pid))


def _reasons(port: int) -> set[str] | None:
    """Why it is not ready; None while nobody answers."""
    connection = HTTPConnection(LOCALHOST, port, timeout=10)
    with suppress(OSError):
        connection.request("GET", "/readyz")
        return set(json.loads(connection.getresponse().read())["reasons"])
    return None


def _resident(pid: int) -> int:
    told = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in told.splitlines() if line.startswith("VmRSS"))


def _knows(server: Server) -> dict[str, int]:
    """Of how many nodes of each site it knows the availability."""
    sites = json.loads(server.say("GET", "/status"))["sites"]
    return {site["site_id"]: site["listed_hosts"] for site in sites}


if __name__ == "__main__":
    main()

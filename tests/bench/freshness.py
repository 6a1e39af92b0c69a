"""From the end of a poll to what clients see of it: a real broker, three replicas, and the publisher of the service."""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

from deploy.local.rabbitmq import RabbitNode
from shared.availability import SiteAvailability
from shared.serving import SWITCH_SECONDS
from tests.bench import applying, report
from tests.bench.client import cpu_of
from tests.bench.fleet import CLUSTER
from tests.bench.publishing import Writer, broker, published
from tests.bench.report import number
from tests.bench.running import Server
from tests.bench.watching import Told, followers, quantile, seen

REPLICAS: Final = 3
MILLI: Final = 1e3
WARM: Final = 6


@dataclass(frozen=True)
class Setting:
    """What is published.

    Attributes:
        changed: How many nodes each poll finds booked anew; None stands for all.
        pause: Seconds from what all have seen of a poll to the end of the next.
    """

    sites: int
    nodes: int
    changed: int | None
    polls: int
    pause: float


SETTINGS: Final = (
    Setting(7, 500, 1, 200, 0.1),
    Setting(2, 7_000, 1, 60, 0.3),
    Setting(2, 7_000, None, 12, 0.5),
)


@dataclass
class Seen:
    """Seconds from the ends of polls until they were seen, at each replica.

    Attributes:
        written: Until the broker had confirmed.
        http: By whoever asked.
        events: By whoever followed.
        cpu: Seconds of processor of a replica, a poll; of what is asked, too.
    """

    written: list[float] = field(default_factory=list)
    http: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    cpu: float = 0.0


def section() -> str:
    """For the document."""
    # As the services do: the writer's thread shares this process with who measures.
    sys.setswitchinterval(SWITCH_SECONDS)
    rows = []
    with broker() as node:
        for setting in SETTINGS:
            found = uvloop.run(_measured(node, setting))
            rows += _rows(setting, found)
            print(rows[-3:], flush=True)
        parts = applying.parts()
        print(parts, flush=True)
        waits = uvloop.run(applying.waits(node))
        print(waits, flush=True)
    head = ["what polls tell", "until", "p50, ms", "p99, ms", "most, ms", "processor of a replica, ms"]
    return f"{report.table(head, rows)}\n\n{parts}\n\n{waits}"


async def _measured(node: RabbitNode, setting: Setting) -> Seen:
    async with published(node, sites=setting.sites, nodes=setting.nodes, replicas=REPLICAS) as (writer, servers):
        heard = [Told() for _ in servers]
        for server, told in zip(servers, heard, strict=True):
            await followers(server, 1, told)
        await _polled(writer, servers, heard, setting, WARM)
        return await _polled(writer, servers, heard, setting, setting.polls)


async def _polled(
    writer: Writer, servers: Sequence[Server], heard: Sequence[Told], setting: Setting, polls: int
) -> Seen:
    found, chance, names = Seen(), random.Random(polls), list(writer.polls.uids)
    cpu = _cpu(servers)
    for turn in range(polls):
        uids = writer.polls.uids[names[turn % len(names)]]
        changed = chance.sample(uids, len(uids) if setting.changed is None else setting.changed)
        await _poll(writer, servers, heard, writer.polls.next(names[turn % len(names)], changed), found)
        await asyncio.sleep(setting.pause)
    found.cpu = (_cpu(servers) - cpu) / polls / len(servers)
    return found


async def _poll(
    writer: Writer, servers: Sequence[Server], heard: Sequence[Told], snapshot: SiteAvailability, found: Seen
) -> None:
    path = f"/sites/{snapshot.site_id}/clusters/{CLUSTER}/nodes/{next(iter(snapshot.nodes))}/availability"
    text = snapshot.observed_at.isoformat().replace("+00:00", "Z").encode()
    asking = [asyncio.create_task(seen(server, path, text)) for server in servers]
    ended = await writer.publish(snapshot)
    found.written.append(time.perf_counter() - ended)
    found.http += [moment - ended for moment in await asyncio.gather(*asking)]
    found.events += [(await told.by(1, snapshot.generation))[0] - ended for told in heard]


def _cpu(servers: Sequence[Server]) -> float:
    return sum(cpu_of(server.pid) for server in servers)


def _rows(setting: Setting, found: Seen) -> list[list[str]]:
    what = f"{setting.sites} sites of {setting.nodes} nodes, {setting.changed or 'all'} otherwise"
    return [
        [what, until, *(number(quantile(times, share) * MILLI) for share in (0.5, 0.99, 1)), cpu]
        for until, times, cpu in (
            ("the broker has it", found.written, ""),
            ("HTTP answers it", found.http, number(found.cpu * MILLI)),
            ("`/events` has told it", found.events, ""),
        )
    ]

"""Ten thousand clients of `/events` on one replica, of whom each is told one change a second."""

import asyncio
import random
import time
from statistics import median
from typing import Final

from deploy.local.rabbitmq import RabbitNode
from tests.bench.client import cpu_of
from tests.bench.limits import many_files
from tests.bench.publishing import Writer, published
from tests.bench.report import number
from tests.bench.running import Server
from tests.bench.watching import Told, followers, quantile
from tests.bounds.load import memory_of

READERS: Final = 10_000
SITES: Final = 7
NODES: Final = 100
CHANGES: Final = 30
SECOND: Final = 1.0
MILLI: Final = 1e3
KILO: Final = 1e3


async def told(node: RabbitNode) -> str:
    """For the document."""
    many_files()
    async with published(node, sites=SITES, nodes=NODES) as (writer, (server,)):
        heard = Told()
        before, began, cpu = memory_of(server.pid), time.perf_counter(), cpu_of(server.pid)
        # They are kept, so that nobody hangs up.
        those = await followers(server, READERS, heard)
        coming, cpu = time.perf_counter() - began, cpu_of(server.pid) - cpu
        came = (
            f"{READERS} readers of {SITES} sites of {NODES} nodes come within {number(coming)} s, as fast as one"
            f" replica takes them ({number(cpu / READERS * MILLI)} ms of its processor each: all sites, whole), and"
            f" take {number((memory_of(server.pid) - before) / READERS * KILO)} kB of its memory each."
        )
        print(came, flush=True)
        found = await _changes(writer, server, heard)
        print(found, flush=True)
        for each in those:
            each.close()
    return f"{came} {found}"


async def _changes(writer: Writer, server: Server, heard: Told) -> str:
    names, waits, lasts = list(writer.polls.uids), list[float](), list[float]()
    cpu, began = cpu_of(server.pid), time.perf_counter()
    for turn in range(CHANGES):
        next_at = began + turn * SECOND
        await asyncio.sleep(max(0.0, next_at - time.perf_counter()))
        site_id = names[turn % SITES]
        snapshot = writer.polls.next(site_id, [random.choice(writer.polls.uids[site_id])])
        ended = await writer.publish(snapshot)
        moments = await heard.by(READERS, snapshot.generation)
        waits += [moment - ended for moment in moments]
        lasts.append(max(moments) - ended)
    took, cpu = time.perf_counter() - began, cpu_of(server.pid) - cpu
    return (
        f"At {CHANGES / took:.2f} changes a second, each told to all of them, the replica uses {cpu / took:.0%} of a"
        f" processor, {number(cpu / CHANGES / READERS * MILLI * MILLI)} µs a reader and change. From the end of the"
        f" poll, a reader is told within {number(quantile(waits, 0.5) * MILLI)} ms (p50) and"
        f" {number(quantile(waits, 0.99) * MILLI)} ms (p99), the last of all within {number(median(lasts) * MILLI)} ms"
        f" (median of the changes) and {number(max(lasts) * MILLI)} ms (most)."
    )

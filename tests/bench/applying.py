"""What a snapshot costs who writes and who reads it, by parts; and how long others wait meanwhile."""

import asyncio
import gc
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Final

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import InventoryStore
from api_service.domain.live_map import LiveMap
from deploy.local.rabbitmq import RabbitNode
from shared.availability import utc_now
from shared.messages import DEFLATE_LEVEL, Envelope, decode, encode
from shared.site_bodies import SiteBodies, site_body
from tests.bench.client import Load, load, request
from tests.bench.fleet import CLUSTER, Polls, fleet
from tests.bench.publishing import Writer, published
from tests.bench.report import number, table
from tests.bench.server import made
from tests.eventually import running

MILLI: Final = 1e3
KILO: Final = 1e3
SIZES: Final = (500, 7_000)
TIMES: Final = 9
ROUNDS: Final = 3
SECONDS: Final = 6.0
PAUSE: Final = 0.5
HEAD: Final = (
    "nodes, told otherwise",
    "write, ms",
    "of it deflate, ms",
    "read, ms",
    "into the map, ms",
    "into the live feed, ms",
    "message, kB",
    "its JSON, kB",
)


def parts() -> str:
    """Medians of processor time; what is put into the map and the live feed is so on the event loop."""
    return table(HEAD, [_row(nodes, changed) for nodes in SIZES for changed in (0, 1, nodes)])


def _row(nodes: int, changed: int) -> list[str]:
    world = fleet(1, nodes)
    polls, bodies = Polls(world), SiteBodies()
    store, known = InventoryStore(), AvailabilityMap()
    store.replace(made(world))
    live = LiveMap(store, known, utc_now)
    ((site_id, uids),) = polls.uids.items()
    costs: list[tuple[float, ...]] = []
    envelope, body = Envelope(b"", {}), b""
    for turn in range(TIMES + 1):
        snapshot = polls.next(site_id, random.Random(turn).sample(uids, changed))
        write, envelope = _cost(partial(encode, snapshot, source="/bench"))
        body = site_body(snapshot)
        deflate, _ = _cost(partial(zlib.compress, body, DEFLATE_LEVEL))
        read, decoded = _cost(partial(decode, envelope, bodies))
        put, _ = _cost(partial(known.replace, decoded, received_at=utc_now()))
        advance, _ = _cost(live.advance)
        costs.append((write, deflate, read, put, advance))
    # The first was read whole.
    medians = (median(each) for each in zip(*costs[1:], strict=True))
    sizes = [number(len(envelope.body) / KILO), number(len(body) / KILO)]
    return [f"{nodes}, {changed or 'none'}", *(number(each * MILLI) for each in medians), *sizes]


def _cost[T](work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of this thread's processor."""
    began = time.thread_time()
    done = work()
    return time.thread_time() - began, done


async def waits(node: RabbitNode) -> str:
    """What somebody waits who asks for one node over and over, while a large site is taken twice a second and not."""
    async with published(node, sites=1, nodes=SIZES[-1]) as (writer, (server,)):
        ((site_id, uids),) = writer.polls.uids.items()
        asked = request(f"/sites/{site_id}/clusters/{CLUSTER}/nodes/{uids[0]}")
        alone: list[Load] = []
        beside: list[Load] = []
        for _ in range(ROUNDS):
            # Who writes a large site, or collects garbage, would hold up whoever measures: both are here.
            messages = [_message(writer, site_id) for _ in range(round(SECONDS / PAUSE))]
            with _no_collector():
                alone.append(await load(server, asked, connections=1, seconds=SECONDS))
                async with running(_publishing(writer, site_id, messages)):
                    beside.append(await load(server, asked, connections=1, seconds=SECONDS))
    return (
        f"While a site of {SIZES[-1]} nodes is taken twice a second, one node told otherwise each time, whoever asks"
        f" for a node waits {_told(beside)}; without that {_told(alone)}."
    )


def _message(writer: Writer, site_id: str) -> Envelope:
    return encode(writer.polls.next(site_id, random.sample(writer.polls.uids[site_id], 1)), source="/bench")


async def _publishing(writer: Writer, site_id: str, messages: Iterable[Envelope]) -> None:
    for message in messages:
        await writer.send(site_id, message)
        await asyncio.sleep(PAUSE)
    await asyncio.Event().wait()


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _told(loads: list[Load]) -> str:
    middle, late, most = (median(each.wait(share) for each in loads) * MILLI for share in (0.5, 0.99, 1))
    return f"{number(middle)} ms (p50), {number(late)} ms (p99) and {number(most)} ms at most"

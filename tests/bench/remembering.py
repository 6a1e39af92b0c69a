"""How much memory a replica needs for each node."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.rabbitmq import RabbitNode
from tests.bench.publishing import published
from tests.bench.report import number
from tests.bench.starting import MEGABYTE, starts
from tests.bench.world import World
from tests.bounds.load import memory_of

SIZES: Final = (500, 5_000)
"""Of an inventory of real documents."""

BOOKED: Final = (500, 7_000)
"""Nodes of a site, ten bookings each."""

SITES: Final = 2
KILO: Final = 1e3


async def told(node: RabbitNode) -> str:
    """For the document."""
    documents = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            (start,) = await asyncio.to_thread(starts, node, World.of(size), Path(folder, str(size)), 1)
            documents[size] = start.memory / MEGABYTE
    booked = {}
    for nodes in BOOKED:
        async with published(node, sites=SITES, nodes=nodes) as (_, (server,)):
            booked[SITES * nodes] = memory_of(server.pid)
    return (
        f"Each further node of an inventory of real documents, with ten bookings, takes {number(slope(documents))} kB"
        f" of memory; one of whose hardware little is told takes {number(slope(booked))} kB. Without any the"
        f" service has {number(rest(booked))} MB."
    )


def slope(megabytes: Mapping[int, float]) -> float:
    """Kilobytes for each node more, between the smallest and the largest."""
    low, high = min(megabytes), max(megabytes)
    return (megabytes[high] - megabytes[low]) / (high - low) * KILO


def rest(megabytes: Mapping[int, float]) -> float:
    """Megabytes without nodes, if they grow by as much for each."""
    return megabytes[min(megabytes)] - min(megabytes) * slope(megabytes) / KILO

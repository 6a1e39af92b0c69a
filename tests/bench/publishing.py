"""A broker of our own, a writer as the sync service is one, and replicas that read what it publishes."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import orjson

from deploy.local.rabbitmq import RabbitNode
from shared.availability import SiteAvailability
from shared.broker import BrokerTransport
from shared.messages import Envelope
from shared.topology import Topic
from shared.transport import Session
from sync_service.adapters.availability_publisher import AvailabilityPublisher
from tests.bench.fleet import Polls, fleet
from tests.bench.running import Server, started
from tests.rabbitmq import add_vhost, started_node

READ_SECONDS: Final = 180.0
NUMBERS: Final = count()


class Writer:
    """Publishes what polls find."""

    def __init__(self, session: Session, polls: Polls) -> None:
        self.polls = polls
        self._session, self._publisher = session, AvailabilityPublisher("/bench")

    async def publish(self, snapshot: SiteAvailability) -> float:
        """The moment at which the poll had ended; returns once the broker has it."""
        ended = time.perf_counter()
        await self._publisher.publish(self._session, snapshot)
        return ended

    async def send(self, site_id: str, envelope: Envelope) -> None:
        """Publishes a message that is made already."""
        await self._session.publish(Topic(site_id), envelope)

    async def begin(self) -> None:
        """The first state of every site."""
        await self._session.declare([Topic(site_id) for site_id in self.polls.newest])
        for snapshot in self.polls.newest.values():
            await self.publish(snapshot)


@contextmanager
def broker() -> Iterator[RabbitNode]:
    with tempfile.TemporaryDirectory() as folder:
        node = started_node(Path(folder))
        try:
            yield node
        finally:
            node.close()


@asynccontextmanager
async def published(
    node: RabbitNode, *, sites: int, nodes: int, replicas: int = 1, workers: int = 1
) -> AsyncIterator[tuple[Writer, list[Server]]]:
    """Sites of one size in a part of the broker of their own, and replicas that know all of them."""
    url = add_vhost(node, f"bench{next(NUMBERS)}")
    arguments = (url, str(sites), str(nodes), str(workers))
    async with BrokerTransport(url, name="bench").session("bench") as session:
        writer = Writer(session, Polls(fleet(sites, nodes)))
        await writer.begin()
        with ExitStack() as stack:
            # In a thread: a session that says nothing meanwhile would be ended.
            servers = [
                await asyncio.to_thread(stack.enter_context, started("tests.bench.replica", *arguments, ready="/sites"))
                for _ in range(replicas)
            ]
            for server in servers:
                await _until_current(server, writer.polls)
            yield writer, servers


async def _until_current(server: Server, polls: Polls) -> None:
    async with asyncio.timeout(READ_SECONDS):
        while True:
            status = orjson.loads(await asyncio.to_thread(server.say, "GET", "/status"))
            known = {site["site_id"]: site["generation"] for site in status["sites"]}
            if all(known.get(site_id) == newest.generation for site_id, newest in polls.newest.items()):
                return
            await asyncio.sleep(0.1)

"""Replicas of both services at every node of a cluster, and what must be true of them after any fault."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

from deploy.local.rabbitmq import RabbitNode
from shared.availability import Snapshot, is_late, utc_now
from shared.broker import BrokerTransport
from shared.messages import decoded
from shared.topology import JobQueueType, Topic
from shared.transport import Offset, SessionLostError
from sync_service.adapters.poll_tokens import PollTokens
from sync_service.domain.ports import Outcome, Turn
from tests.eventually import running, until, until_answered
from tests.pollers import FakePoller
from tests.rabbitmq import SILENCE
from tests.rabbitmq_cluster import RabbitCluster
from tests.replicas import Reader
from tests.snapshots import site
from tests.tcp_proxy import TcpProxy

HEARTBEAT = timedelta(seconds=5)
PATIENCE = timedelta(seconds=5)
INTERVAL = timedelta(seconds=1)
HEALED_WITHIN = 120.0
QUIET_SECONDS = 2.0


class ClockedPoller(FakePoller):
    """Numbers what it publishes as the sync service does: two that overlap rarely choose the same generation."""

    async def finish(self, turn: Turn) -> Outcome:
        observed_at = self.clock()
        generation = max(round(observed_at.timestamp() * 1000), (turn.follows or 0) + 1)
        await turn.publish(
            site(turn.topic.site_id, generation, follows=turn.follows, observed_at=observed_at, poll_interval=INTERVAL)
        )
        self.published += 1
        return Outcome(generation, self.next_in)


class Polling:
    """A replica of the sync service."""

    def __init__(self, transport: BrokerTransport, topics: Sequence[Topic]) -> None:
        self.poller = ClockedPoller(takes=0.02, next_in=INTERVAL)
        self.tokens = PollTokens(
            transport, topics, self.poller, max_concurrent=32, interval_of=lambda _: INTERVAL, longest_poll=INTERVAL
        )


class Watched:
    """A reader, and all that it ever took."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.taken: list[Snapshot] = []
        self.taken_at = [time.monotonic()]
        reader.feed.listeners.append(self._take)

    def _take(self, topic: Topic) -> None:
        self.taken.append(self.reader.map.sites[topic.site_id].snapshot)
        self.taken_at.append(time.monotonic())

    def since(self, moment: datetime) -> int:
        """How many it took that were observed since then."""
        return sum(each.observed_at >= moment for each in self.taken)

    @property
    def longest_silence(self) -> float:
        """Seconds."""
        return max(later - earlier for earlier, later in zip(self.taken_at, self.taken_at[1:], strict=False))


class Company:
    """A writer of all topics and a reader of each at every node, behind a balancer that begins with that node."""

    def __init__(self, cluster: RabbitCluster, topics: Sequence[Topic]) -> None:
        self.cluster = cluster
        self.topics = topics
        self.writers: list[Polling] = []
        self.watched: list[Watched] = []

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Runs them all; the first node leads every stream and queue."""
        async with transport(self.cluster.nodes[0].url).session("first") as session:
            await session.declare(self.topics)
            await session.declare_tokens(self.topics)
        async with AsyncExitStack() as stack:
            for balancer in [TcpProxy(*ports) for ports in self._rotations()]:
                await stack.enter_async_context(balancer.listening())
                self._join(balancer.url)
            loops = [writer.tokens.run() for writer in self.writers]
            await stack.enter_async_context(running(*loops, *(each.reader.feed.run() for each in self.watched)))
            await self.progressed(3)
            for each in self.watched:
                each.taken_at = each.taken_at[-1:]  # from here on silence counts
            yield

    def _rotations(self) -> Iterator[list[int]]:
        ports = [node.port for node in self.cluster.nodes]
        for first in range(len(ports)):
            yield ports[first:] + ports[:first]

    def _join(self, url: str) -> None:
        self.writers.append(Polling(transport(url), self.topics))
        self.watched += [Watched(Reader(transport(url), topic)) for topic in self.topics]

    async def progressed(self, snapshots: int) -> None:
        """Returns once every reader took so many more, none of them older than now."""
        now = utc_now()
        try:
            await until(lambda: all(each.since(now) >= snapshots for each in self.watched), within=HEALED_WITHIN)
        except TimeoutError:
            raise AssertionError(self._told()) from None

    def _told(self) -> list[str]:
        """Who is connected, and why the last session ended."""
        feeds = [each.reader.feed for each in self.watched]
        polls = [writer.tokens for writer in self.writers]
        return [f"feed {each.connected} {each.last_loss}" for each in feeds] + [
            f"poll {each.connected} {each.last_loss}" for each in polls
        ]

    @property
    def longest_silence(self) -> float:
        """Of any reader, in seconds."""
        return max(each.longest_silence for each in self.watched)

    async def settled(self) -> None:
        """Lets every token wait for an hour, and asserts what must then be true; polling is over."""
        for writer in self.writers:
            writer.poller.next_in = timedelta(hours=1)
        node = self.cluster.nodes[0]
        for topic in self.topics:
            await until_answered(partial(self._rests, node, topic), within=HEALED_WITHIN)
        for topic in self.topics:
            # A node that was away may not have its replica of a stream at once.
            await self._agree(topic, await until_answered(partial(written, node, topic), within=HEALED_WITHIN))

    async def _rests(self, node: RabbitNode, topic: Topic) -> bool:
        with suppress(SessionLostError):
            async with transport(node.url).session("judge") as session:
                return await session.count_tokens(topic) == 1 and not any(writer.tokens.held for writer in self.writers)
        return False

    async def _agree(self, topic: Topic, messages: Sequence[Snapshot]) -> None:
        truth = messages[0]
        for message in messages:
            late = is_late(message.generation, message.follows, current=truth.generation)
            truth = truth if late else message
        # Two that overlap may choose the same generation, in the same millisecond: for all readers the first counts.
        written_as = {message.generation: message for message in reversed(messages)}
        watched = [each for each in self.watched if each.reader.topic == topic]
        await until(lambda: all(each.taken[-1] == truth for each in watched))
        for each in watched:
            generations = [snapshot.generation for snapshot in each.taken]
            assert generations == sorted(set(generations))
            assert all(written_as[snapshot.generation] == snapshot for snapshot in each.taken)


async def written(node: RabbitNode, topic: Topic) -> list[Snapshot]:
    """All that is in the stream; nothing if the node cannot tell."""
    snapshots: list[Snapshot] = []
    with suppress(SessionLostError):
        async with transport(node.url).session("written") as session:
            deliveries = await session.follow(topic, Offset.FIRST)
            while True:
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        delivery = await anext(deliveries)
                except TimeoutError:
                    return snapshots
                snapshots.append(await decoded(delivery.envelope))
                await delivery.ack()
    return []


def transport(url: str) -> BrokerTransport:
    return BrokerTransport(
        url,
        name="company",
        job_queue_type=JobQueueType.QUORUM,
        heartbeat=HEARTBEAT,
        patience=PATIENCE,
        silence=SILENCE,
    )

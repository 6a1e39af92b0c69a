"""One poll of one topic, from the turn to the published snapshot. All input and output is behind ports."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from shared.availability import Interval, NodeAvailability, SiteAvailability, SiteFlavors, Snapshot, utc_now
from shared.topology import Topic
from sync_service.domain.host_list import HostList
from sync_service.domain.judgement import Allocation, Doubt, DoubtfulAnswerError, Stamp, changes, judge
from sync_service.domain.ports import (
    FlavorsSource,
    NotPublishedError,
    Outcome,
    PollObserver,
    PollResult,
    Rhythm,
    SiteSource,
    Source,
    SourceError,
    TroubleKind,
    Turn,
    TurnLostError,
)

log = structlog.get_logger()

FLAVOR_WINDOW: Final = timedelta(days=90)
"""How far ahead the capacity of flavors is asked for."""

THREAD_ABOVE: Final = 2000
"""Hosts and allocations: judging more takes 15 ms and would be felt on the event loop."""

NOT_PUBLISHED_INTERVAL: Final = timedelta(hours=1)
"""How often a site that does not publish its flavors is asked whether it does by now."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a coordinator polls, how often, who counts it, and by which clocks."""

    topic: Topic
    rhythm: Rhythm
    observer: PollObserver
    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Condition:
    """How the polls of a topic go in this replica; others may poll it too.

    Attributes:
        last_success: When the newest snapshot that this replica published was observed.
        trouble: Why the newest poll published nothing; None if it did, or if there was none yet.
        kind: Of that trouble.
    """

    last_success: datetime | None = None
    trouble: str | None = None
    kind: TroubleKind | None = None


class Coordinator(ABC):
    """Polls one topic. Whatever fails, nothing is published: the last good state stays, with its age."""

    def __init__(self, source: Source, assignment: Assignment) -> None:
        self._close = source.close
        self._topic = assignment.topic
        self._rhythm = assignment.rhythm
        self._observer = assignment.observer
        self._clock = assignment.clock
        self._monotonic = assignment.monotonic
        self._log = log.bind(site_id=self._topic.site_id, subject=str(self._topic.subject))
        self.condition = Condition()
        self._generation: int | None = None

    def close(self) -> None:
        """Lets go of the source's connections."""
        self._close()

    @abstractmethod
    async def _observe(self, stamp: Stamp) -> Snapshot:
        """Raises SourceError or DoubtfulAnswerError."""

    @abstractmethod
    async def _learn(self, turn: Turn) -> None:
        """What others have published since this replica last did may have to be taken into account."""

    @abstractmethod
    def _forget_doubts(self) -> None:
        """For a poll without an answer."""

    async def poll(self, turn: Turn) -> Outcome:
        """One poll: fetch, judge, publish. An outage is logged once, and so is the recovery.

        Raises:
            TurnLostError: the turn was over before the snapshot was published.
        """
        began = self._monotonic()
        result = PollResult.LOST
        try:
            result, outcome = await self._poll(turn)
        except TurnLostError:
            raise
        except Exception as error:  # noqa: BLE001 - of a fault of ours, too, the operator is told, once
            reason = f"an error of the program: {type(error).__name__}"
            self._troubled("poll failed unexpectedly", reason, TroubleKind.PROGRAM_ERROR, fault=error)
            result, outcome = PollResult.FAILED, Outcome(turn.follows, self._rhythm.error_backoff)
        finally:
            self._observer.poll_ended(self._topic, result, self._monotonic() - began)
        return outcome

    async def _poll(self, turn: Turn) -> tuple[PollResult, Outcome]:
        try:
            snapshot = await self._snapshot(turn)
            await turn.publish(snapshot)
        except DoubtfulAnswerError as error:
            self._troubled("site answer doubted", str(error), TroubleKind.DOUBTED)
            return PollResult.DOUBTED, Outcome(turn.follows, self._rhythm.poll_interval)
        except SourceError as error:
            self._forget_doubts()
            # What was published before is not gone for good: then it is an outage like any other.
            if isinstance(error, NotPublishedError) and self.condition.last_success is None:
                self._troubled("not published by the site", str(error), error.kind)
                return PollResult.NOT_PUBLISHED, Outcome(turn.follows, NOT_PUBLISHED_INTERVAL)
            self._troubled("site unreachable", str(error), error.kind)
            return PollResult.FAILED, Outcome(turn.follows, self._rhythm.error_backoff)
        self._published(snapshot)
        return PollResult.PUBLISHED, Outcome(snapshot.generation, self._rhythm.poll_interval)

    async def _snapshot(self, turn: Turn) -> Snapshot:
        stamp = Stamp.following(turn.follows, self._clock(), observed_before=turn.observed_before)
        if turn.follows != self._generation:
            await self._learn(turn)
        limit = self._rhythm.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await self._observe(stamp)
        except TimeoutError as error:
            raise SourceError(f"no complete answer within {limit:g} s", TroubleKind.TIMEOUT) from error

    def _troubled(self, event: str, reason: str, kind: TroubleKind, *, fault: Exception | None = None) -> None:
        tell = self._log.warning if self.condition.trouble is None else self._log.debug
        tell(event, reason=reason, kind=kind.value, exc_info=fault)
        self.condition = Condition(self.condition.last_success, reason, kind)
        self._observer.troubled(self._topic, kind)

    def _published(self, snapshot: Snapshot) -> None:
        if self.condition.trouble is not None:
            self._log.info("site recovered")
        self.condition = Condition(snapshot.observed_at)
        self._generation = snapshot.generation


class SiteCoordinator(Coordinator):
    """Polls the availability of a site's nodes: bookings at each poll, the host list when it is due.

    A poll is whole or nothing: if the host list was due and could not be read, nothing is published.
    """

    def __init__(self, source: SiteSource, assignment: Assignment) -> None:
        super().__init__(source, assignment)
        self._source = source
        self._hosts: HostList | None = None
        self._hosts_doubt = Doubt()
        self._allocations_doubt = Doubt()
        self._nodes: Mapping[str, NodeAvailability] = {}

    async def _learn(self, turn: Turn) -> None:
        published = await turn.newest()
        if turn.follows is not None and (published is None or published.generation != turn.follows):
            # The newest has not come to us, or readers refuse it: what it says of the hosts we cannot know, nor whether
            # our own list is older.
            self._hosts = None
        if not isinstance(published, SiteAvailability):
            return
        self._hosts_doubt.recall(published.nodes.keys())
        if self._hosts and self._hosts.overtaken_by(published):
            age = max(self._clock() - published.hosts_observed_at, timedelta())
            self._hosts = self._hosts.corrected_by(published, read_at=self._monotonic() - age.total_seconds())

    async def _observe(self, stamp: Stamp) -> SiteAvailability:
        allocations = await self._source.allocations()
        allocated = frozenset(row.resource_id for row in allocations if row.resource_id is not None)
        hosts = self._hosts
        interval = self._rhythm.hosts_interval
        if hosts is None or hosts.due(allocated, now=self._monotonic(), interval=interval):
            hosts = await self._read_hosts(stamp, allocated)
        if not self._allocations_doubt.believes(allocated):
            raise DoubtfulAnswerError(f"a sudden loss: {len(allocated)} hosts in the allocations")
        if hosts is None:
            raise DoubtfulAnswerError("a sudden loss of hosts in the host list")
        return await self._judged(stamp, hosts, allocations)

    async def _read_hosts(self, stamp: Stamp, allocated: frozenset[str]) -> HostList | None:
        """None if the list is not believed; it stays due then."""
        read_at = self._monotonic()
        rows = await self._source.hosts()
        if not self._hosts_doubt.believes(frozenset(row.node_id for row in rows if row.node_id is not None)):
            return None
        self._hosts = HostList.read(rows, allocated, observed_at=stamp.observed_at, read_at=read_at)
        return self._hosts

    async def _judged(self, stamp: Stamp, hosts: HostList, allocations: Sequence[Allocation]) -> SiteAvailability:
        weight = len(hosts.rows) + len(allocations) + sum(len(row.reservations) for row in allocations)
        if weight > THREAD_ABOVE:
            nodes = await asyncio.to_thread(judge, hosts.rows, allocations)
        else:
            nodes = judge(hosts.rows, allocations)
        unreadable = sum(row.unreadable for row in hosts.rows) + sum(row.unreadable for row in allocations)
        self._tell(nodes, unreadable)
        return SiteAvailability(
            self._topic.site_id,
            generation=stamp.generation,
            follows=stamp.follows,
            observed_at=stamp.observed_at,
            hosts_observed_at=hosts.observed_at,
            poll_interval=self._rhythm.poll_interval,
            nodes=nodes,
        )

    def _tell(self, nodes: Mapping[str, NodeAvailability], unreadable: int) -> None:
        self._observer.records_read(self._topic, len(nodes), unreadable)
        if self._nodes and (changed := changes(self._nodes, nodes)):
            self._log.info("site changed", added=changed.added, removed=changed.removed, changed=changed.changed)
        self._nodes = nodes

    def _forget_doubts(self) -> None:
        self._hosts_doubt.forget()
        self._allocations_doubt.forget()


class FlavorsCoordinator(Coordinator):
    """Polls how many instances of each flavor a site could run over the next 90 days."""

    def __init__(self, source: FlavorsSource, assignment: Assignment) -> None:
        super().__init__(source, assignment)
        self._source = source
        self._doubt = Doubt()

    async def _learn(self, turn: Turn) -> None:
        published = await turn.newest()
        if isinstance(published, SiteFlavors):
            self._doubt.recall(published.flavors.keys())

    async def _observe(self, stamp: Stamp) -> SiteFlavors:
        start = stamp.observed_at.replace(second=0, microsecond=0)
        window = Interval(start, start + FLAVOR_WINDOW)
        capacity = await self._source.capacity(window)
        if not self._doubt.believes(frozenset(capacity.flavors)):
            raise DoubtfulAnswerError(f"a sudden loss: {len(capacity.flavors)} flavors")
        self._observer.records_read(self._topic, len(capacity.flavors), capacity.unreadable)
        return SiteFlavors(
            self._topic.site_id,
            generation=stamp.generation,
            follows=stamp.follows,
            observed_at=stamp.observed_at,
            poll_interval=self._rhythm.poll_interval,
            window=window,
            flavors=capacity.flavors,
        )

    def _forget_doubts(self) -> None:
        self._doubt.forget()

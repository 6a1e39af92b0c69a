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
from sync_service.domain.judgement import Allocation, Doubt, DoubtfulAnswerError, Host, Stamp, changes, judge
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
    Turn,
)

log = structlog.get_logger()

FLAVOR_WINDOW: Final = timedelta(days=90)
"""How far ahead the capacity of flavors is asked for."""

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
    """

    last_success: datetime | None = None
    trouble: str | None = None


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

    def close(self) -> None:
        """Lets go of the source's connections."""
        self._close()

    @abstractmethod
    async def _observe(self, stamp: Stamp) -> Snapshot:
        """Raises SourceError or DoubtfulAnswerError."""

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
        finally:
            self._observer.poll_ended(self._topic, result, self._monotonic() - began)
        return outcome

    async def _poll(self, turn: Turn) -> tuple[PollResult, Outcome]:
        try:
            snapshot = await self._snapshot(Stamp.following(turn.follows, self._clock()))
        except DoubtfulAnswerError as error:
            self._troubled("site answer doubted", error)
            return PollResult.DOUBTED, Outcome(turn.follows, self._rhythm.poll_interval)
        except SourceError as error:
            self._forget_doubts()
            # What was published before is not gone for good: then it is an outage like any other.
            if isinstance(error, NotPublishedError) and self.condition.last_success is None:
                self._troubled("not published by the site", error)
                return PollResult.NOT_PUBLISHED, Outcome(turn.follows, NOT_PUBLISHED_INTERVAL)
            self._troubled("site unreachable", error)
            return PollResult.FAILED, Outcome(turn.follows, self._rhythm.error_backoff)
        await turn.publish(snapshot)
        self._published(snapshot)
        return PollResult.PUBLISHED, Outcome(snapshot.generation, self._rhythm.poll_interval)

    async def _snapshot(self, stamp: Stamp) -> Snapshot:
        limit = self._rhythm.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await self._observe(stamp)
        except TimeoutError as error:
            raise SourceError(f"no complete answer within {limit:g} s") from error

    def _troubled(self, event: str, error: Exception) -> None:
        reason = str(error)
        tell = self._log.warning if self.condition.trouble is None else self._log.debug
        tell(event, reason=reason)
        self.condition = Condition(self.condition.last_success, reason)

    def _published(self, snapshot: Snapshot) -> None:
        if self.condition.trouble is not None:
            self._log.info("site recovered")
        self.condition = Condition(snapshot.observed_at)


@dataclass(frozen=True, slots=True)
class _HostList:
    """The host list that is believed, until it is due again.

    Attributes:
        observed_at: When the poll that read it began.
        read_at: The same by the monotonic clock.
        known: Ids that need no new list: those that it holds, and those that were allocated and not in it.
    """

    rows: Sequence[Host]
    observed_at: datetime
    read_at: float
    known: frozenset[str]


class SiteCoordinator(Coordinator):
    """Polls the availability of a site's nodes: bookings at each poll, the host list when it is due.

    A poll is whole or nothing: if the host list was due and could not be read, nothing is published.
    """

    def __init__(self, source: SiteSource, assignment: Assignment) -> None:
        super().__init__(source, assignment)
        self._source = source
        self._hosts: _HostList | None = None
        self._hosts_doubt = Doubt()
        self._allocations_doubt = Doubt()
        self._nodes: Mapping[str, NodeAvailability] = {}

    async def _observe(self, stamp: Stamp) -> SiteAvailability:
        allocations = await self._source.allocations()
        allocated = frozenset(row.resource_id for row in allocations if row.resource_id is not None)
        hosts = self._hosts
        if hosts is None or self._due(hosts, allocated):
            hosts = await self._read_hosts(stamp, allocated)
        if not self._allocations_doubt.believes(allocated):
            raise DoubtfulAnswerError(f"a sudden loss: {len(allocated)} hosts in the allocations")
        if hosts is None:
            raise DoubtfulAnswerError("a sudden loss of hosts in the host list")
        return self._judged(stamp, hosts, allocations)

    def _due(self, hosts: _HostList, allocated: frozenset[str]) -> bool:
        age = self._monotonic() - hosts.read_at
        return age >= self._rhythm.hosts_interval.total_seconds() or not allocated <= hosts.known

    async def _read_hosts(self, stamp: Stamp, allocated: frozenset[str]) -> _HostList | None:
        """None if the list is not believed; it stays due then."""
        read_at = self._monotonic()
        rows = await self._source.hosts()
        if not self._hosts_doubt.believes(frozenset(row.node_id for row in rows if row.node_id is not None)):
            return None
        # An id that the list does not explain would have it read again at every poll.
        known = allocated.union(row.resource_id for row in rows if row.resource_id is not None)
        self._hosts = _HostList(rows, stamp.observed_at, read_at, known)
        return self._hosts

    def _judged(self, stamp: Stamp, hosts: _HostList, allocations: Sequence[Allocation]) -> SiteAvailability:
        nodes = judge(hosts.rows, allocations)
        unreadable = sum(row.unreadable for row in hosts.rows) + sum(row.unreadable for row in allocations)
        self._observer.records_read(self._topic, len(nodes), unreadable)
        if self._nodes and (changed := changes(self._nodes, nodes)):
            self._log.info("site changed", added=changed.added, removed=changed.removed, changed=changed.changed)
        self._nodes = nodes
        return SiteAvailability(
            self._topic.site_id,
            generation=stamp.generation,
            follows=stamp.follows,
            observed_at=stamp.observed_at,
            hosts_observed_at=hosts.observed_at,
            poll_interval=self._rhythm.poll_interval,
            nodes=nodes,
        )

    def _forget_doubts(self) -> None:
        self._hosts_doubt.forget()
        self._allocations_doubt.forget()


class FlavorsCoordinator(Coordinator):
    """Polls how many instances of each flavor a site could run over the next 90 days."""

    def __init__(self, source: FlavorsSource, assignment: Assignment) -> None:
        super().__init__(source, assignment)
        self._source = source
        self._doubt = Doubt()

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

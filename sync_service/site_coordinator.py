"""The availability of a site's nodes: what one poll of it is."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from shared.availability import NodeAvailability, SiteAvailability
from sync_service.coordinator import Assignment, Coordinator
from sync_service.domain.host_list import HostList
from sync_service.domain.judgement import Allocation, Doubt, DoubtfulAnswerError, Stamp, changes, judge
from sync_service.domain.ports import SiteSource, Turn

THREAD_ABOVE: Final = 2000
"""Hosts and allocations: judging more takes 15 ms and would be felt on the event loop."""


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

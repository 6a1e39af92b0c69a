"""One run: a world, its faults in an order that the seed says, and what came of them."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from deploy.local.rabbitmq import RabbitNode
from shared.availability import utc_now
from shared.transport import SessionLostError
from tests.chaos.faults import KINDS
from tests.chaos.truth import NODES
from tests.chaos.watch import Watch
from tests.chaos.world import INTERVAL, World
from tests.eventually import running, until

READY_SECONDS = 60
QUIET_SECONDS = 60
MOST_AT_ONCE = 2
SHORTEST_SECONDS = 22 * INTERVAL


@dataclass
class Report:
    """What came of a run."""

    seed: int
    faults: dict[str, int] = field(default_factory=dict)
    heals: dict[str, list[float]] = field(default_factory=dict)
    answers: int = 0
    seconds: float = 0
    polls: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def schedule(seed: int, kinds: dict[str, Any], count: int) -> list[str]:
    """Kinds of faults; consecutive seeds go through all of them, so that none is left out for long."""
    random, names = Random(f"schedule {seed}"), sorted(kinds)
    first = [names[(seed * count + number) % len(names)] for number in range(count - count // 3)]
    chosen = first + random.choices(names, k=count // 3)
    random.shuffle(chosen)
    return chosen


class Run:
    """See `Report` for what it leaves."""

    def __init__(self, node: RabbitNode, folder: Path, seed: int, *, faults: list[str], shortest: float) -> None:
        self.report = Report(seed)
        self.world = World(node, folder, seed)
        self.watches: list[Watch] = []
        self._faults = faults
        self._shortest = shortest
        self._random = Random(f"pace {seed}")

    async def run(self) -> Report:
        began = time.monotonic()
        async with self.world:
            self.watches = [Watch(self.world, replica) for replica in self.world.apis]
            async with running(*(watch.run() for watch in self.watches)):
                await self._stage("nothing is known at the start", self._all_known(utc_now()), READY_SECONDS)
                await self._under_fire()
                await self.world.rest()
                rested = utc_now()
                await self._stage("not all is as it is", self._equal_to_the_truth(rested), QUIET_SECONDS)
            self._account(time.monotonic() - began)
        return self.report

    async def _under_fire(self) -> None:
        began = time.monotonic()
        slots = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for kind in self._faults:
                await slots.acquire()
                task = group.create_task(self._befall(kind))
                task.add_done_callback(lambda _: slots.release())
                await asyncio.sleep(self._random.uniform(0.1, 1.5))
        await asyncio.sleep(max(0, self._shortest - (time.monotonic() - began)))

    async def _befall(self, kind: str) -> None:
        self.report.faults[kind] = self.report.faults.get(kind, 0) + 1
        # What the suite itself does on the broker may be lost with it.
        with suppress(SessionLostError, TimeoutError):
            await KINDS[kind](self.world)
        mended = utc_now()
        with suppress(TimeoutError):
            await until(lambda: self._known_since(mended), within=QUIET_SECONDS)
            self.report.heals.setdefault(kind, []).append(round((utc_now() - mended).total_seconds(), 2))

    def _known_since(self, moment: datetime) -> bool:
        return all(
            watch.last_updated.get(site_id, moment.min.replace(tzinfo=moment.tzinfo)) >= moment
            for watch in self.watches
            for site_id in self.world.site_ids
        )

    async def _all_known(self, moment: datetime) -> None:
        await until(lambda: self._known_since(moment), within=10 * QUIET_SECONDS)

    async def _equal_to_the_truth(self, moment: datetime) -> None:
        expected = {
            (site_id, node): str(truth.state(node) or "available")
            for site_id, truth in self.world.sites.items()
            for node in NODES
        }
        await until(
            lambda: self._known_since(moment) and all(watch.states == expected for watch in self.watches),
            within=10 * QUIET_SECONDS,
        )

    async def _stage(self, failure: str, stage: Any, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stage
        except TimeoutError:
            self.report.wrong.append(f"{failure} after {seconds:.0f} s: {[watch.states for watch in self.watches]}")

    def _account(self, seconds: float) -> None:
        report = self.report
        report.seconds = round(seconds, 1)
        report.answers = sum(watch.answers for watch in self.watches)
        report.wrong += [wrong for watch in self.watches for wrong in watch.wrong]
        starts = sum(replica.starts for replica in self.world.replicas)
        for site_id, truth in self.world.sites.items():
            report.polls += len(truth.polled)
            close = sum(
                (later - earlier).total_seconds() < INTERVAL / 2
                for earlier, later in zip(truth.polled, truth.polled[1:], strict=False)
            )
            # One for each start, fault or refused token (which keystoneauth answers by asking again).
            allowed = 2 * (starts + sum(report.faults.values()))
            if close > allowed or len(truth.polled) > seconds / INTERVAL + allowed:
                report.wrong.append(f"{site_id} was polled {len(truth.polled)} times, {close} of them too soon")


def totals(reports: list[Report]) -> Counter[str]:
    """How often each kind of fault occurred."""
    found: Counter[str] = Counter()
    for report in reports:
        found.update(report.faults)
    return found

"""A poller without a site."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.availability import utc_now
from shared.topology import Topic
from sync_service.domain.ports import Outcome, Turn
from tests.snapshots import MINUTE, site


class FakePoller:
    """Takes its time, publishes the next generation, and remembers each turn."""

    def __init__(
        self, *, takes: float = 1, next_in: timedelta = MINUTE, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.takes = takes
        self.next_in = next_in
        self.clock = clock
        self.turns: list[Turn] = []
        self.began: list[float] = []
        self.published = 0
        self.running = 0
        self.most = 0

    async def poll(self, turn: Turn) -> Outcome:
        self.turns.append(turn)
        self.began.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.takes)
            return await self.finish(turn)
        finally:
            self.running -= 1

    async def finish(self, turn: Turn) -> Outcome:
        generation = (turn.follows or 0) + 1
        await turn.publish(site(turn.topic.site_id, generation, follows=turn.follows, observed_at=self.clock()))
        self.published += 1
        return Outcome(generation, self.next_in)

    @property
    def topics(self) -> Counter[Topic]:
        return Counter(turn.topic for turn in self.turns)

    @property
    def follows(self) -> list[int | None]:
        return [turn.follows for turn in self.turns]

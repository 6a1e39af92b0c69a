"""How many instances of its flavors a site could run: what one poll of it is."""

from datetime import timedelta
from typing import Final

from shared.availability import Interval, SiteFlavors
from sync_service.coordinator import Assignment, Coordinator
from sync_service.domain.judgement import Doubt, DoubtfulAnswerError, Stamp
from sync_service.domain.ports import FlavorsSource, Turn

FLAVOR_WINDOW: Final = timedelta(days=90)
"""How far ahead the capacity of flavors is asked for."""

HOUR: Final = timedelta(hours=1)


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
        # Clients ask from the beginning of their hour on, which may begin half an hour before or after one of UTC.
        start = stamp.observed_at.replace(minute=0, second=0, microsecond=0) - HOUR
        window = Interval(start, start + HOUR + FLAVOR_WINDOW)
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

"""Replicas of both services, as far as the log concerns them."""

from datetime import timedelta

from api_service.adapters.availability_feed import AvailabilityFeed
from api_service.domain.availability_map import AvailabilityMap
from shared.topology import Topic
from shared.transport import Transport
from sync_service.adapters.poll_tokens import PollTokens
from tests.pollers import FakePoller

INTERVAL = timedelta(milliseconds=300)


class Reader:
    """The API's side."""

    def __init__(self, transport: Transport, topic: Topic) -> None:
        self.map = AvailabilityMap()
        self.topic = topic
        self.feed = AvailabilityFeed(transport, self.map, lambda: [self.topic])

    @property
    def generation(self) -> int:
        """0 as long as nothing is known."""
        return self.map.generation(self.topic) or 0


class Writer:
    """The sync service's side."""

    def __init__(
        self, transport: Transport, *topics: Topic, takes: float = 0.02, interval: timedelta = INTERVAL
    ) -> None:
        self.poller = FakePoller(takes=takes, next_in=INTERVAL)
        self.tokens = PollTokens(
            transport, topics, self.poller, max_concurrent=32, interval_of=lambda _: interval, longest_poll=interval
        )

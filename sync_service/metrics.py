"""What is counted as polls end."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.topology import Topic
from sync_service.domain.ports import PollResult, TroubleKind

POLL_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""A host list of 313 hosts takes Blazar 7 s; a stopped manager is told after 60 s; polls are given up after 120 s."""

LABELS: Final = ("subject", "site")


class PollMetrics:
    """A `PollObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._polls = Counter("reference_sync_polls", "Polls that ended.", [*LABELS, "result"], registry=registry)
        self._troubles = Counter(
            "reference_sync_troubles", "Polls that published nothing, by why.", [*LABELS, "kind"], registry=registry
        )
        self._seconds = Histogram(
            "reference_sync_poll_seconds", "How long a poll took.", LABELS, registry=registry, buckets=POLL_SECONDS
        )
        self._listed = Gauge(
            "reference_sync_listed", "Hosts, or flavors, in the newest answer.", LABELS, registry=registry
        )
        self._unreadable = Gauge(
            "reference_sync_unreadable_records", "Records in it that nobody understands.", LABELS, registry=registry
        )

    def expect(self, topics: Iterable[Topic]) -> None:
        """Begins at none, so that a topic that is never polled can be seen."""
        for topic in topics:
            for result in PollResult:
                self._polls.labels(topic.subject, topic.site_id, result)

    def poll_ended(self, topic: Topic, result: PollResult, seconds: float) -> None:
        """As `PollObserver.poll_ended`."""
        self._polls.labels(topic.subject, topic.site_id, result).inc()
        self._seconds.labels(topic.subject, topic.site_id).observe(seconds)

    def troubled(self, topic: Topic, kind: TroubleKind) -> None:
        """As `PollObserver.troubled`."""
        self._troubles.labels(topic.subject, topic.site_id, kind).inc()

    def records_read(self, topic: Topic, listed: int, unreadable: int) -> None:
        """As `PollObserver.records_read`."""
        self._listed.labels(topic.subject, topic.site_id).set(listed)
        self._unreadable.labels(topic.subject, topic.site_id).set(unreadable)

"""Names and arguments of everything on the broker. Arguments are immutable there: a change is a new name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.availability import SiteAvailability, Snapshot

EXCHANGE: Final = "availability"
"""Durable topic exchange; anybody may bind a queue of their own to it."""

DEAD_QUEUE: Final = "availability.dead"
"""Messages that no reader could use, with where and why in their headers."""

SITE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Site ids that may become part of a queue's name; any other is a data fault and is not subscribed."""

type Arguments = Mapping[str, str | int]

STREAM_ARGUMENTS: Final[Arguments] = {
    "x-queue-type": "stream",
    "x-max-length-bytes": 32_000_000,
    "x-stream-max-segment-size-bytes": 4_000_000,
}
"""By size only: the newest segment is never truncated, so the last state outlives any outage."""

DEAD_ARGUMENTS: Final[Arguments] = {
    "x-queue-type": "classic",
    "x-max-length": 1000,
    "x-max-length-bytes": 64_000_000,
    "x-overflow": "drop-head",
    "x-message-ttl": 7 * 86_400 * 1000,
}


class JobQueueType(StrEnum):
    """How poll tokens are kept: `quorum` where the broker has three or more nodes, else `classic`."""

    CLASSIC = "classic"
    QUORUM = "quorum"


class Subject(StrEnum):
    """What a stream tells of its site."""

    SITE = "site"
    FLAVORS = "flavors"


@dataclass(frozen=True, slots=True, order=True)
class Topic:
    """One stream: one subject of one site.

    Raises:
        ValueError: if `site_id` does not match `SITE_ID`.
    """

    site_id: str
    subject: Subject = Subject.SITE

    def __post_init__(self) -> None:
        if not SITE_ID.fullmatch(self.site_id):
            raise ValueError(f"{self.site_id!r} cannot name a queue: it must match {SITE_ID.pattern}")

    @property
    def stream(self) -> str:
        """The stream's name."""
        return f"availability.{self.subject}.{self.site_id}.v1"

    @property
    def routing_key(self) -> str:
        """The key under which the exchange routes to the stream."""
        return f"{self.subject}.{self.site_id}"

    @property
    def _token(self) -> str:
        return self.site_id if self.subject is Subject.SITE else f"{self.subject}.{self.site_id}"

    def poll_queue(self, kind: JobQueueType) -> str:
        """The queue that holds the site's one poll token while it is due."""
        return f"sync.poll.{self._token}.{kind}.v1"

    def wait_queue(self, kind: JobQueueType) -> str:
        """The queue in which the token waits for its time."""
        return f"sync.wait.{self._token}.{kind}.v1"


def topic_of(snapshot: Snapshot) -> Topic:
    """The topic that `snapshot` is about."""
    return Topic(snapshot.site_id, Subject.SITE if isinstance(snapshot, SiteAvailability) else Subject.FLAVORS)


def poll_arguments(kind: JobQueueType) -> Arguments:
    """Arguments of a poll queue: at most one token is ready."""
    arguments: Arguments = {"x-queue-type": str(kind), "x-max-length": 1, "x-overflow": "drop-head"}
    # A quorum queue would drop a token after its default number of deliveries: a site silenced.
    return arguments if kind is JobQueueType.CLASSIC else {**arguments, "x-delivery-limit": 1_000_000}


def wait_arguments(topic: Topic, kind: JobQueueType) -> Arguments:
    """Arguments of a wait queue: a second token is refused, and a token whose time has come is due.

    `reject-publish` matters: with `drop-head` a dropped token would be dead-lettered, that is due, at once.
    """
    arguments: Arguments = {
        "x-queue-type": str(kind),
        "x-max-length": 1,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": topic.poll_queue(kind),
    }
    # Of a token that comes due while the leaders of both queues are lost, `at-least-once` may keep hold for minutes: it
    # refuses every other and is never due. Lost, as it is by default, it is made anew.
    return arguments if kind is JobQueueType.CLASSIC else {**arguments, "x-delivery-limit": 1_000_000}

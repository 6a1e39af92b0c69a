"""What the domain asks of the outside world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shared.availability import FlavorSegment, Interval, Snapshot
from shared.topology import Topic
from sync_service.domain.judgement import Allocation, Host


class TurnLostError(Exception):
    """The turn is over for this replica: its session with the broker has ended, or a newer snapshot is out."""


class TroubleKind(StrEnum):
    """Why a poll published nothing, for metrics: whom it concerns differs. The sentence beside it tells more."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    TLS = "tls"
    HANGING = "hanging"
    CREDENTIAL = "credential"
    POLICY = "policy"
    CONFIGURATION = "configuration"
    CATALOG = "catalog"
    ERROR_ANSWER = "error-answer"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    DOUBTED = "doubted"
    NOT_PUBLISHED = "not-published"
    PROGRAM_ERROR = "program-error"


class SourceError(Exception):
    """A site that cannot be read now. Its text is a sentence for operators, without names or secrets."""

    def __init__(self, sentence: str, kind: TroubleKind = TroubleKind.UNREADABLE) -> None:
        super().__init__(sentence)
        self.kind = kind


class UnpublishableError(SourceError):
    """An answer of which no message can be made that readers and brokers take."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, TroubleKind.TOO_LARGE)


class NotPublishedError(SourceError):
    """The site does not have what was asked for, and will not tomorrow."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, TroubleKind.NOT_PUBLISHED)


class Source(Protocol):
    """Where something is read. What reads raises `SourceError`, and may take for ever: the caller sets a limit."""

    def close(self) -> None:
        """Lets go of idle connections."""
        ...


class SiteSource(Source, Protocol):
    """A site's Blazar."""

    async def hosts(self) -> Sequence[Host]:
        """Every host; costs the site seconds of work."""
        ...

    async def allocations(self) -> Sequence[Allocation]:
        """The bookings of every host that have not ended; cheap."""
        ...


@dataclass(frozen=True, slots=True)
class FlavorCapacity:
    """What a site says of its flavors.

    Attributes:
        flavors: Segments by the flavor's name, sorted, none overlapping another.
        unreadable: How many flavors could not be understood; they are left out.
    """

    flavors: Mapping[str, tuple[FlavorSegment, ...]]
    unreadable: int = 0


class FlavorsSource(Source, Protocol):
    """A site that tells how many instances of each flavor could run."""

    async def capacity(self, window: Interval) -> FlavorCapacity:
        """Every flavor's capacity over `window`.

        Raises:
            NotPublishedError: the site has no such service.
            SourceError: it cannot be read now.
        """
        ...


class Turn(Protocol):
    """A replica's right to poll one topic once. It lives and dies with the session that it came by."""

    @property
    def topic(self) -> Topic:
        """What to poll."""
        ...

    @property
    def follows(self) -> int | None:
        """The newest generation published when the turn began; None if there was none."""
        ...

    @property
    def observed_before(self) -> datetime | None:
        """When the snapshot that readers show was observed; None if there is none."""
        ...

    async def newest(self) -> Snapshot | None:
        """The snapshot of the topic that readers show, whoever published it; None if none can be read."""
        ...

    async def publish(self, snapshot: Snapshot) -> None:
        """Returns once the broker has it for good.

        Raises:
            TurnLostError: the session has ended, or something newer than `follows` was published meanwhile.
            UnpublishableError: it is too large.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended: the newest generation known now, and how long until the next poll is due."""

    generation: int | None
    next_in: timedelta


class Poller(Protocol):
    """Polls one topic; never raises but `TurnLostError` and cancellation."""

    async def poll(self, turn: Turn) -> Outcome:
        """One poll: fetch, judge, publish."""
        ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a topic is polled, and how long a poll may take.

    Attributes:
        poll_interval: From the end of a good poll to the next.
        error_backoff: From the end of a failed poll to the next.
        timeout: A whole poll's, whatever hangs.
        hosts_interval: How old the host list may grow; it costs a site seconds of work.
    """

    poll_interval: timedelta
    error_backoff: timedelta
    timeout: timedelta
    hosts_interval: timedelta


class PollResult(StrEnum):
    """How a poll ended, for metrics."""

    PUBLISHED = "published"
    FAILED = "failed"
    DOUBTED = "doubted"
    NOT_PUBLISHED = "not-published"
    LOST = "lost"


class PollObserver(Protocol):
    """Whoever counts polls."""

    def poll_ended(self, topic: Topic, result: PollResult, seconds: float) -> None:
        """A poll of `topic` ended so after `seconds`."""
        ...

    def troubled(self, topic: Topic, kind: TroubleKind) -> None:
        """A poll of `topic` published nothing, for a reason of this kind."""
        ...

    def records_read(self, topic: Topic, listed: int, unreadable: int) -> None:
        """A believed answer held `listed` hosts or flavors, and `unreadable` records that nobody understands."""
        ...

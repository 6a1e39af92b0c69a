"""One poll of one topic, from the turn to the published snapshot. All input and output is behind ports."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from shared.availability import Snapshot, utc_now
from shared.topology import Topic
from sync_service.domain.judgement import DoubtfulAnswerError, Stamp
from sync_service.domain.ports import (
    NotPublishedError,
    Outcome,
    PollObserver,
    PollResult,
    Rhythm,
    Source,
    SourceError,
    TroubleKind,
    Turn,
    TurnLostError,
)

log = structlog.get_logger()


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

"""The turns of one topic during one session: taking its poll token, polling, and passing the token on."""

import asyncio
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from shared.availability import MAX_GENERATION, Snapshot
from shared.sessions import being_cancelled
from shared.topology import Topic, topic_of
from shared.transport import Deliveries, Delivery, Session, SessionLostError
from sync_service.adapters.availability_publisher import AvailabilityPublisher
from sync_service.adapters.stream_head import StreamHead
from sync_service.domain.ports import Outcome, Poller, TurnLostError

log = structlog.get_logger()

TOKEN_BODY: Final = re.compile(rb"[0-9]{1,15}")
EMPTY_LOOKS: Final = 3
"""A token that somebody holds is in no queue; only one missing for at least so many intervals is lost."""

OUT_OF_STEP: Final = 1.5
"""After so many intervals the token of a lost turn comes back.

A quorum queue takes two tokens that are passed on in the same moment, whatever its length may be: they would come due
together for ever.
"""

OVERDUE_INTERVALS: Final = 2
LONGEST_JITTER: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(days=1)
LONGEST_HOLD_OFF: Final = timedelta(minutes=5)
LONGEST_WAIT_FOR_A_SLOT: Final = timedelta(minutes=1)
"""These two and the longest poll together: the broker ends a session that keeps a token for 30 minutes."""

READ_BACK_SECONDS: Final = 10.0
UNHEARD: Final = "what was published is not in the stream"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A turn that has not passed its token on: it runs, or it ended with its session.

    Attributes:
        not_before: When the topic may be polled again, by the loop's clock.
        newest: The newest generation when the turn began.
    """

    not_before: float
    newest: int | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the turns of all topics share, over all sessions.

    Attributes:
        slots: One for each poll that may run.
        held: The topics whose token is here.
        lost: How often each topic's token was missing, and made anew.
        longest_poll: No poll takes longer.
    """

    poller: Poller
    publisher: AvailabilityPublisher
    clock: Callable[[], datetime]
    slots: asyncio.Semaphore
    held: set[Topic]
    lost: Counter[Topic]
    longest_poll: timedelta
    unfinished: dict[Topic, Unfinished] = field(default_factory=dict)


class _Turn:
    """See `sync_service.domain.ports.Turn`.

    Attributes:
        unheard: What was published did not come back.
    """

    def __init__(
        self, topic: Topic, follows: int | None, session: Session, head: StreamHead, publisher: AvailabilityPublisher
    ) -> None:
        self.topic = topic
        self.follows = follows
        self.unheard = False
        self._session = session
        self._head = head
        self._publisher = publisher

    @property
    def observed_before(self) -> datetime | None:
        return self._head.observed_at

    async def newest(self) -> Snapshot | None:
        return await self._head.snapshot()

    async def publish(self, snapshot: Snapshot) -> None:
        if topic_of(snapshot) != self.topic:
            raise ValueError(f"a snapshot of {topic_of(snapshot)} in a turn of {self.topic}")
        newest = self._head.newest
        if newest and (self.follows is None or newest.generation > self.follows):
            raise TurnLostError("a newer snapshot is out")
        try:
            await self._publisher.publish(self._session, snapshot)
        except SessionLostError as loss:
            raise TurnLostError(str(loss)) from loss
        await self._read_back(snapshot)

    async def _read_back(self, snapshot: Snapshot) -> None:
        """The broker confirms what it could route to any queue, and the stream may not be among them yet."""
        try:
            async with asyncio.timeout(READ_BACK_SECONDS):
                await self._head.reaches(snapshot.generation)
        except TimeoutError:
            self.unheard = True
            raise TurnLostError(UNHEARD) from None
        if not self._head.shows(snapshot):
            # Two polls that follow one message ahead of all clocks make one number.
            raise TurnLostError("another snapshot came first")


class TopicTurns:
    """The turns of one topic during one session."""

    def __init__(self, topic: Topic, interval: timedelta, session: Session, head: StreamHead, desk: Desk) -> None:
        self._topic = topic
        self._interval = interval
        self._session = session
        self._head = head
        self._desk = desk
        self._log = log.bind(site_id=topic.site_id, subject=str(topic.subject))

    async def take(self, tokens: Deliveries) -> None:
        """Polls whenever the token comes, and passes it on."""
        async for token in tokens:
            self._desk.held.add(self._topic)
            try:
                await self._hold_off()
                await self._take_turn(token)
                del self._desk.unfinished[self._topic]
            finally:
                self._desk.held.discard(self._topic)

    async def tend(self) -> None:
        """Makes sure that there is a token: a lost one must never silence a site."""
        if await self._overdue() and not await self._has_token():
            await self._seed()
        # Another replica may hold it for as long as a poll may take.
        enough = max(EMPTY_LOOKS, math.ceil(self._desk.longest_poll / self._interval) + 1)
        empty_looks = 0
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            empty_looks = 0 if await self._has_token() else empty_looks + 1
            if empty_looks == enough:
                self._log.warning("poll token lost")
                self._desk.lost[self._topic] += 1
                await self._seed()
                empty_looks = 0

    async def _hold_off(self) -> None:
        """Waits if the last turn ended with its session and nobody has published since.

        Such a token comes back at once, perhaps to us again: a broker that takes no messages for an hour must not
        have the site asked every few seconds.
        """
        now = asyncio.get_running_loop().time
        newest = await self._head.generation()
        last = self._desk.unfinished.get(self._topic)
        if last and last.newest == newest:
            await asyncio.sleep(last.not_before - now())
        rest = min(self._interval / 2, LONGEST_HOLD_OFF)
        self._desk.unfinished[self._topic] = Unfinished(now() + rest.total_seconds(), newest)

    async def _take_turn(self, token: Delivery) -> None:
        follows = _newer(_generation_in(token.envelope.body), await self._head.generation())
        outcome = Outcome(follows, timedelta())  # for whoever has a slot
        turn = _Turn(self._topic, follows, self._session, self._head, self._desk.publisher)
        if await self._got_slot():
            try:
                outcome = await self._poll(turn)
            finally:
                self._desk.slots.release()
        if turn.unheard:
            # Either the stream is not bound, or nothing comes to us any more: a new session mends both.
            raise SessionLostError(UNHEARD)
        newest = _newer(_newer(follows, outcome.generation), await self._head.generation())
        await self._schedule(newest, outcome.next_in)
        await token.ack()

    async def _got_slot(self) -> bool:
        try:
            async with asyncio.timeout(LONGEST_WAIT_FOR_A_SLOT.total_seconds()):
                return await self._desk.slots.acquire()
        except TimeoutError:
            return False

    async def _poll(self, turn: _Turn) -> Outcome:
        """Whatever the poller does, there is an outcome, so that the token goes on."""
        try:
            return await self._desk.poller.poll(turn)
        except TurnLostError as lost:
            self._log.info("turn lost", reason=str(lost))
            # Whoever won has a token, too. Out of step with that one, this one is refused when it is passed on.
            return Outcome(None, self._interval * OUT_OF_STEP)
        except asyncio.CancelledError:
            if being_cancelled():
                raise
            self._log.error("poll cancelled itself")
        except Exception:  # noqa: BLE001 - a fault in the poll of one topic must not end the polls of all
            self._log.exception("poll failed unexpectedly")
        return Outcome(None, self._interval)

    async def _overdue(self) -> bool:
        await self._head.generation()
        newest = self._head.newest
        return newest is None or newest.observed_at < self._desk.clock() - OVERDUE_INTERVALS * self._interval

    async def _has_token(self) -> bool:
        return self._topic in self._desk.held or await self._session.count_tokens(self._topic) > 0

    async def _seed(self) -> None:
        jitter = min(self._interval, LONGEST_JITTER) * random.random()  # noqa: S311 - so that sites are not polled as one
        if await self._schedule(await self._head.generation(), jitter):
            self._log.info("poll token seeded")

    async def _schedule(self, generation: int | None, delay: timedelta) -> bool:
        body = b"" if generation is None else str(generation).encode()
        # Refused where a token waits already: of two tokens of a topic, one ends here.
        return await self._session.schedule(self._topic, body, delay=min(max(delay, timedelta()), LONGEST_DELAY))


def _generation_in(body: bytes) -> int | None:
    generation = int(body) if TOKEN_BODY.fullmatch(body) else None
    return generation if generation is not None and generation <= MAX_GENERATION else None


def _newer(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)

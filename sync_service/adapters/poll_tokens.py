"""Which replica polls a topic, and when: one token per topic, which the log hands out and keeps waiting.

The log is the only coordinator and the only clock. Correctness rests on `follows` in the messages and not on
exclusion: two polls of a topic may overlap at a replica's start or fault, and the loser's result is not applied.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final, NoReturn

from shared.availability import utc_now
from shared.sessions import SessionKeeper, SessionState
from shared.topology import Topic
from shared.transport import Session, Transport
from sync_service.adapters.availability_publisher import AvailabilityPublisher
from sync_service.adapters.poll_turns import Desk, TopicTurns
from sync_service.adapters.stream_head import StreamHead
from sync_service.domain.ports import Poller

SOURCE: Final = "/reference-api/sync"


class PollTokens:
    """Polls every topic whose token comes to this replica, and passes the token on.

    Attributes:
        held: The topics whose token is here now.
        lost: How often this replica found each topic's token missing, and made it anew.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Collection[Topic],
        poller: Poller,
        *,
        max_concurrent: int,
        interval_of: Callable[[Topic], timedelta],
        longest_poll: timedelta,
        clock: Callable[[], datetime] = utc_now,
        source: str = SOURCE,
    ) -> None:
        """Starts nothing.

        Args:
            transport: Where the tokens and the streams are.
            topics: What to poll; the same in all replicas.
            poller: Polls one topic.
            max_concurrent: How many polls may run at once in this replica.
            interval_of: How often a topic is polled.
            longest_poll: No poll takes longer; a token that is missing for less may be held by another replica.
            clock: The present, for judging the age of what is published.
            source: A URI reference that names this replica in its messages.
        """
        self.held: set[Topic] = set()
        self.lost: Counter[Topic] = Counter()
        self._topics = tuple(topics)
        self._keeper = SessionKeeper(transport, "poll", self._begin)
        self._silence = transport.silence
        self._desk = Desk(
            poller,
            AvailabilityPublisher(source),
            clock,
            asyncio.Semaphore(max_concurrent),
            self.held,
            self.lost,
            longest_poll,
        )
        self._interval_of = interval_of

    @property
    def connected(self) -> bool:
        """Whether a session with the log stands."""
        return self._keeper.connected

    @property
    def session_state(self) -> SessionState:
        """Whether one stands, and if not, why."""
        return self._keeper.state

    @property
    def last_loss(self) -> str | None:
        """Why the last session ended or could not begin; no secrets."""
        return self._keeper.last_loss

    async def run(self) -> NoReturn:
        """Never ends but by cancellation, or an error of the program."""
        await self._keeper.run()

    async def _begin(self, session: Session, group: asyncio.TaskGroup) -> None:
        await session.declare(self._topics)
        await session.declare_tokens(self._topics)
        # In any order: replicas that start together share the topics instead of racing for the same ones.
        for topic in random.sample(self._topics, len(self._topics)):
            head = StreamHead(topic, session, silence=self._silence)
            group.create_task(head.follow(await head.subscribe()))
            turns = TopicTurns(topic, self._interval_of(topic), session, head, self._desk)
            group.create_task(turns.take(await session.tokens(topic)))
            group.create_task(turns.tend())

"""The availability log -> the availability map: one reader per topic, over sessions that come and go."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from api_service.adapters.missed_messages import missed
from api_service.adapters.topic_reader import Fate, Incident, TopicReader
from api_service.domain.availability_map import AvailabilityMap
from shared.availability import utc_now
from shared.messages import Envelope
from shared.sessions import SessionKeeper, SessionState
from shared.topology import Subject, Topic
from shared.transport import Delivery, Session, SessionLostError, Transport

log = structlog.get_logger()

GRACE: Final = timedelta(seconds=5)
"""An empty stream says nothing: after so long a silent site is taken for one that was never polled."""

RECHECK_SECONDS: Final = 5.0
DOUBT_SECONDS: Final = 15.0
"""How often sites that are stale are looked at in another way: it may be the session that is."""

BURY_SECONDS: Final = 5.0
LONGEST_HEADER: Final = 500


class AvailabilityFeed:
    """Keeps the map as the log has it.

    Attributes:
        ready: Every required topic has been read, or was silent for the grace; losing the broker later changes nothing.
        listeners: Told the topic after each snapshot that was applied; must not raise or block.
    """

    def __init__(
        self,
        transport: Transport,
        availability: AvailabilityMap,
        topics: Callable[[], Collection[Topic]],
        *,
        required: Collection[Topic] | None = None,
        grace: timedelta = GRACE,
        clock: Callable[[], datetime] = utc_now,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts nothing.

        Args:
            transport: Where the log is.
            availability: What to keep current.
            topics: What to follow; asked again every few seconds.
            required: What has to be read before this is ready; by default all that `topics` names at first.
            grace: How long a required topic may stay silent, counted from a session that stands.
            clock: The present.
            settled: Called once, before this is ready: much of what was read by then lasts.
        """
        self.ready = False
        self.listeners: list[Callable[[Topic], None]] = []
        self._transport = transport
        self._availability = availability
        self._topics = topics
        self._required = required
        self._grace = grace.total_seconds()
        self._clock = clock
        self._settled = settled
        self._keeper = SessionKeeper(transport, "feed", self._begin)
        self._readers: dict[Topic, TopicReader] = {}
        self._counts: dict[Topic, Counter[Fate]] = {}
        self._incidents: Counter[Incident] = Counter()
        self._one_looks_back = asyncio.Lock()
        self._progress = asyncio.Event()
        self._changed = asyncio.Event()

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

    @property
    def counts(self) -> Mapping[Fate, int]:
        """Messages by what became of them, since the start of the process."""
        total = sum(self._counts.values(), Counter[Fate]())
        return {fate: total[fate] for fate in Fate}

    @property
    def incidents(self) -> Mapping[Incident, int]:
        """What befell the reading beside its messages, since the start of the process."""
        return {incident: self._incidents[incident] for incident in Incident}

    def position(self, topic: Topic) -> int | None:
        """The offset of the last message read of `topic`; None before the first."""
        reader = self._readers.get(topic)
        return reader.position if reader else None

    def refresh(self) -> None:
        """Asks for the topics again at once: a new inventory may name other sites."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Never ends but by cancellation, or an error of the program."""
        await self._keeper.run()

    async def _begin(self, session: Session, group: asyncio.TaskGroup) -> None:
        tasks: dict[Topic, asyncio.Task[None]] = {}
        await self._subscribe(session, group, tasks)
        group.create_task(self._stay_subscribed(session, group, tasks))
        group.create_task(self._doubt())
        if not self.ready:
            group.create_task(self._become_ready())

    async def _stay_subscribed(
        self, session: Session, group: asyncio.TaskGroup, tasks: dict[Topic, asyncio.Task[None]]
    ) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            await self._subscribe(session, group, tasks)

    async def _subscribe(
        self, session: Session, group: asyncio.TaskGroup, tasks: dict[Topic, asyncio.Task[None]]
    ) -> None:
        """Follows what is wanted and not followed yet; drops what is followed or known and wanted no more."""
        wanted = set(self._topics())
        for topic in self._readers.keys() - wanted:
            reader = self._readers.pop(topic)
            self._availability.drop(topic)
            if topic in tasks:
                tasks.pop(topic).cancel()
                await reader.unsubscribe()
        if new := sorted(wanted - tasks.keys()):
            await session.declare(new)
        for topic in new:
            reader = self._readers.setdefault(topic, self._reader(topic))
            deliveries = await reader.subscribe(session)
            tasks[topic] = group.create_task(reader.read(session, deliveries))

    async def _become_ready(self) -> None:
        required = self._topics() if self._required is None else self._required
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                while not all(map(self._availability.has_synced, required)):
                    self._progress.clear()
                    await self._progress.wait()
        self._settled()
        self.ready = True

    async def _doubt(self) -> NoReturn:
        """Ends a session by which messages do not come that are there."""
        while True:
            await asyncio.sleep(DOUBT_SECONDS)
            silent = [topic for topic in self._readers if self._is_silent(topic)]
            if silent and (topic := await missed(self._transport, silent, self.position)):
                raise SessionLostError(f"messages of {topic.stream} do not come")

    def _is_silent(self, topic: Topic) -> bool:
        known = self._availability.sites if topic.subject is Subject.SITE else self._availability.flavors
        observed = known.get(topic.site_id)
        return observed is None or observed.stale_at(self._clock())

    def _reader(self, topic: Topic) -> TopicReader:
        counts = self._counts.setdefault(topic, Counter())
        return TopicReader(
            topic,
            self._availability,
            bury=self._bury,
            applied=self._tell,
            clock=self._clock,
            counts=counts,
            incidents=self._incidents,
            one_looks_back=self._one_looks_back,
        )

    def _tell(self, topic: Topic) -> None:
        self._progress.set()
        for listener in self.listeners:
            listener(topic)

    async def _bury(self, topic: Topic, delivery: Delivery, reason: str) -> None:
        """On a session of its own: a broker short of memory stops listening to connections that publish."""
        try:
            async with asyncio.timeout(BURY_SECONDS), self._transport.session("bury") as session:
                await session.bury(_labelled(topic, delivery, reason))
        except (SessionLostError, TimeoutError) as error:
            self._incidents[Incident.NOT_BURIED] += 1
            log.error("poison message not buried", stream=topic.stream, offset=delivery.offset, reason=str(error))


def _labelled(topic: Topic, delivery: Delivery, reason: str) -> Envelope:
    """The message as it was, with where it was found and what is wrong with it; other headers may be of any size."""
    original = delivery.envelope
    kept: dict[str, str | int] = {
        name: value[:LONGEST_HEADER] if isinstance(value, str) else value
        for name, value in original.headers.items()
        if name.startswith("cloudEvents:")
    }
    found: dict[str, str | int] = {
        "x-stream": topic.stream,
        "x-offset": delivery.offset,
        "x-error": reason[:LONGEST_HEADER],
    }
    return Envelope(
        original.body,
        kept | found,
        content_type=original.content_type,
        content_encoding=original.content_encoding,
        message_id=original.message_id,
        type=original.type,
    )

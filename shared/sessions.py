"""Keeping a session with the log: begun anew, as a whole, whenever any part of it is lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, NoReturn

import structlog

from shared.transport import RefusedError, Session, SessionClosedError, SessionLostError, TopologyError, Transport

log = structlog.get_logger()

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 2.0
MISMATCH_DELAY: Final = 60.0
"""After a mismatch of arguments: only an operator can mend it, and each attempt costs the broker a connection."""

STEADY_SECONDS: Final = 10.0
"""A session that stood as long as this was a good one: the next delay is the first again."""

type Begin = Callable[[Session, asyncio.TaskGroup], Awaitable[None]]
"""Declares and subscribes, and leaves what has to run while the session lasts in the group."""


class SessionState(StrEnum):
    """How it is with a session, for metrics: what an operator does differs."""

    STANDING = "standing"
    NEVER = "never"
    LOST = "lost"
    REFUSED = "refused"
    MISMATCH = "mismatch"


class SessionKeeper:
    """Runs sessions one after the other, for ever, with a jittered and growing delay between them.

    Attributes:
        connected: A session stands: all that `begin` wanted is there.
        last_loss: Why the last session ended or could not begin; no secrets.
    """

    def __init__(self, transport: Transport, purpose: str, begin: Begin) -> None:
        self.connected = False
        self.last_loss: str | None = None
        self._down = SessionState.NEVER
        self._transport = transport
        self._purpose = purpose
        self._begin = begin
        self._delay = FIRST_DELAY
        self._told: str | None = None
        self._stood = False
        self._log = log.bind(broker=transport.location, purpose=purpose)

    @property
    def state(self) -> SessionState:
        """Whether a session stands, and if not, why; `never` if none has since the start."""
        return SessionState.STANDING if self.connected else self._down

    async def run(self) -> NoReturn:
        """Never ends but by cancellation, or an error of the program."""
        while True:
            try:
                await self._session_of_its_own()
            except* SessionLostError as losses:
                self._tell(_first(losses))
            await asyncio.sleep(self._next_delay())

    async def _session_of_its_own(self) -> None:
        """In its own task: a group cancels the task that entered it, which Python 3.12 leaves marked as cancelled."""
        session = asyncio.create_task(self._hold_session(), name=f"session {self._purpose}")
        try:
            await asyncio.wait({session})
        finally:
            session.cancel()
            await asyncio.wait({session})
            if not session.cancelled():
                session.exception()  # whoever is cancelled here asks for it no more, and asyncio would complain
        if session.cancelled():
            raise SessionLostError("the session was cancelled from within")
        await session  # it has ended: this raises what it raised

    async def _hold_session(self) -> None:
        stood_at: float | None = None
        now = asyncio.get_running_loop().time
        try:
            async with self._transport.session(self._purpose) as session, asyncio.TaskGroup() as group:
                group.create_task(session.wait_lost())
                await self._begin(session, group)
                stood_at = now()
                self._stand()
        finally:
            self.connected = False
            if stood_at is not None and now() - stood_at >= STEADY_SECONDS:
                self._delay = FIRST_DELAY

    def _stand(self) -> None:
        self.connected = self._stood = True
        self._told = None
        self._log.info("broker session begun")

    def _tell(self, loss: SessionLostError) -> None:
        """Logs a change once, however often the same failure repeats."""
        self.last_loss = str(loss)
        self._down = self._state_after(loss)
        if isinstance(loss, TopologyError):
            self._delay = MISMATCH_DELAY
            if self._told != self.last_loss:
                self._log.error("broker topology mismatch", reason=self.last_loss)
            self._told = self.last_loss
        elif self._told is None:
            self._log.warning("broker session lost", reason=self.last_loss)
            self._told = "lost"

    def _state_after(self, loss: SessionLostError) -> SessionState:
        match loss:
            case TopologyError():
                return SessionState.MISMATCH
            case RefusedError():
                return SessionState.REFUSED
            case _:
                return SessionState.LOST if self._stood else SessionState.NEVER

    def _next_delay(self) -> float:
        delay = self._delay * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, so that replicas do not come back as one
        self._delay = min(LONGEST_DELAY, self._delay * 2)
        return delay


def being_cancelled() -> bool:
    """Whether somebody asked the current task to end; if not, a `CancelledError` leaked from what it called."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _first(losses: BaseExceptionGroup[SessionLostError]) -> SessionLostError:
    """The loss that tells most: a mismatch also shows as a lost channel, and any loss as one that was lost before."""
    telling = losses.subgroup(lambda loss: not isinstance(loss, SessionClosedError | BaseExceptionGroup))
    group = losses.subgroup(TopologyError) or telling or losses
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first

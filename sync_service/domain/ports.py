"""What the domain asks of the outside world."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.availability import Snapshot
from shared.topology import Topic


class TurnLostError(Exception):
    """The turn is over for this replica: its session with the broker has ended, or a newer snapshot is out."""


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

    async def publish(self, snapshot: Snapshot) -> None:
        """Returns once the broker has it for good.

        Raises:
            TurnLostError: the session has ended, or something newer than `follows` was published meanwhile.
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

"""Answers that tell states, kept for as long as neither what they are made of nor the clock makes them others."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from api_service.http.caching import Ready

MOST_BYTES: Final = 16 * 1024 * 1024
"""What all that is kept may take, what was asked included."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer.

    Attributes:
        basis: What it is made of; another is unequal.
        made_at: From when on it holds.
        good_until: From when on time alone may make it another.
    """

    ready: Ready
    basis: tuple[object, ...]
    made_at: datetime
    good_until: datetime

    def holds(self, basis: tuple[object, ...], now: datetime) -> bool:
        """Whether it would be made again as it is: never beyond a moment at which a state changes."""
        return self.basis == basis and self.made_at <= now < self.good_until


class KeptAnswers:
    """Answers by what was asked, all of one basis; those that were kept first go first. Single-threaded."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[str, Kept] = {}
        self._bytes = 0
        self._basis: tuple[object, ...] = ()

    def get(self, asked: str, basis: tuple[object, ...], now: datetime) -> Ready | None:
        """The answer to the query string `asked`, if there is one that holds."""
        kept = self._kept.get(asked)
        return kept.ready if kept and kept.holds(basis, now) else None

    def keep(self, asked: str, kept: Kept) -> None:
        """Keeps it instead of the one before."""
        if kept.basis != self._basis:
            # None of them will hold again, and they hold on to a whole inventory.
            self._kept.clear()
            self._basis, self._bytes = kept.basis, 0
        self._drop(asked)
        self._kept[asked] = kept
        self._bytes += _weight(asked, kept)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, asked: str) -> None:
        if (kept := self._kept.pop(asked, None)) is not None:
            self._bytes -= _weight(asked, kept)


def _weight(asked: str, kept: Kept) -> int:
    return len(asked) + len(kept.ready.body)


KEPT_ANSWERS: Final = web.AppKey("kept_answers", KeptAnswers)
"""Of searches, by their query strings."""

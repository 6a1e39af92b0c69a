"""What takes longer than the event loop may stand still: done in a thread, one at once."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from api_service.http.problems import TooBusyError

AT_ONCE: Final = 1
"""Two threads that compute are no faster than one, and let the event loop wait for both of them."""
MAX_WAITING: Final = 16
BUSY: Final = "Too much is being computed already; `Retry-After` says when to come again."
"""How the contract tells that there is no turn."""


class CostlyWork:
    """Turns for costly work: `AT_ONCE` at a time, `most_waiting` more wait, and any further one is refused."""

    def __init__(self, *, most_waiting: int = MAX_WAITING) -> None:
        self._most_waiting = most_waiting
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._inside = 0

    async def do[R](self, work: Callable[[], R]) -> R:
        """What `work` returns or raises; it runs in another thread, so it may read only what nobody changes.

        Raises:
            TooBusyError: too many are waiting already.
        """
        if self._inside >= AT_ONCE + self._most_waiting:
            raise TooBusyError("too much is being computed already; try again in a few seconds")
        self._inside += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._inside -= 1


COSTLY: Final = web.AppKey("costly", CostlyWork)

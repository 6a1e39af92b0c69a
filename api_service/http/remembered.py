"""Results of costly work, such as reading the past: made once for all who ask together, and kept."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Final

from api_service.http.costly import CostlyWork

MAX_KEPT_BYTES: Final = 64 * 1024 * 1024


class Remembered:
    """Makes results, each once for all who ask for it meanwhile, and keeps those asked for last."""

    def __init__(self, work: CostlyWork, *, most_bytes: int = MAX_KEPT_BYTES) -> None:
        """Makes nothing yet.

        Args:
            work: Gives each its turn.
            most_bytes: What all that is kept may weigh.
        """
        self._work = work
        self._most_bytes = most_bytes
        self._making: dict[Hashable, asyncio.Task[Any]] = {}
        self._kept: dict[Hashable, tuple[Any, int]] = {}

    @property
    def kept_bytes(self) -> int:
        """What all that is kept weighs."""
        return sum(weight for _, weight in self._kept.values())

    async def get[V](self, key: Hashable, make: Callable[[], V], weigh: Callable[[V], int]) -> V:
        """What `make` gives; `key` names it, and nothing else.

        Args:
            key: Names it.
            make: Called in a thread, if it is not kept.
            weigh: About how many bytes it takes to keep it; likewise, since there may be much to weigh.

        Raises:
            TooBusyError: too many others are waiting for their turn already.
        """
        if key in self._kept:
            # Those asked for last are at the end.
            self._kept[key] = self._kept.pop(key)
            value: V = self._kept[key][0]
            return value
        if key not in self._making:
            task = self._making[key] = asyncio.create_task(self._made(key, make, weigh))
            # If everybody went away, nobody hears of its error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever goes away leaves it to the others.
        made: V = await asyncio.shield(self._making[key])
        return made

    def forget(self) -> None:
        """Keeps nothing of what was made so far, nor of what is being made."""
        self._kept.clear()
        self._making = {}

    async def _made[V](self, key: Hashable, make: Callable[[], V], weigh: Callable[[V], int]) -> V:
        making = self._making
        try:
            value, weight = await self._work.do(lambda: _weighed(make, weigh))
            if making is self._making:
                self._keep(key, value, weight)
            return value
        finally:
            making.pop(key, None)

    def _keep(self, key: Hashable, value: object, weight: int) -> None:
        self._kept[key] = (value, weight)
        while self.kept_bytes > self._most_bytes:
            del self._kept[next(iter(self._kept))]


def _weighed[V](make: Callable[[], V], weigh: Callable[[V], int]) -> tuple[V, int]:
    value = make()
    return value, weigh(value)

"""Endless loops, run beside the work that needs them, and what became of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

type Loop = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Supervisor:
    """Tells whether every loop still runs; a dead one must fail liveness, not the requests being served."""

    task: asyncio.Task[None]

    @property
    def alive(self) -> bool:
        """False once any loop has ended, for whatever reason: all the others end with it."""
        return not self.task.done()


@asynccontextmanager
async def supervised(**loops: Loop) -> AsyncIterator[Supervisor]:
    """Runs `loops` until the context is left.

    A group cancels the task that entered it, so it runs in a task of its own: the first loop to fail ends
    the others and is logged, while whoever entered this context goes on.
    """

    async def run() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name, loop in loops.items():
                    group.create_task(_endless(name, loop), name=name)
        except* Exception as failed:  # the last place that can tell
            for error in failed.exceptions:
                log.error("a loop died", exc_info=error)

    task = asyncio.create_task(run(), name="supervisor")
    try:
        yield Supervisor(task)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _endless(name: str, loop: Loop) -> None:
    await loop()
    raise RuntimeError(f"the loop {name} ended, which it never should")

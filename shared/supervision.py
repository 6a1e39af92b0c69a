"""Endless loops, run beside the work that needs them, and what became of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
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
    """Runs `loops` until the context is left, then cancels them and waits until each has ended.

    A group cancels the task that entered it, so it runs in a task of its own: the first loop to fail ends
    the others and is logged, while whoever entered this context goes on.
    """
    task = asyncio.create_task(_run(loops), name="supervisor")
    try:
        yield Supervisor(task)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _run(loops: dict[str, Loop]) -> None:
    with suppress(ExceptionGroup):  # each was logged where it came from
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                group.create_task(_endless(name, loop), name=name)
            await asyncio.Event().wait()  # a service with nothing to loop over is alive too


async def _endless(name: str, loop: Loop) -> None:
    """Fails whenever `loop` ends; only a cancellation from outside is no failure."""
    try:
        await loop()
    except asyncio.CancelledError as leaked:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # A group takes a task that cancelled itself for a finished one: nobody would miss the loop.
        failure: Exception = RuntimeError("an endless loop was cancelled by what it called")
        failure.__cause__ = leaked
    except Exception as error:  # noqa: BLE001 - the last place that can tell
        failure = error
    else:
        failure = RuntimeError("an endless loop ended")
    log.error("loop died", loop=name, exc_info=failure)
    raise failure

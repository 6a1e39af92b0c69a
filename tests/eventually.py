"""Waiting for what happens elsewhere, with a deadline."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

STEP_SECONDS = 0.01

LONG_SECONDS = 180.0
"""For whatever only ends a wait that would not end otherwise: where all goes well it costs nothing, however busy the
machine. What has to be fast is measured on a quiet one (`make test-bounds`)."""


async def until(condition: Callable[[], object], *, within: float = LONG_SECONDS) -> None:
    """Returns once `condition` holds; fails after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - whatever changes it knows nothing of us
            await asyncio.sleep(STEP_SECONDS)


async def until_answered[T](ask: Callable[[], Awaitable[T]], *, within: float = LONG_SECONDS) -> T:
    """The first answer that holds; fails after `within` seconds, telling the last one."""
    answer: T | None = None
    try:
        async with asyncio.timeout(within):
            while not (answer := await ask()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(STEP_SECONDS)
    except TimeoutError:
        raise AssertionError(f"still {answer!r} after {within} s") from None
    return answer


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, Any]) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Runs endless loops beside the test; one that ended before fails it."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), results

"""What becomes of endless loops, and of those beside them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared.supervision import supervised
from tests.eventually import LONG_SECONDS


async def forever() -> None:
    await asyncio.Event().wait()


async def soon(condition: asyncio.Event) -> None:
    async with asyncio.timeout(LONG_SECONDS):
        await condition.wait()


class Recorded:
    """A loop that tells when it began and when it was cancelled."""

    def __init__(self) -> None:
        self.began, self.cancelled = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.began.set()
        try:
            await forever()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def test_loops_run_beside_the_context_and_end_with_it() -> None:
    loop = Recorded()
    async with supervised(loop=loop) as supervisor:
        await soon(loop.began)
        assert supervisor.alive
    assert loop.cancelled.is_set()
    assert not supervisor.alive


async def test_the_first_loop_to_fail_fails_liveness_while_the_context_goes_on() -> None:
    other = Recorded()

    async def failing() -> None:
        await other.began.wait()
        raise LookupError("broken")

    with capture_logs() as logs:
        async with supervised(other=other, failing=failing) as supervisor:
            await soon(other.cancelled)
            async with asyncio.timeout(LONG_SECONDS):
                await asyncio.wait({supervisor.task})
            assert not supervisor.alive
            await asyncio.sleep(0)  # the context itself was not cancelled: it still may wait
    [line] = logs
    assert (line["event"], line["loop"], line["log_level"]) == ("loop died", "failing", "error")
    assert isinstance(line["exc_info"], LookupError)


async def test_each_of_several_failing_loops_is_logged() -> None:
    async def failing() -> None:
        raise LookupError("broken")

    with capture_logs() as logs:
        async with supervised(a=failing, b=failing) as supervisor:
            await asyncio.wait({supervisor.task}, timeout=LONG_SECONDS)
    assert {line["loop"] for line in logs} == {"a", "b"}


async def test_a_loop_that_merely_ends_is_dead_too() -> None:
    async def ending() -> None:
        return

    with capture_logs() as logs:
        async with supervised(ending=ending, other=forever) as supervisor:
            await asyncio.wait({supervisor.task}, timeout=LONG_SECONDS)
            assert not supervisor.alive
    assert [(line["event"], line["loop"]) for line in logs] == [("loop died", "ending")]


async def test_a_loop_that_leaks_a_cancellation_is_dead_too() -> None:
    async def leaking() -> None:
        inner = asyncio.create_task(forever())
        inner.cancel()
        await inner

    with capture_logs() as logs:
        async with supervised(leaking=leaking, other=forever) as supervisor:
            await asyncio.wait({supervisor.task}, timeout=LONG_SECONDS)
            assert not supervisor.alive
    assert [(line["event"], line["loop"]) for line in logs] == [("loop died", "leaking")]


async def test_leaving_the_context_is_no_failure() -> None:
    with capture_logs() as logs:
        async with supervised(a=forever, b=forever):
            await asyncio.sleep(0)
    assert logs == []


async def test_loops_end_before_the_context_is_left() -> None:
    """What a loop uses is closed after the context: a loop must never outlive it."""
    steps: list[str] = []
    began = asyncio.Event()

    async def tidy() -> None:
        began.set()
        try:
            await forever()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            steps.append("loop ended")

    async with supervised(tidy=tidy):
        await soon(began)
    steps.append("context left")
    assert steps == ["loop ended", "context left"]


async def test_an_error_of_the_context_ends_the_loops_and_is_raised() -> None:
    loop = Recorded()
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012 - the context is what is tested
        async with supervised(loop=loop):
            await soon(loop.began)
            raise LookupError("mine")
    assert loop.cancelled.is_set()


async def test_cancelling_the_context_ends_the_loops_and_leaves_no_task() -> None:
    loop = Recorded()

    async def service() -> None:
        async with supervised(loop=loop):
            await forever()

    before = asyncio.all_tasks()
    running = asyncio.create_task(service())
    await soon(loop.began)
    running.cancel()
    await asyncio.wait({running}, timeout=LONG_SECONDS)
    assert running.cancelled()
    assert loop.cancelled.is_set()
    assert asyncio.all_tasks() == before


async def test_nothing_to_loop_over_is_alive() -> None:
    async with supervised() as supervisor:
        for _ in range(3):
            await asyncio.sleep(0)
        assert supervisor.alive


async def test_a_loop_that_fails_while_ending_is_logged() -> None:
    began = asyncio.Event()

    async def clumsy() -> None:
        began.set()
        try:
            await forever()
        finally:
            raise LookupError("in its tidying")

    with capture_logs() as logs:
        async with supervised(clumsy=clumsy):
            await soon(began)
    assert [(line["event"], line["loop"]) for line in logs] == [("loop died", "clumsy")]

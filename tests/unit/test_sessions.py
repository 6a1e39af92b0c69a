import asyncio
import gc
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from shared.sessions import SessionKeeper, SessionState
from shared.transport import RefusedError, Session, SessionClosedError, SessionLostError, TopologyError
from tests.eventually import LONG_SECONDS, running
from tests.fragile import FragileTransport
from tests.virtual_time import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


async def nothing(session: Session, group: asyncio.TaskGroup) -> None:
    """All that is wanted is there at once."""


class Attempts(FragileTransport):
    """Refuses every session, and remembers when it was asked."""

    def __init__(self, refusal: SessionLostError) -> None:
        super().__init__()
        self.times: list[float] = []
        self.refusal = refusal

    def session(self, purpose: str):  # type: ignore[no-untyped-def]
        self.times.append(now())
        self.refusals = [self.refusal]
        return super().session(purpose)

    @property
    def delays(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.times)]


@virtual_time
async def test_a_session_that_stands_is_kept() -> None:
    transport = FragileTransport()
    subject = SessionKeeper(transport, "test", nothing)
    async with running(subject.run()):
        await asyncio.sleep(86_400)
        assert subject.connected
        assert subject.last_loss is None
    assert transport.purposes == ["test"]
    assert not subject.connected


@virtual_time
async def test_delays_grow_to_two_seconds_and_are_jittered() -> None:
    transport = Attempts(SessionLostError("refused"))
    async with running(SessionKeeper(transport, "test", nothing).run()):
        await asyncio.sleep(300)
    assert 0.1 <= transport.delays[0] <= 0.3
    assert all(1 <= delay <= 3 for delay in transport.delays[5:])
    assert len({round(delay, 3) for delay in transport.delays}) > 20


@virtual_time
async def test_a_mismatch_waits_a_minute_and_the_delay_after_it_is_the_usual_one() -> None:
    transport = Attempts(TopologyError("inequivalent arg"))
    async with running(SessionKeeper(transport, "test", nothing).run()):
        await asyncio.sleep(600)
        assert min(transport.delays) >= 30
        transport.refusal = SessionLostError("refused")
        await asyncio.sleep(600)
    assert transport.delays[-1] <= 3


@virtual_time
async def test_a_mismatch_is_told_once_until_it_is_another() -> None:
    transport = Attempts(TopologyError("inequivalent arg 'a'"))
    subject = SessionKeeper(transport, "test", nothing)
    with capture_logs() as logs:
        async with running(subject.run()):
            await asyncio.sleep(600)
            transport.refusal = TopologyError("inequivalent arg 'b'")
            await asyncio.sleep(600)
    assert [line["reason"] for line in logs] == ["inequivalent arg 'a'", "inequivalent arg 'b'"]
    assert subject.last_loss == "inequivalent arg 'b'"


@virtual_time
async def test_its_state_tells_apart_what_an_operator_does_differently() -> None:
    transport = FragileTransport()
    subject = SessionKeeper(transport, "test", nothing)
    states = [subject.state]
    async with running(subject.run()):
        transport.refusals = [SessionLostError("no route")]
        await asyncio.sleep(0.01)
        states.append(subject.state)
        await asyncio.sleep(10)
        states.append(subject.state)
        for refusal in (
            SessionLostError("no route"),
            RefusedError("wrong password"),
            TopologyError("inequivalent arg"),
        ):
            transport.refusals = [refusal] * 3
            transport.cut()
            await asyncio.sleep(0.01)
            states.append(subject.state)
            await asyncio.sleep(0.5)
            states.append(subject.state)
            await asyncio.sleep(200)
    lost, refused, mismatch = SessionState.LOST, SessionState.REFUSED, SessionState.MISMATCH
    never, standing = SessionState.NEVER, SessionState.STANDING
    assert states == [never, never, standing, lost, lost, lost, refused, lost, mismatch]


@virtual_time
async def test_what_runs_in_a_session_ends_with_it() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(86_400)
        finally:
            ended.append(now())

    async def begin(session: Session, group: asyncio.TaskGroup) -> None:
        group.create_task(work())

    transport = FragileTransport()
    async with running(SessionKeeper(transport, "test", begin).run()):
        await asyncio.sleep(10)
        transport.cut()
        await asyncio.sleep(1)
        assert ended == [10]


@pytest.mark.parametrize("loss", [SessionLostError("lost"), TopologyError("mismatch")])
def test_a_loss_in_whatever_runs_ends_the_session_and_tells_why(loss: SessionLostError) -> None:
    async def fail() -> None:
        raise loss

    async def at_once(session: Session, group: asyncio.TaskGroup) -> None:
        await fail()

    async def beside(session: Session, group: asyncio.TaskGroup) -> None:
        group.create_task(fail())

    @virtual_time
    async def check(begin: Callable[[Session, asyncio.TaskGroup], Awaitable[None]]) -> None:
        subject = SessionKeeper(FragileTransport(), "test", begin)
        async with running(subject.run()):
            await asyncio.sleep(1)
            assert subject.last_loss == str(loss)
            assert not subject.connected

    check(at_once)
    check(beside)


@virtual_time
async def test_of_several_losses_the_mismatch_is_told() -> None:
    async def fail(loss: SessionLostError) -> None:
        raise loss

    async def begin(session: Session, group: asyncio.TaskGroup) -> None:
        for loss in (SessionLostError("channel closed"), TopologyError("inequivalent arg"), SessionLostError("lost")):
            group.create_task(fail(loss))

    subject = SessionKeeper(FragileTransport(), "test", begin)
    async with running(subject.run()):
        await asyncio.sleep(1)
    assert subject.last_loss == "inequivalent arg"


@virtual_time
async def test_an_error_of_the_program_ends_the_loop() -> None:
    async def begin(session: Session, group: asyncio.TaskGroup) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as died:
        await SessionKeeper(FragileTransport(), "test", begin).run()
    assert died.group_contains(ZeroDivisionError)


@virtual_time
async def test_a_cancellation_that_meets_a_loss_is_not_lost() -> None:
    transport = FragileTransport()
    task = asyncio.create_task(SessionKeeper(transport, "test", nothing).run())
    await asyncio.sleep(1)
    transport.cut()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=LONG_SECONDS)
    assert task.cancelled()


@virtual_time
async def test_of_several_losses_the_one_that_tells_why_is_told() -> None:
    async def publish_on_a_closed_channel(session: Session, group: asyncio.TaskGroup) -> None:
        async def fail(loss: SessionLostError) -> None:
            raise loss

        group.create_task(fail(SessionClosedError("the connection is closed")))
        group.create_task(fail(SessionLostError("the message is too large")))
        await asyncio.sleep(1)

    subject = SessionKeeper(FragileTransport(), "test", publish_on_a_closed_channel)
    async with running(subject.run()):
        await asyncio.sleep(0.01)
        assert subject.last_loss == "the message is too large"


@virtual_time
async def test_whoever_stops_while_a_session_fails_leaves_no_complaint_behind() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for steps in range(12):
        transport = FragileTransport()
        async with running(SessionKeeper(transport, "test", nothing).run()):
            await asyncio.sleep(1)
            transport.cut()
            for _ in range(steps):
                await asyncio.sleep(0)
        gc.collect()
    assert complaints == []

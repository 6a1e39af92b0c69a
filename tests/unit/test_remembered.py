"""What takes its time: made once for all, a little at a time, and kept within a bound."""

import asyncio
import threading

import pytest

from api_service.http.costly import AT_ONCE, MAX_WAITING, CostlyWork
from api_service.http.problems import TooBusyError
from api_service.http.remembered import Remembered
from tests.eventually import LONG_SECONDS, until


class Maker:
    """Makes the number of its calls, once it may."""

    def __init__(self, *, held: bool = False) -> None:
        self.calls = 0
        self.may = threading.Event()
        if not held:
            self.may.set()

    def __call__(self) -> int:
        self.calls += 1
        assert self.may.wait(LONG_SECONDS)
        return self.calls


def one(_: object) -> int:
    return 1


async def test_it_is_made_once_for_all_who_ask_together_and_later() -> None:
    remembered, make = Remembered(CostlyWork()), Maker(held=True)
    asking = [asyncio.create_task(remembered.get("key", make, one)) for _ in range(5)]
    await until(lambda: make.calls == 1)
    make.may.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert await remembered.get("key", make, one) == 1
    assert await remembered.get("other", make, one) == 2


async def test_those_for_whom_there_is_no_turn_are_refused_and_later_welcome() -> None:
    remembered, make = Remembered(CostlyWork()), Maker(held=True)
    asking = [asyncio.create_task(remembered.get(number, make, one)) for number in range(AT_ONCE + MAX_WAITING)]
    await until(lambda: make.calls == AT_ONCE)
    with pytest.raises(TooBusyError):
        await remembered.get("one more", make, one)
    joining = asyncio.create_task(remembered.get(AT_ONCE, make, one))
    make.may.set()
    await asyncio.gather(*asking, joining)
    assert make.calls == AT_ONCE + MAX_WAITING
    await remembered.get("one more", make, one)


async def test_whoever_goes_away_leaves_it_to_the_others() -> None:
    remembered, make = Remembered(CostlyWork()), Maker(held=True)
    first, second = (asyncio.create_task(remembered.get("key", make, one)) for _ in range(2))
    await until(lambda: make.calls == 1)
    first.cancel()
    await asyncio.wait([first])
    make.may.set()
    assert (await second, make.calls) == (1, 1)


async def test_an_error_is_told_to_all_who_wait_and_forgotten() -> None:
    remembered, calls = Remembered(CostlyWork()), []

    def fail() -> int:
        calls.append(1)
        raise OSError

    found = await asyncio.gather(*(remembered.get("key", fail, one) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [OSError] * 3
    assert len(calls) == 1
    assert await remembered.get("key", Maker(), one) == 1


async def test_what_is_kept_stays_within_its_bound_and_what_was_asked_for_last_stays_longest() -> None:
    remembered, make = Remembered(CostlyWork(), most_bytes=3), Maker()
    for key in ("a", "b", "c", "a", "d"):
        await remembered.get(key, make, one)
    assert (make.calls, remembered.kept_bytes) == (4, 3)
    for key in ("a", "c", "d"):
        await remembered.get(key, make, one)
    assert make.calls == 4
    await remembered.get("b", make, one)
    assert make.calls == 5


async def test_what_is_larger_than_the_bound_is_answered_and_not_kept() -> None:
    remembered, make = Remembered(CostlyWork(), most_bytes=3), Maker()
    assert [await remembered.get("key", make, lambda _: 4) for _ in range(2)] == [1, 2]
    assert remembered.kept_bytes == 0


async def test_nothing_that_was_begun_before_is_kept_once_all_is_forgotten() -> None:
    remembered, make = Remembered(CostlyWork()), Maker(held=True)
    old = asyncio.create_task(remembered.get("key", make, one))
    await until(lambda: make.calls == 1)
    remembered.forget()
    make.may.set()
    assert await old == 1
    assert await remembered.get("key", make, one) == 2

"""Clients that come and then do nothing, or next to nothing, to real processes."""

import asyncio
import socket
import time
from functools import partial

import pytest

from shared.serving import DEAF_SECONDS, KEEP_ALIVE_SECONDS
from tests.bounds.clients import FULL_PAGES, HALF_A_BODY, HALF_A_HEAD, WHOLE, clients_of, hung_up_on
from tests.bounds.load import files_of, memory_of
from tests.e2e.world import Service, World
from tests.eventually import running, until
from tests.figures import Figure

pytestmark = pytest.mark.bounds

SLACK_SECONDS = 8
BODY_SECONDS = 10
MOST_OF_AN_IDLE_CONNECTION = 0.05
MOST_OF_A_DEAF_CONNECTION = 3.0


async def test_whoever_says_no_whole_request_is_hung_up_on_however_slowly_it_speaks(
    world: World, figure: Figure
) -> None:
    api = await world.api()
    before = memory_of(api.process.pid)
    with clients_of(api.url) as clients:
        began = time.monotonic()
        kinds = {
            "a body cut short": clients.come(50, HALF_A_BODY),
            "no request": clients.come(250),
            "a head cut short": clients.come(199, HALF_A_HEAD),
            "nothing after an answer": clients.come(500, WHOLE),
        }
        (dripping,) = kinds["a head that drips"] = clients.come(1, HALF_A_HEAD)

        async def drip() -> None:
            while True:
                await asyncio.sleep(1)
                if not hung_up_on([dripping]):
                    dripping.send(b"x")

        async with running(drip()):
            figure("an answer beside 1000 connections takes", f"{1000 * await seconds_to_answer(world, api):.0f} ms")
            each = (memory_of(api.process.pid) - before) / len(clients.all)
            figure("memory of an idle connection", f"{1000 * each:.0f} kB")
            assert each < MOST_OF_AN_IDLE_CONNECTION
            for kind, those in kinds.items():
                limit = BODY_SECONDS if those is kinds["a body cut short"] else KEEP_ALIVE_SECONDS
                left = limit + SLACK_SECONDS - (time.monotonic() - began)
                await until(partial(all_hung_up_on, those), within=left)
                figure(f"{kind}: hung up on after", f"{time.monotonic() - began:.0f} s")


def all_hung_up_on(those: list[socket.socket]) -> bool:
    return hung_up_on(those) == len(those)


async def seconds_to_answer(world: World, service: Service) -> float:
    began = time.monotonic()
    assert await world.get(service, "/sites") is not None
    return time.monotonic() - began


async def test_whoever_takes_no_answer_is_given_up_with_what_was_kept_for_it(world: World, figure: Figure) -> None:
    api = await world.api()
    async with world.http.get(f"{api.url}/nodes/search?limit=5000") as response:
        figure("a page of 500 nodes", f"{len(await response.read()) / 1000:.0f} kB")
    grown = [await grown_by_a_hundred_deaf_clients(api, figure) for _ in range(2)]
    figure("memory of a deaf client", f"{grown[0] / 100:.1f} MB")
    assert grown[0] / 100 < MOST_OF_A_DEAF_CONNECTION
    assert grown[1] < grown[0] / 2, "what was kept for the first hundred was not given back"


async def grown_by_a_hundred_deaf_clients(api: Service, figure: Figure) -> float:
    """Megabytes that are not given back, or at least not to the system."""
    pid = api.process.pid
    free, before = files_of(pid), memory_of(pid)
    with clients_of(api.url) as clients:
        clients.come(100, FULL_PAGES)
        await until(lambda: files_of(pid) >= free + 100)
        began = time.monotonic()
        await until(lambda: files_of(pid) <= free, within=DEAF_SECONDS + SLACK_SECONDS)
        figure("a deaf client is given up after", f"{time.monotonic() - began:.0f} s")
    return memory_of(pid) - before

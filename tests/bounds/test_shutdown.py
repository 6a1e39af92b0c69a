"""How long the processes take to end when a thousand clients hold on to them."""

import asyncio
import os
import signal
import time

import pytest

from tests.bounds.clients import EVENTS, FULL_PAGES, HALF_A_BODY, HALF_A_HEAD, WHOLE, Clients, clients_of
from tests.bounds.load import files_of
from tests.e2e.test_workers import children_of
from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS, until
from tests.figures import Figure

pytestmark = pytest.mark.bounds


def hold_on(clients: Clients) -> None:
    clients.come(100)
    clients.come(700, WHOLE)
    clients.come(100, HALF_A_HEAD)
    clients.come(50, HALF_A_BODY)


async def seconds_to_end(service: Service, status: int = 0) -> float:
    """From SIGTERM to an end with that status."""
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(service.process.wait, LONG_SECONDS) == status
    return time.monotonic() - began


async def test_the_api_ends_within_ten_seconds_though_a_thousand_connections_are_open_and_some_take_no_answer(
    world: World, figure: Figure
) -> None:
    api = await world.api()
    free = files_of(api.process.pid)
    with clients_of(api.url) as clients:
        hold_on(clients)
        clients.come(50, FULL_PAGES)
        await until(lambda: files_of(api.process.pid) >= free + 1000)
        taken = await seconds_to_end(api)
    figure("the API service ends, with 1000 connections of all kinds, within", f"{taken:.1f} s")
    assert taken < 10


async def test_the_api_ends_at_once_though_a_thousand_connections_are_open_and_idle(
    world: World, figure: Figure
) -> None:
    api = await world.api()
    free = files_of(api.process.pid)
    with clients_of(api.url) as clients:
        clients.come(1000, WHOLE)
        await until(lambda: files_of(api.process.pid) >= free + 1000)
        taken = await seconds_to_end(api)
    figure("the API service ends, with 1000 idle connections, within", f"{taken:.1f} s")
    assert taken < 2


async def test_the_sync_service_ends_within_five_seconds_though_a_poll_hangs_and_a_thousand_connections_are_open(
    world: World, figure: Figure
) -> None:
    await world.cloud.break_with("tacc", "hang")
    sync = await world.sync()
    free = files_of(sync.process.pid)
    with clients_of(sync.url) as clients:
        hold_on(clients)
        clients.come(50, WHOLE)
        await until(lambda: files_of(sync.process.pid) >= free + 1000)
        await until(lambda: "site unreachable" in [line["event"] for line in sync.lines()])
        taken = await seconds_to_end(sync)
    figure("the sync service ends, with 1000 connections and a poll that hangs, within", f"{taken:.1f} s")
    assert taken < 5


async def test_the_api_ends_at_once_though_a_hundred_clients_follow_its_events(world: World, figure: Figure) -> None:
    api = await world.api()
    free = files_of(api.process.pid)
    with clients_of(api.url) as clients:
        clients.come(100, EVENTS)
        await until(lambda: files_of(api.process.pid) >= free + 100)
        taken = await seconds_to_end(api)
    figure("the API service ends, with 100 clients that follow its events, within", f"{taken:.1f} s")
    assert taken < 2


async def test_several_workers_end_at_once_and_within_ten_seconds_where_one_hangs(world: World, figure: Figure) -> None:
    world.workers = 2
    for hanging, most in ((False, 3), (True, 10)):
        api = await world.api()
        if hanging:
            os.kill(children_of(api.process.pid)[0], signal.SIGSTOP)
        taken = await seconds_to_end(api, status=int(hanging))
        figure(f"two workers end{', one of which hangs,' if hanging else ''} within", f"{taken:.1f} s")
        assert taken < most

"""How much of an event a client has to take, and in what time; what many nodes cost the event loop."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from api_service.domain.availability_map import Observed
from api_service.domain.follower import SiteEvent
from api_service.domain.site_view import Roster, SiteView
from api_service.http.event_frames import COMPARED_AT_ONCE, TOLD_AT_ONCE, EventFrames
from api_service.http.event_stream import SLICE_BYTES, EventStream
from tests.inventories import NOW, booked, polled
from tests.threads import CountingThreads
from tests.virtual_time import virtual_time

SECONDS = 20


class SlowStream(EventStream):
    """To a client that takes so many seconds for each part."""

    def __init__(self, seconds: float) -> None:
        super().__init__(make_mocked_request("GET", "/events"), heartbeat_seconds=SECONDS, send_seconds=SECONDS)
        self.seconds, self.parts = seconds, list[bytes]()

    async def write(self, data: Any) -> None:
        await asyncio.sleep(self.seconds)
        self.parts.append(bytes(data))


@virtual_time
async def test_who_is_slow_but_steady_gets_a_long_event_whole() -> None:
    stream, frame = SlowStream(SECONDS - 1), b"x" * (3 * SLICE_BYTES + 1)
    assert await stream.took(frame, "7")
    assert b"".join(stream.parts) == frame + b"id: 7\n\n"
    assert max(map(len, stream.parts)) == SLICE_BYTES


@virtual_time
async def test_who_takes_too_long_for_a_part_is_hung_up_on() -> None:
    for frame in (b"x", b"x" * (3 * SLICE_BYTES)):
        stream = SlowStream(SECONDS + 1)
        assert not await stream.took(frame, "7")
        assert stream.parts == []


async def test_an_event_of_one_part_is_written_at_once() -> None:
    stream = SlowStream(0)
    assert await stream.took(b"x" * SLICE_BYTES, "7")
    assert stream.parts == [b"x" * SLICE_BYTES + b"id: 7\n\n"]


def seen(size: int, generation: int) -> SiteView:
    roster = Roster("uc", tuple(("main", f"n{number}") for number in range(size)))
    snapshot = polled("uc", *(booked((0, 1), node_id=node_id) for _, node_id in roster.nodes), generation=generation)
    return SiteView(roster, Observed(snapshot, NOW, NOW), NOW)


@pytest.mark.parametrize(
    ("size", "whole", "threads"),
    [
        (TOLD_AT_ONCE, True, 0),
        (TOLD_AT_ONCE + 1, True, 1),
        (COMPARED_AT_ONCE, False, 0),
        (COMPARED_AT_ONCE + 1, False, 1),
    ],
)
async def test_what_takes_long_to_tell_is_made_in_a_thread_and_once(size: int, whole: bool, threads: int) -> None:
    before, after = seen(size, 1), seen(size, 2)
    event = SiteEvent(None if whole else before, after, first=False)
    frames, used = EventFrames(most_readers=100), CountingThreads.installed()
    made = await asyncio.gather(*(frames.made(event) for _ in range(50)))
    made.append(await frames.made(event))
    assert used.used == threads
    assert made[0].startswith(b"event: resync" if whole else b"event: availability")
    assert all(each is made[0] for each in made)
    assert made[0] == EventFrames(most_readers=100).of(event)

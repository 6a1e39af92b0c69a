"""What a flood of messages does to a replica that keeps up, and to one that stands still meanwhile."""

import signal
from collections.abc import Sequence

import pytest

from shared.broker import BrokerTransport
from shared.messages import Envelope, encode
from shared.topology import Topic
from tests.bounds.load import MEGABYTE, forget_peak, memory_of, polls
from tests.e2e.world import World
from tests.eventually import until_answered
from tests.figures import Figure

pytestmark = pytest.mark.bounds

TOPIC = Topic("tacc")
POLLS = 200
MOST = 40.0
"""Megabytes that a replica may grow by while 12 MB of messages, and ten times that of JSON, pass through it."""


async def flood(world: World, envelopes: Sequence[Envelope]) -> None:
    async with BrokerTransport(world.broker_url, name="flood").session("flood") as session:
        await session.declare([TOPIC])
        for envelope in envelopes:
            await session.publish(TOPIC, envelope)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
async def test_a_flood_of_messages_does_not_make_a_replica_grow(stopped: bool, world: World, figure: Figure) -> None:
    first, *others = [encode(each, source="/test") for each in polls(TOPIC.site_id, POLLS)]
    await flood(world, [first])
    api = await world.api()
    pid = api.process.pid

    async def read_all() -> bool:
        sites = (await world.get(api, "/status"))["sites"]
        return any(site["generation"] == POLLS for site in sites)

    before = memory_of(pid)
    forget_peak(pid)
    if stopped:
        api.process.send_signal(signal.SIGSTOP)
    await flood(world, others)
    if stopped:
        assert memory_of(pid, "VmHWM") < before + 1
        api.process.send_signal(signal.SIGCONT)
    await until_answered(read_all, within=60)
    grown = memory_of(pid, "VmHWM") - before
    flooded = sum(len(each.body) for each in others) / MEGABYTE
    how = "stood still" if stopped else "read on"
    figure(
        f"a replica that {how} while {flooded:.0f} MB came",
        f"grew by {grown:.0f} MB at most, from {before:.0f} MB",
    )
    assert grown < MOST

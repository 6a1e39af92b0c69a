"""What floods take of memory: messages of a replica, that may stand still meanwhile, and answers of a sync service."""

import asyncio
import gzip
import signal
from collections.abc import Sequence

import pytest

from deploy.local.openstack import faults
from deploy.local.openstack.cloud import SimulatedCloud
from shared.broker import BrokerTransport
from shared.messages import Envelope, encode
from shared.topology import Topic
from tests.bounds.load import MEGABYTE, forget_peak, memory_of, polls
from tests.e2e.world import World
from tests.eventually import LONG_SECONDS, until_answered
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


ANSWERS = {
    "rows without anything": b'{"hosts":[' + b"{}," * 22_000_000 + b"{}]}",
    "numbers": b'{"hosts":[' + b"1," * 33_000_000 + b"1]}",
    "a million small rows": b'{"hosts":[' + b'{"id":"1"},' * 1_000_000 + b"{}]}",
    "rows in one row": b'{"hosts":[[' + b"[]," * 22_000_000 + b"[]]]}",
    "one long text": b'{"hosts":["' + "é".encode() * 33_000_000 + b'"]}',
    "as many hosts as may be": b'{"hosts":[' + b'{"id":"1","hypervisor_hostname":"a"},' * 100_000 + b"{}]}",
    "no JSON": b"x" * 66_000_000,
}
MOST_OF_ANSWERS = 350.0
"""Megabytes of a sync service; compose.yaml lets it have 512."""


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_whatever_a_site_answers_the_sync_service_lives_and_polls_the_others(
    coding: str, world: World, simulated: SimulatedCloud, figure: Figure
) -> None:
    world.site_timeout_seconds = 60
    api, sync = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    before, oldest = memory_of(sync.process.pid), 0.0
    for said in ANSWERS.values():
        body = gzip.compress(said, 1) if coding == "gzip" else said
        troubles = sum(line["event"] == "site unreachable" for line in sync.lines())
        await simulated.sites["tacc"].break_with(faults.body(body, Content_Encoding=coding))
        async with asyncio.timeout(LONG_SECONDS):
            while sum(line["event"] == "site unreachable" for line in sync.lines()) == troubles:
                oldest = max(oldest, await world.age(api, "uc"))
                await asyncio.sleep(0.05)
        await simulated.sites["tacc"].mend()
        await world.until_polled_again(api, "tacc")
    peak = memory_of(sync.process.pid, "VmHWM")
    figure(
        f"a sync service to which a site answers as much as it can ({coding})",
        f"has {peak:.0f} MB at most, {before:.0f} before; another site is polled each {world.poll_seconds} s,"
        f" and at most {oldest:.1f} s old",
    )
    assert sync.process.poll() is None
    assert peak < MOST_OF_ANSWERS
    assert oldest < 10

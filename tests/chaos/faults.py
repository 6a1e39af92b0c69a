"""What is done to the world: each fault happens, lasts a while, and is mended."""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from deploy.local.openstack import faults as cloud_faults
from shared.messages import Envelope, decode, encode
from shared.topology import Topic
from shared.transport import Offset
from tests.chaos.world import Replica, World, enter
from tests.rabbitmq import FIRST_STREAM_SECONDS, restarted

type Fault = Callable[[World], Awaitable[None]]

CLOUD = {
    "refused": cloud_faults.refused,
    "reset": cloud_faults.reset,
    "cut short": cloud_faults.truncated,
    "garbage": cloud_faults.garbage,
    "emptied": cloud_faults.emptied,
    "hang": cloud_faults.hang,
    "stalled": cloud_faults.stalled,
    "trickle": cloud_faults.trickle(5),
    "trickling head": cloud_faults.trickling_head,
    "500": cloud_faults.status(500),
    "502 in HTML": cloud_faults.status(502, html=True),
    "403": cloud_faults.forbidden,
    "401": cloud_faults.unauthorized,
}
HOUR_MS = 3_600_000


async def _while(world: World, least: float = 0.5, most: float = 3.0) -> None:
    await asyncio.sleep(world.random.uniform(least, most))


async def _killed(world: World, replica: Replica) -> None:
    async with replica.busy:
        replica.kill()
        await _while(world)
        replica.start()


async def kill_sync(world: World) -> None:
    await _killed(world, world.random.choice(world.syncs))


async def kill_api(world: World) -> None:
    await _killed(world, world.random.choice(world.apis))


async def _frozen(world: World, replica: Replica) -> None:
    async with replica.busy:
        replica.send(signal.SIGSTOP)
        await _while(world, 1, 5)
        replica.send(signal.SIGCONT)


async def freeze_sync(world: World) -> None:
    await _frozen(world, world.random.choice(world.syncs))


async def freeze_api(world: World) -> None:
    await _frozen(world, world.random.choice(world.apis))


async def restart_broker(world: World, *, rest: float = FIRST_STREAM_SECONDS) -> None:
    async with world.broker:
        await asyncio.to_thread(world.node.kill)
        await _while(world, 0, 2)
        await restarted(world.node)
        await asyncio.sleep(rest)


async def wipe_broker(world: World) -> None:
    async with world.broker:
        await asyncio.to_thread(world.node.kill)
        world.node.wipe()
        await restarted(world.node)
        # Whoever kills a node just after its first stream was declared loses that stream for good.
        await asyncio.sleep(2 * FIRST_STREAM_SECONDS)


async def memory_alarm(world: World) -> None:
    async with world.broker:
        await asyncio.to_thread(world.node.control, "set_vm_memory_high_watermark", "0.00000001")
        await _while(world, 0, 2)
        await asyncio.to_thread(world.node.control, "set_vm_memory_high_watermark", "0.6")


async def cut_wire(world: World) -> None:
    for _ in range(world.random.randint(1, 3)):
        world.random.choice(world.replicas).wire.cut()
        await _while(world, 0, 0.5)


async def hang_wire(world: World) -> None:
    wire = world.random.choice(world.replicas).wire
    wire.hang()
    await _while(world, 1, 5)
    wire.flow()


async def _retained(world: World, topic: Topic, most: int = 6) -> list[Envelope]:
    """The newest messages of a stream."""
    async with world.transport().session("rogue") as session:
        deliveries = await session.follow(topic, Offset.FIRST)
        found: list[Envelope] = []
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    delivery = await anext(deliveries)
                found.append(delivery.envelope)
                await delivery.ack()
        return found[-most:]


async def _published(world: World, topic: Topic, *envelopes: Envelope) -> None:
    async with world.transport().session("rogue") as session:
        for envelope in envelopes:
            await session.publish(topic, envelope)


def _topic(world: World) -> Topic:
    return Topic(world.random.choice(world.site_ids))


async def duplicate(world: World) -> None:
    async with world.broker:
        topic = _topic(world)
        found = await _retained(world, topic)
        await _published(world, topic, *found, *found[-1:])


async def reorder(world: World) -> None:
    async with world.broker:
        topic = _topic(world)
        found = await _retained(world, topic)
        world.random.shuffle(found)
        await _published(world, topic, *found)


async def delay(world: World) -> None:
    async with world.broker:
        topic = _topic(world)
        found = await _retained(world, topic, most=1)
        await _while(world, 1, 3)
        await _published(world, topic, *found)


async def zombie(world: World) -> None:
    """A poller that began long ago publishes what it saw, by a clock an hour ahead."""
    async with world.broker:
        topic = _topic(world)
        for envelope in (await _retained(world, topic))[:1]:
            old = decode(envelope)
            await _while(world, 1, 3)
            late = replace(old, generation=old.generation + HOUR_MS)
            await _published(world, topic, encode(late, source="/zombie"))


async def second_token(world: World) -> None:
    """Two replicas poll one site at once."""
    async with world.broker, world.transport().session("rogue") as session:
        topic = _topic(world)
        await session.declare_tokens([topic])
        for _ in range(20):
            if await session.schedule(topic, b"", delay=timedelta()):
                break
            await asyncio.sleep(0.1)


async def poison(world: World) -> None:
    async with world.broker:
        topic = _topic(world)
        good = (await _retained(world, topic, most=1) or [Envelope(b"", {})])[0]
        bad = [
            Envelope(b"garbage", {}),
            replace(good, body=good.body[:20]),
            replace(good, headers={**good.headers, "cloudEvents:type": "reference-api.availability.site.v2"}),
            replace(good, headers={**good.headers, "cloudEvents:sequence": str(2**63)}, body=b"\xff"),
            replace(good, content_encoding="zstd"),
        ]
        await _published(world, topic, *world.random.sample(bad, world.random.randint(1, len(bad))))


async def clock_back(world: World) -> None:
    replica = world.random.choice(world.syncs)
    async with replica.busy:
        replica.kill()
        replica.start(module="tests.chaos.skewed")
        await _while(world, 2, 5)
        replica.kill()
        replica.start()


async def site_goes_and_comes(world: World) -> None:
    repository, site_id = world.repository, world.visitor
    async with world.visit:
        shutil.rmtree(repository.data / "sites" / site_id)
        await asyncio.to_thread(repository.commit, "a site goes")
        await _while(world, 0.5, 2)
        enter(repository, site_id)
        await asyncio.to_thread(repository.commit, "it comes back")


def _of_cloud(name: str) -> Fault:
    async def fault(world: World) -> None:
        site = world.sites[world.random.choice(world.site_ids)].site
        await site.break_with(CLOUD[name])
        await _while(world, 1, 4)
        await site.mend()

    return fault


KINDS: dict[str, Fault] = {
    "sync killed": kill_sync,
    "api killed": kill_api,
    "sync frozen": freeze_sync,
    "api frozen": freeze_api,
    "broker restarted": restart_broker,
    "broker wiped": wipe_broker,
    "memory alarm": memory_alarm,
    "wires cut": cut_wire,
    "wire frozen": hang_wire,
    "messages duplicated": duplicate,
    "messages reordered": reorder,
    "message delayed": delay,
    "zombie": zombie,
    "two writers": second_token,
    "poison": poison,
    "clock an hour back": clock_back,
    "site goes and comes": site_goes_and_comes,
    **{f"blazar: {name}": _of_cloud(name) for name in CLOUD},
}

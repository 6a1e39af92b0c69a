"""`python -m tests.chaos.failover`: how long a site goes unpolled when the holder of its token is gone, as a table."""

import argparse
import asyncio
import logging
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from statistics import median

from aiohttp import ClientError

from deploy.local.openstack import faults
from deploy.local.rabbitmq import RabbitNode
from shared.availability import utc_now
from tests.chaos.faults import restart_broker
from tests.chaos.watch import Watch
from tests.chaos.world import Replica, World
from tests.eventually import running, until, until_answered

READY_SECONDS = 60
LONGEST_SECONDS = 60


async def killed(_world: World, holder: Replica) -> None:
    holder.kill()


async def frozen(_world: World, holder: Replica) -> None:
    holder.send(signal.SIGSTOP)


async def cut(_world: World, holder: Replica) -> None:
    holder.wire.cut()


async def unheard(_world: World, holder: Replica) -> None:
    holder.wire.hang()


CASES: dict[str, Callable[[World, Replica], Awaitable[None]]] = {
    "holder killed (kill -9)": killed,
    "holder frozen (SIGSTOP)": frozen,
    "holder's connection cut": cut,
    "holder's network silent": unheard,
}


class Failover:
    """Measures over and over in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.site_id = world.site_ids[0]
        self.watches = [Watch(world, replica) for replica in world.apis]

    async def holder(self) -> Replica:
        """Who holds the site's token: while its Blazar hangs, somebody does."""

        async def found() -> Replica | None:
            for replica in self.world.syncs:
                if not replica.running:
                    continue
                async with self.world.http.get(f"{replica.url}/status") as response:
                    polls = (await response.json())["polls"]
                if any(poll["holds_token"] for poll in polls if poll["site_id"] == self.site_id):
                    return replica
            return None

        replica = await until_answered(found, within=LONGEST_SECONDS)
        assert replica is not None
        return replica

    async def seconds_unpolled(self, befall: Callable[[World, Replica], Awaitable[None]]) -> float:
        """From the fault to the next question that the site is asked."""
        await self.current()
        site = self.world.sites[self.site_id].site
        await site.break_with(faults.hang)
        asked = len(site.listener.requests)
        await until(lambda: len(site.listener.requests) > asked)
        holder = await self.holder()
        asked = len(site.listener.requests)
        began = utc_now()
        await befall(self.world, holder)
        await until(lambda: len(site.listener.requests) > asked, within=LONGEST_SECONDS)
        took = (utc_now() - began).total_seconds()
        await site.mend()
        holder.send(signal.SIGCONT)
        holder.wire.flow()
        if not holder.running:
            holder.start()
        await until_answered(partial(self._answers, holder), within=LONGEST_SECONDS)
        return took

    async def _answers(self, replica: Replica) -> bool:
        with suppress(ClientError, OSError):
            async with self.world.http.get(f"{replica.url}/readyz") as response:
                return response.status == HTTPStatus.OK
        return False

    async def seconds_after_restart(self) -> float:
        """From the moment that a restarted broker answers to all replicas current."""
        await self.current()
        await restart_broker(self.world, rest=0)
        began = utc_now()
        await self.current()
        return (utc_now() - began).total_seconds()

    async def current(self) -> None:
        """Every replica has heard of a poll that began after this moment."""
        now = utc_now()
        await until(
            lambda: all(
                watch.last_updated.get(site_id, now.min.replace(tzinfo=now.tzinfo)) > now
                for watch in self.watches
                for site_id in self.world.site_ids
            ),
            within=READY_SECONDS,
        )


async def measured(node: RabbitNode, folder: Path, times: int) -> None:
    async with World(node, folder, 0) as world:
        subject = Failover(world)
        async with running(*(watch.run() for watch in subject.watches)):
            print("| | seconds (median) | (most) |\n|---|---|---|")
            for name, befall in CASES.items():
                row(name, [await subject.seconds_unpolled(befall) for _ in range(times)])
            row("broker killed and restarted", [await subject.seconds_after_restart() for _ in range(times)])
    assert not [wrong for watch in subject.watches for wrong in watch.wrong]


def row(name: str, seconds: list[float]) -> None:
    print(f"| {name} | {median(seconds):.1f} | {max(seconds):.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.failover", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="failover-") as temporary:
        node = RabbitNode(Path(temporary) / "rabbitmq")
        node.start()
        try:
            asyncio.run(measured(node, Path(temporary), options.times))
        finally:
            node.close()


if __name__ == "__main__":
    main()

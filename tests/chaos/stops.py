"""`python -m tests.chaos.stops`: both services stopped at random moments, under load, and how they ended."""

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path

from aiohttp import ClientError

from deploy.local.openstack import faults
from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.rabbitmq import RabbitNode
from tests.e2e.cloud import SimulatedTestCloud
from tests.e2e.world import Service, World
from tests.eventually import until, until_answered
from tests.repositories import GitRepository

AT_ONCE = 3
BUSY_LOOPS = 4
LONGEST_SECONDS = 120
STARTING = 0.3
"""How many are stopped while they start; the others once they answer."""

LATEST_SECONDS = 3.0
"""By then, and from then on, a service has polled, and has met the sites that hang."""

KINDS = {"sync": ("sync_service", 1), "api": ("api_service", 1), "api, 2 workers": ("api_service", 2)}


@dataclass(frozen=True)
class Stop:
    """One process that was stopped.

    Attributes:
        kind: Of `KINDS`.
        begun: Whether it answered before.
        after: Seconds from then, or from when it heard signals, to the signal.
        status: What it ended with; a negative number is the signal that ended it.
        took: Seconds from the signal to its end.
        log: What it said.
    """

    kind: str
    begun: bool
    after: float
    status: int
    took: float
    log: Path


def hears(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process, which runs, has a handler of its own for SIGTERM, or waits for it with the signal blocked.

    Of SIGINT that would tell nothing: the interpreter has a handler for it before any of our lines runs.
    """
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name in {"SigCgt", "SigBlk"} and int(mask, 16) >> (signal.SIGTERM - 1) & 1:
            return True
    return False


async def answers(world: World, service: Service) -> bool:
    """Whether a service is alive to those who ask over HTTP."""
    with suppress(OSError, ClientError):
        return await world.get(service, "/healthz") is not None
    return False


class Stops:
    """Starts and stops services in one world."""

    def __init__(self, folder: Path, broker_url: str, cloud: SimulatedTestCloud, seed: int) -> None:
        self._folder, self._broker_url, self._cloud = folder, broker_url, cloud
        self._repository = GitRepository.of_sample(folder / "repository")
        self._random = random.Random(seed)
        self._numbers = count()

    async def one(self) -> Stop:
        """Starts a service, and stops it at a random moment."""
        kind = self._random.choice(["sync", "sync", *KINDS])
        module, workers = KINDS[kind]
        number = self._random.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGINT])
        begun, after = self._random.random() >= STARTING, self._random.uniform(0, LATEST_SECONDS)
        folder = self._folder / f"{next(self._numbers)}"
        world = World(self._cloud, self._repository, self._broker_url, folder, workers=workers)
        async with world:
            service = world.start(module)
            process = service.process
            await until(lambda: process.poll() is not None or hears(process), within=LONGEST_SECONDS)
            if begun:
                await until_answered(lambda: answers(world, service), within=LONGEST_SECONDS)
            await asyncio.sleep(after)
            began = time.monotonic()
            process.send_signal(number)
            await until(lambda: process.poll() is not None, within=LONGEST_SECONDS)
            assert process.returncode is not None
            return Stop(kind, begun, after, process.returncode, time.monotonic() - began, service.log)


async def stopped(number: int, seed: int, folder: Path, broker: RabbitNode) -> list[Stop]:
    """So many stops."""
    simulated = SimulatedCloud({"tacc": ["a"], "uc": ["b"], "kvm": ()}, flavors={"kvm": ["m1.tiny"]})
    async with simulated:
        cloud = SimulatedTestCloud(simulated, folder / "clouds.yaml")
        # One hangs, and one sends bytes for ever: either way a thread waits for a site when the process ends.
        await simulated.sites["uc"].break_with(faults.hang, path="/v1/")
        await simulated.sites["tacc"].break_with(faults.trickle(10), path="/v1/")
        stops = Stops(folder, broker.url, cloud, seed)
        turns, done = asyncio.Semaphore(AT_ONCE), list[Stop]()

        async def turn() -> None:
            async with turns:
                done.append(await stops.one())
                if len(done) % 50 == 0:
                    print(f"{len(done)} of {number}", flush=True)

        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(turn())
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as ending:
        folder = Path(temporary)
        broker = RabbitNode(folder / "rabbitmq")
        ending.callback(broker.close)
        broker.start()
        for _ in range(BUSY_LOOPS):
            loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            ending.callback(loop.wait)
            ending.callback(loop.kill)
        found = asyncio.run(stopped(arguments.stops, arguments.seed, folder, broker))
        for kind, begun in product(KINDS, (False, True)):
            of_kind = [each for each in found if (each.kind, each.begun) == (kind, begun)]
            ends = Counter(each.status for each in of_kind)
            longest = max((each.took for each in of_kind), default=0)
            told = ", ".join(f"{status}: {times}" for status, times in sorted(ends.items()))
            when = "while it answered" if begun else "while it started"
            print(f"{kind:15} {when:18} {len(of_kind):4} stops; ended with {told}; the longest took {longest:.1f} s")
        bad = [each for each in found if each.status != 0]
        for each in bad:
            since = "answered" if each.begun else "heard signals"
            print(f"\n{each.kind}, {each.after:.2f} s after it {since}: ended with {each.status}")
            print("\n".join(each.log.read_text(errors="replace").splitlines()[-20:]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

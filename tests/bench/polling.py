"""The sync service with two hundred sites: whether it asks each as often as it is to, and what that takes."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from deploy.local.ports import free_ports
from deploy.local.rabbitmq import RabbitNode
from tests.bench.client import cpu_of
from tests.bench.fleet import site_ids
from tests.bench.limits import many_files
from tests.bench.report import number
from tests.bench.running import Server, started
from tests.bench.watching import quantile
from tests.bounds.load import memory_of
from tests.rabbitmq import add_vhost

SITES: Final = 200
NODES: Final = 100
INTERVAL: Final = 30
WINDOW: Final = 90
LOOK: Final = 2.0
FIRST_SECONDS: Final = 600.0
MILLI: Final = 1e3
AGE: Final = re.compile(r'^reference_sync_last_success_age_seconds{site="(\w+)",subject="site"} (\S+)$', re.MULTILINE)
PUBLISHED: Final = re.compile(
    r'^reference_sync_polls_total{result="published",site="(\w+)",subject="site"} (\S+)$', re.MULTILINE
)
TROUBLED: Final = re.compile(r'^reference_sync_polls_total{result="(?:failed|lost|doubted)",.*} (\S+)$', re.MULTILINE)


async def told(node: RabbitNode) -> str:
    """For the document."""
    many_files()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with started("tests.bench.clouds", name, str(SITES), str(NODES)), _service(node, folder) as server:
            started_at = time.perf_counter()
            before = await _polled_once(server)
            first = time.perf_counter() - started_at
            pid, cpu, began = server.pid, cpu_of(server.pid), time.perf_counter()
            ages: list[float] = []
            threads = 0
            while time.perf_counter() - began < WINDOW:
                await asyncio.sleep(LOOK)
                ages.append(max(values(AGE, await _metrics(server)).values()))
                threads = max(threads, threads_of(pid))
            after = await _metrics(server)
            took, cpu = time.perf_counter() - began, cpu_of(pid) - cpu
            polls = sum(values(PUBLISHED, after).values()) - sum(values(PUBLISHED, before).values())
            failed = sum(map(float, TROUBLED.findall(after))) - sum(map(float, TROUBLED.findall(before)))
            return (
                f"One replica of the sync service polls {SITES} sites of {NODES} nodes each {INTERVAL} s:"
                f" {polls / took:.2f} polls a second in {took:.0f} s, where {SITES / INTERVAL:.2f} would be without any"
                f" time between a poll's beginning and its end; {failed:.0f} failed. The oldest site was"
                f" {number(quantile(ages, 0.5))} s old at the median moment, {number(max(ages))} s at most. It uses"
                f" {cpu / took:.0%} of a processor, {number(cpu / polls * MILLI)} ms a poll,"
                f" {number(memory_of(pid))} MB and {threads} threads at most. With a broker that had"
                f" nothing yet, each site was published for the first time within {number(first)} s of the start."
            )


def values(pattern: re.Pattern[str], metrics: str) -> Mapping[str, float]:
    """Those of a metric, by site."""
    return {site: float(value) for site, value in pattern.findall(metrics)}


def threads_of(pid: int) -> int:
    """How many a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@contextmanager
def _service(node: RabbitNode, folder: Path) -> Iterator[Server]:
    names = site_ids(SITES)
    sites = "\n".join(f'[availability.sites.{site_id}]\ncloud = "{site_id}"' for site_id in names)
    own = f'[log]\nformat = "json"\n[sync]\nhost = "127.0.0.1"\n[availability]\npoll_interval_seconds = {INTERVAL}\n'
    (folder / "config.toml").write_text(own + sites)
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml"),
        "REFERENCE_API_BROKER_URL": add_vhost(node, "polling"),
        "REFERENCE_SYNC_PORT": str(port),
    }
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "sync_service", "--config", str(folder / "config.toml")]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _metrics(server: Server) -> str:
    return (await asyncio.to_thread(server.say, "GET", "/metrics")).decode()


async def _polled_once(server: Server) -> str:
    """The metrics once each site has been published."""
    async with asyncio.timeout(FIRST_SECONDS):
        while True:
            with suppress(OSError):
                metrics = await _metrics(server)
                if len(values(AGE, metrics)) == SITES:
                    return metrics
            await asyncio.sleep(0.5)

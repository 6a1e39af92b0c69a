"""Both services in several processes, a broker and a cloud of their own, and wires that can be cut."""

import asyncio
import shutil
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.ports import free_ports
from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from tests.chaos.truth import NODES, SiteTruth
from tests.inventories import node_document
from tests.repositories import GitRepository, write
from tests.tcp_proxy import TcpProxy
from tests.unmeasured import unmeasured

PROJECT = Path(__file__).parents[2]
INTERVAL = 1.0
"""Seconds between two polls of a site."""

HOSTS_INTERVAL = 3.0
APIS, SYNCS = 3, 2
STOP_SECONDS = 15
LEASH = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Nothing outlives a run that is killed itself."""

CHANGE_SECONDS = 0.12


@dataclass
class Replica:
    """One process of a service, and its own wire to the broker."""

    name: str
    module: str
    port: int
    wire: TcpProxy
    environment: dict[str, str]
    arguments: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *, module: str | None = None) -> None:
        """Starts it; `module` takes the place of its own."""
        self.starts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*LEASH, sys.executable, "-m", module or self.module, *self.arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.running:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(STOP_SECONDS)


class World:
    """Everything of one run; `sites` change by themselves until they are told to rest."""

    def __init__(self, node: RabbitNode, folder: Path, seed: int) -> None:
        self.node = node
        self.random = Random(seed)
        self.site_ids = tuple(f"s{seed}{letter}" for letter in "abc")
        self.cloud = SimulatedCloud(dict.fromkeys(self.site_ids, ()))
        self.sites = {
            site_id: SiteTruth(self.cloud.sites[site_id], Random(f"{seed} {site_id}")) for site_id in self.site_ids
        }
        self.broker = asyncio.Lock()
        self.visit = asyncio.Lock()
        self.apis: list[Replica] = []
        self.syncs: list[Replica] = []
        self.folder = folder
        self._stack = AsyncExitStack()
        self._life: asyncio.Task[None] | None = None

    @property
    def replicas(self) -> list[Replica]:
        return [*self.apis, *self.syncs]

    @property
    def visitor(self) -> str:
        """The site that comes to the inventory and goes, and that the API's settings do not name."""
        return self.site_ids[2]

    def transport(self) -> BrokerTransport:
        """A way to the broker of the suite's own."""
        return BrokerTransport(self.node.url, name="chaos")

    async def __aenter__(self) -> Self:
        self.http = await self._stack.enter_async_context(
            ClientSession(timeout=ClientTimeout(total=2), connector=TCPConnector(limit=0, force_close=True))
        )
        await self._stack.enter_async_context(self.cloud)
        self.repository = self._inventory()
        clouds_yaml = self.folder / "clouds.yaml"
        clouds_yaml.write_text(self.cloud.clouds_yaml())
        configurations = {
            "api_service": self._config("api", self.site_ids[:2]),
            "sync_service": self._config("sync", self.site_ids),
        }
        ports = iter(free_ports(APIS + SYNCS))
        for module, count, into in (("api_service", APIS, self.apis), ("sync_service", SYNCS, self.syncs)):
            for number in range(count):
                name = f"{module.partition('_')[0]}{number}"
                wire = await self._stack.enter_async_context(TcpProxy(self.node.port).listening())
                port = next(ports)
                kind = "REFERENCE_API" if module == "api_service" else "REFERENCE_SYNC"
                environment = unmeasured() | {
                    "OS_CLIENT_CONFIG_FILE": str(clouds_yaml),
                    "REFERENCE_API_BROKER_URL": wire.url,
                    f"{kind}_PORT": str(port),
                    f"{kind}_HOST": "127.0.0.1",
                }
                arguments = ("--config", str(configurations[module]))
                into.append(Replica(name, module, port, wire, environment, arguments, self.folder / f"{name}.log"))
        for replica in self.replicas:
            replica.start()
        self._life = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.rest()
        for replica in self.replicas:
            replica.send(signal.SIGCONT)
            replica.send(signal.SIGTERM)
        await asyncio.to_thread(self._wait_ended)
        await self._stack.aclose()

    async def rest(self) -> None:
        """From now on nothing changes at the sites."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    def _wait_ended(self) -> None:
        for replica in self.replicas:
            if replica.process is not None:
                try:
                    replica.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    replica.kill()

    async def _live(self) -> None:
        while True:
            self.random.choice(list(self.sites.values())).step()
            await asyncio.sleep(CHANGE_SECONDS)

    def _inventory(self) -> GitRepository:
        repository = GitRepository(self.folder / "repository")
        write(repository.data / "chameleoncloud.json", {"uid": "chameleoncloud", "type": "grid"})
        for site_id in self.site_ids:
            enter(repository, site_id)
        repository.commit("the sites")
        return repository

    def _config(self, name: str, site_ids: tuple[str, ...]) -> Path:
        sites = "\n".join(f'[availability.sites.{site_id}]\ncloud = "{site_id}"' for site_id in site_ids)
        path = self.folder / f"{name}.toml"
        path.write_text(f"""
[log]
format = "json"
[reference]
ref_dir = "{self.repository.data}"
reload_interval_seconds = 0.3
[availability]
poll_interval_seconds = {INTERVAL}
error_backoff_seconds = {INTERVAL}
hosts_interval_seconds = {HOSTS_INTERVAL}
site_timeout_seconds = 3
{sites}
""")
        return path


def enter(repository: GitRepository, site_id: str) -> None:
    """Writes a site into the inventory; it is not committed."""
    folder = repository.data / "sites" / site_id
    write(folder / f"{site_id}.json", {"uid": site_id, "type": "site"})
    write(folder / "clusters/main/main.json", {"uid": "main", "type": "cluster"})
    for node in NODES:
        write(folder / f"clusters/main/nodes/{node}.json", node_document(node))

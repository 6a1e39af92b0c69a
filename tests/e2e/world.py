"""Both services as processes, with a broker, a repository and a cloud of their own."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, ClientTimeout

from deploy.local.ports import free_ports
from shared.logs import LogFormat
from tests.e2e.cloud import Cloud
from tests.eventually import LONG_SECONDS, until_answered
from tests.repositories import GitRepository
from tests.unmeasured import unmeasured

STOP_SECONDS = 30
PROJECT = Path(__file__).parents[2]


@dataclass
class Service:
    """One process of a service, and its log."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        if number is not signal.SIGSTOP:
            self.process.wait(LONG_SECONDS)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@dataclass
class World:
    """Starts what a test asks for, and stops all of it at the end."""

    cloud: Cloud
    repository: GitRepository
    broker_url: str
    folder: Path
    poll_seconds: float = 0.3
    site_timeout_seconds: float = 2
    log_format: LogFormat = LogFormat.JSON
    workers: int = 1
    services: list[Service] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.http = ClientSession(timeout=ClientTimeout(total=LONG_SECONDS))
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.close()
        for service in self.services:
            # A frozen one would never hear.
            service.process.send_signal(signal.SIGCONT)
            service.process.terminate()
        for service in self.services:
            try:
                service.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()

    async def api(self, *arguments: str) -> Service:
        """A replica of the API service that is ready."""
        service = self.start("api_service", *arguments)
        await until_answered(lambda: self._ready(service))
        return service

    async def sync(self, *arguments: str) -> Service:
        """A replica of the sync service that listens."""
        service = self.start("sync_service", *arguments)
        await until_answered(lambda: self._ready(service))
        return service

    async def get(self, service: Service, path: str) -> Any:
        """What a resource answers; None unless it is 200."""
        status, body = await self.answer(service, path)
        return body if status == 200 else None

    async def answer(self, service: Service, path: str) -> tuple[int, Any]:
        """A resource's status and body, which may be a problem."""
        async with self.http.get(service.url + path) as response:
            return response.status, await response.json(content_type=None)

    async def age(self, service: Service, site_id: str) -> float:
        """Seconds since the last poll of a site that this replica knows of."""
        sites = (await self.get(service, "/status"))["sites"]
        return next(float(site["age_seconds"]) for site in sites if site["site_id"] == site_id)

    async def until_synced(self, service: Service, *site_ids: str) -> None:
        async def synced() -> bool:
            known = [await self.get(service, f"/sites/{site_id}/availability") for site_id in site_ids]
            return None not in known

        await until_answered(synced)

    async def until_polled_again(self, service: Service, site_id: str) -> None:
        """Until a poll that began after this moment has arrived."""
        await until_answered(lambda: self._generation(service, site_id))
        before = await self._generation(service, site_id)

        async def later() -> bool:
            return await self._generation(service, site_id) > before

        await until_answered(later)
        before = await self._generation(service, site_id)
        await until_answered(later)

    async def _generation(self, service: Service, site_id: str) -> int:
        sites = (await self.get(service, "/status"))["sites"]
        return next((int(site["generation"] or 0) for site in sites if site["site_id"] == site_id), 0)

    async def _ready(self, service: Service) -> bool:
        assert service.process.poll() is None, service.log.read_text()
        with suppress(OSError):
            return await self.get(service, "/readyz") is not None
        return False

    def start(self, module: str, *arguments: str) -> Service:
        """A replica that may not even listen yet."""
        port = free_ports(1)[0]
        config = self.folder / f"{module}-{len(self.services)}.toml"
        config.write_text(self._config())
        log = self.folder / f"{module}-{len(self.services)}.log"
        environment = unmeasured() | {
            "OS_CLIENT_CONFIG_FILE": str(self.cloud.clouds_yaml),
            "REFERENCE_API_BROKER_URL": self.broker_url,
            "REFERENCE_API_PORT" if module == "api_service" else "REFERENCE_SYNC_PORT": str(port),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "--config", str(config), *arguments],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.services.append(Service(process, log, f"http://127.0.0.1:{port}"))
        return self.services[-1]

    def _config(self) -> str:
        sites = "\n".join(f'[availability.sites.{site_id}]\ncloud = "{site_id}"' for site_id in self.cloud.site_ids)
        return f"""
            [server]
            host = "127.0.0.1"
            workers = {self.workers}
            [sync]
            host = "127.0.0.1"
            [log]
            format = "{self.log_format}"
            [reference]
            ref_dir = "{self.repository.data}"
            reload_interval_seconds = 0.2
            [availability]
            poll_interval_seconds = {self.poll_seconds}
            error_backoff_seconds = {self.poll_seconds}
            hosts_interval_seconds = {self.poll_seconds}
            site_timeout_seconds = {self.site_timeout_seconds}
            [flavor_availability.sites.kvm]
            cloud = "kvm"
            {sites}
        """

"""What a worker of several looks after by itself."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from api_service import keys, workers
from api_service.workers import Worker
from shared.probes import PROBED, Health
from tests.eventually import running, until


@dataclass
class Probed:
    """As healthy as a test says."""

    live: Health = field(default_factory=Health)
    ready: Health = field(default_factory=Health)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    asked: int = 0

    def liveness(self) -> Health:
        return self.live

    def readiness(self) -> Health:
        self.asked += 1
        return self.ready

    def status(self) -> Mapping[str, object]:
        return {}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which signals a worker sent itself."""
    found: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", found.append)
    return found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.01)


def one_of_several(probed: Probed, *, parent: int | None = None) -> web.Application:
    app = web.Application()
    app[PROBED] = probed
    Worker(3, os.getppid() if parent is None else parent).join(app)
    return app


async def test_a_worker_takes_no_connection_before_it_is_ready() -> None:
    probed = Probed(ready=Health(["the availability log has not been read yet"]))
    runner = web.AppRunner(one_of_several(probed))
    async with running(forever(runner)):
        await until(lambda: probed.asked > 2)
        assert runner.server is None
        probed.ready = Health()
        await until(lambda: runner.server is not None)
    await runner.cleanup()


async def forever(runner: web.AppRunner) -> None:
    await runner.setup()
    await asyncio.Event().wait()


async def test_a_worker_that_is_not_ready_for_long_takes_connections_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "READY_SECONDS", 0.05)
    runner = web.AppRunner(one_of_several(Probed(ready=Health(["no inventory is loaded"]))))
    await runner.setup()
    assert runner.server is not None
    await runner.cleanup()


async def test_a_worker_ends_itself_once_a_loop_of_it_has_died(told: list[int]) -> None:
    probed = Probed()
    app = one_of_several(probed)
    assert app[keys.WORKER] == 3
    runner = web.AppRunner(app)
    with capture_logs() as logs:
        await runner.setup()
        assert not told
        probed.live = Health(["the loop feed has died"])
        await until(lambda: told == [signal.SIGTERM])
    assert logs == [{"event": "worker ends itself", "log_level": "error", "reasons": ["the loop feed has died"]}]
    await runner.cleanup()


async def test_a_worker_ends_itself_once_its_parent_is_another(told: list[int]) -> None:
    runner = web.AppRunner(one_of_several(Probed(), parent=0))
    with capture_logs() as logs:
        await runner.setup()
        await until(lambda: told)
    assert [line["reasons"] for line in logs] == [["the parent is gone"]]
    await runner.cleanup()

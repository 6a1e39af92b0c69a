"""The whole sync service in this process: a simulated cloud, the embedded log, its probes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from structlog.testing import capture_logs

from deploy.local.openstack import SimulatedCloud, faults
from deploy.local.ports import free_ports
from shared.availability import SiteAvailability, SiteFlavors, Snapshot, utc_now
from shared.embedded import EmbeddedTransport
from shared.messages import decode
from shared.probes import PROBED
from shared.supervision import supervised
from shared.topology import Subject, Topic
from shared.transport import Offset
from sync_service import keys
from sync_service.app import create_app
from sync_service.settings import Settings
from tests.component.serving import AiohttpClient
from tests.eventually import LONG_SECONDS, running, until
from tests.unmeasured import unmeasured

UC = Topic("uc")
QUICK = {
    "poll_interval_seconds": 0.05,
    "error_backoff_seconds": 0.05,
    "hosts_interval_seconds": 0.05,
    "site_timeout_seconds": 5,
}


@pytest.fixture
async def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedCloud]:
    async with SimulatedCloud({"uc": ["a", "b"], "tacc": ["c"]}, flavors={"uc": ["m1.tiny"]}) as cloud:
        path = tmp_path / "clouds.yaml"
        path.write_text(cloud.clouds_yaml())
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
        yield cloud


def settings(*sites: str, flavors: tuple[str, ...] = (), **availability: Any) -> Settings:
    return Settings.model_validate(
        {
            "availability": {**QUICK, **availability, "sites": {site: {"cloud": site} for site in sites}},
            "flavor_availability": {"sites": {site: {"cloud": site} for site in flavors}},
            "broker": {"url": "amqp://nobody:hunter2@127.0.0.1:1/"},
        }
    )


class Log:
    """What was published on one topic, the newest last."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    async def follow(self, transport: EmbeddedTransport, topic: Topic) -> None:
        async with transport.session("test") as session:
            await session.declare([topic])
            async for delivery in await session.follow(topic, Offset.FIRST):
                self.snapshots.append(decode(delivery.envelope))
                await delivery.ack()

    @property
    def site(self) -> SiteAvailability:
        newest = self.snapshots[-1]
        assert isinstance(newest, SiteAvailability)
        return newest


@asynccontextmanager
async def followed(transport: EmbeddedTransport, topic: Topic = UC) -> AsyncIterator[Log]:
    log = Log()
    async with running(log.follow(transport, topic)):
        yield log


async def answer(client: TestClient[Any, Any], path: str) -> tuple[int, dict[str, Any]]:
    response = await client.get(path)
    return response.status, await response.json()


async def test_what_blazar_says_is_published_and_so_is_each_change(
    cloud: SimulatedCloud, aiohttp_client: AiohttpClient
) -> None:
    transport = EmbeddedTransport()
    async with followed(transport) as log:
        await aiohttp_client(create_app(settings("uc"), transport=transport))
        await until(lambda: log.snapshots)
        assert log.site.nodes.keys() == {"a", "b"}
        now = utc_now()
        lease_id = cloud.sites["uc"].add_lease("a", now, now + timedelta(hours=1))
        await until(lambda: log.site.nodes["a"].state_at(utc_now()) == "reserved")
        cloud.sites["uc"].remove_lease(lease_id)
        cloud.sites["uc"].update_host("b", disabled=True)
        await until(lambda: [node.state_at(now) for node in log.site.nodes.values()] == ["available", "maintenance"])


async def test_each_snapshot_follows_the_one_before(cloud: SimulatedCloud, aiohttp_client: AiohttpClient) -> None:
    transport = EmbeddedTransport()
    async with followed(transport) as log:
        await aiohttp_client(create_app(settings("uc"), transport=transport))
        await until(lambda: len(log.snapshots) >= 4)
    generations = [snapshot.generation for snapshot in log.snapshots]
    assert [snapshot.follows for snapshot in log.snapshots] == [None, *generations[:-1]]


async def test_flavors_are_published_where_they_are_configured(
    cloud: SimulatedCloud, aiohttp_client: AiohttpClient
) -> None:
    transport = EmbeddedTransport()
    app = create_app(settings(flavors=("uc", "tacc")), transport=transport)
    elsewhere = app[keys.COORDINATORS][Topic("tacc", Subject.FLAVORS)]
    async with followed(transport, Topic("uc", Subject.FLAVORS)) as log:
        await aiohttp_client(app)
        await until(lambda: log.snapshots and elsewhere.condition.trouble)
    published = log.snapshots[0]
    assert isinstance(published, SiteFlavors)
    assert published.flavors.keys() == {"m1.tiny"}
    assert elsewhere.condition.trouble == "this Blazar does not tell the availability of flavors (404)"


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.refused,
            faults.reset,
            faults.truncated,
            faults.stalled,
            faults.garbage,
            faults.unauthorized,
            faults.forbidden,
            faults.status(500),
            faults.status(503, html=True),
            faults.hang,
            faults.trickle(60),
        ],
    )
    async def test_a_fault_publishes_nothing_and_is_told_once_and_so_is_its_end(
        self, fault: faults.Fault, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        transport = EmbeddedTransport()
        app = create_app(settings("uc", site_timeout_seconds=1), transport=transport)
        async with followed(transport) as log:
            with capture_logs() as logs:
                await aiohttp_client(app)
                await until(lambda: log.snapshots)
                await cloud.sites["uc"].break_with(fault)
                await until(lambda: polls(app, "failed") >= 1)
                published = len(log.snapshots)
                await until(lambda: polls(app, "failed") >= 3)
                assert len(log.snapshots) == published
                await cloud.sites["uc"].mend()
                await until(lambda: len(log.snapshots) > published)
                await until(lambda: len(told(logs)) > 1)
        assert told(logs) == ["site unreachable", "site recovered"]

    async def test_one_empty_answer_publishes_nothing(
        self, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        transport = EmbeddedTransport()
        app = create_app(settings("uc"), transport=transport)
        async with followed(transport) as log:
            with capture_logs() as logs:
                await aiohttp_client(app)
                await until(lambda: log.snapshots)
                await cloud.sites["uc"].break_with(faults.emptied, times=1)
                await until(lambda: polls(app, "doubted"))
                doubted_after = len(log.snapshots)
                await until(lambda: len(log.snapshots) > doubted_after)
        for snapshot in log.snapshots:
            assert isinstance(snapshot, SiteAvailability)
            assert [node.state_at(utc_now()) for node in snapshot.nodes.values()] == ["available", "available"]
        assert told(logs) == ["site answer doubted", "site recovered"]

    async def test_a_site_that_hangs_starves_no_other(
        self, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        await cloud.sites["uc"].break_with(faults.hang)
        transport = EmbeddedTransport()
        async with followed(transport, Topic("tacc")) as log:
            await aiohttp_client(create_app(settings("uc", "tacc"), transport=transport))
            await until(lambda: len(log.snapshots) >= 3)


class TestProbes:
    async def test_a_service_that_polls_is_alive_and_ready_and_tells_how_it_is(
        self, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        app = create_app(settings("uc"), transport=EmbeddedTransport())
        client = await aiohttp_client(app)
        await until(lambda: polls(app, "published"))
        assert await answer(client, "/healthz") == (200, {"status": "ok", "reasons": []})
        assert await answer(client, "/readyz") == (200, {"status": "ok", "reasons": []})
        _, status = await answer(client, "/status")
        [poll] = status["polls"]
        assert (status["service"], status["live"], status["ready"]) == ("reference-sync", "yes", "yes")
        assert (poll["site_id"], poll["subject"], poll["cloud"], poll["trouble"]) == ("uc", "site", "uc", None)
        assert 0 <= poll["age_seconds"] < 15
        assert poll["tokens_lost"] == 0

    async def test_the_numbers_are_there_for_prometheus(
        self, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        cloud.sites["uc"].add_host("odd", disabled="maybe")
        app = create_app(settings("uc"), transport=EmbeddedTransport())
        client = await aiohttp_client(app)
        await until(lambda: polls(app, "published"))
        text = await (await client.get("/metrics")).text()
        for line in (
            'reference_sync_listed{site="uc",subject="site"} 3.0',
            'reference_sync_unreadable_records{site="uc",subject="site"} 1.0',
            'reference_sync_poll_seconds_count{site="uc",subject="site"}',
            'reference_sync_last_success_age_seconds{site="uc",subject="site"}',
            "reference_sync_broker_connected 1.0",
            'reference_sync_poll_tokens_held{site="uc",subject="site"} ',
            'reference_sync_poll_tokens_lost_total{site="uc",subject="site"} 0.0',
            'reference_sync_broker_session{state="standing"} 1.0',
            'reference_sync_broker_session{state="refused"} 0.0',
            'reference_sync_loop_alive{loop="polling"} 1.0',
            'reference_sync_ready{part="broker"} 1.0',
        ):
            assert line in text

    async def test_without_a_broker_it_is_alive_and_not_ready_and_tells_no_password(
        self, aiohttp_client: AiohttpClient
    ) -> None:
        app = create_app(settings("uc"))
        client = await aiohttp_client(app)
        await until(lambda: app[keys.TOKENS].last_loss)
        assert (await answer(client, "/healthz"))[0] == 200
        status, body = await answer(client, "/readyz")
        assert status == 503
        assert body["reasons"]
        assert (await answer(client, "/status"))[1]["broker"]["session"] == "never"
        told = await (await client.get("/metrics")).text()
        assert 'reference_sync_broker_session{state="never"} 1.0' in told
        assert 'reference_sync_ready{part="broker"} 0.0' in told
        assert "hunter2" not in await (await client.get("/status")).text()

    async def test_trouble_with_a_site_is_no_reason_not_to_be_ready(
        self, cloud: SimulatedCloud, aiohttp_client: AiohttpClient
    ) -> None:
        await cloud.sites["uc"].break_with(faults.status(500))
        app = create_app(settings("uc"), transport=EmbeddedTransport())
        client = await aiohttp_client(app)
        await until(lambda: polls(app, "failed"))
        assert (await answer(client, "/healthz"))[0] == (await answer(client, "/readyz"))[0] == 200
        _, status = await answer(client, "/status")
        [poll] = status["polls"]
        assert (poll["trouble"], poll["trouble_kind"]) == ("Blazar answers 500", "error-answer")
        labels = {"site": "uc", "subject": "site", "kind": "error-answer"}
        assert app[PROBED].registry.get_sample_value("reference_sync_troubles_total", labels)

    async def test_a_loop_that_died_is_told(self, aiohttp_client: AiohttpClient) -> None:
        async def die() -> None:
            raise ZeroDivisionError

        @asynccontextmanager
        async def dying(app: web.Application) -> AsyncIterator[None]:
            async with supervised(polling=die) as app[keys.SUPERVISORS]["polling"]:
                yield

        app = create_app(settings("uc"), transport=EmbeddedTransport(), contexts=(dying,))
        client = await aiohttp_client(app)
        await until(lambda: not app[keys.SUPERVISORS]["polling"].alive)
        assert await answer(client, "/healthz") == (
            503,
            {"status": "failing", "reasons": ["the loop polling has died"]},
        )
        assert 'reference_sync_loop_alive{loop="polling"} 0.0' in await (await client.get("/metrics")).text()

    async def test_a_site_that_nobody_polls_is_told_by_polls_that_stay_at_none(
        self, aiohttp_client: AiohttpClient
    ) -> None:
        client = await aiohttp_client(
            create_app(settings("uc", flavors=("uc",)), transport=EmbeddedTransport(), contexts=())
        )
        told = await (await client.get("/metrics")).text()
        for subject in Subject:
            assert f'reference_sync_polls_total{{result="published",site="uc",subject="{subject}"}} 0.0' in told
            assert f'reference_sync_poll_tokens_held{{site="uc",subject="{subject}"}} 0.0' in told

    async def test_with_no_site_it_idles_in_good_health_and_says_so_once(self, aiohttp_client: AiohttpClient) -> None:
        with capture_logs() as logs:
            client = await aiohttp_client(create_app(settings()))
            for probe in ("/healthz", "/readyz"):
                assert (await answer(client, probe))[0] == 200
        assert [line["event"] for line in logs] == ["no site is configured: nothing is polled"]


class TestTheProcess:
    def test_with_no_site_it_answers_its_probes_and_ends_at_sigterm(self, tmp_path: Path) -> None:
        config = tmp_path / "config.toml"
        config.write_text('[log]\nformat = "json"\n')
        port = free_ports(1)[0]
        variables = {**os.environ, "REFERENCE_SYNC_HOST": "127.0.0.1", "REFERENCE_SYNC_PORT": str(port)}
        command = [sys.executable, "-m", "sync_service", "--config", str(config)]
        with ExitStack() as stack:
            process = stack.enter_context(subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True))
            # Else whatever fails below would wait for it for ever.
            stack.callback(process.kill)
            wait_for_answer(f"http://127.0.0.1:{port}/readyz")
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=LONG_SECONDS)
            assert process.stderr is not None
            events = [json.loads(line)["event"] for line in process.stderr]
        assert events == ["no site is configured: nothing is polled"]
        assert process.returncode == 0

    async def test_it_ends_at_sigterm_though_a_poll_hangs(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        await cloud.sites["uc"].break_with(faults.hang)
        program = tmp_path / "program.py"
        program.write_text(EMBEDDED_SERVICE)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), cwd=ROOT, env=unmeasured(PYTHONPATH=".")
        )
        await until(lambda: cloud.sites["uc"].listener.requests)
        process.terminate()
        async with asyncio.timeout(LONG_SECONDS):  # the poll has ten minutes
            assert await process.wait() == 0


ROOT = Path(__file__).parents[2]

EMBEDDED_SERVICE = """
import uvloop
from aiohttp import web
from shared.embedded import EmbeddedTransport
from shared.process import ending_in_good_order
from sync_service.app import create_app
from sync_service.settings import Settings

settings = Settings.model_validate({"availability": {"site_timeout_seconds": 600, "sites": {"uc": {"cloud": "uc"}}}})
app = create_app(settings, transport=EmbeddedTransport())
with ending_in_good_order():
    web.run_app(app, host="127.0.0.1", port=0, loop=uvloop.new_event_loop(), print=None, access_log=None)
"""


def wait_for_answer(url: str) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=LONG_SECONDS):
                return
        except OSError:
            assert time.monotonic() < deadline, f"no answer of {url}"
            time.sleep(0.02)


def told(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs if line["event"].startswith("site ") and line["log_level"] != "debug"]


def polls(app: web.Application, result: str) -> float:
    labels = {"site": "uc", "subject": "site", "result": result}
    return app[PROBED].registry.get_sample_value("reference_sync_polls_total", labels) or 0

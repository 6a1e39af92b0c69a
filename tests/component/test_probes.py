"""The four answers that a cluster asks of either service, over HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families
from pytest_aiohttp.plugin import AiohttpClient

from shared import probes
from shared.probes import PROBED, Health


class FakeService:
    """A service that is as it is told to be."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.dead: list[str] = []
        self.unready: list[str] = []
        self.told: Mapping[str, object] = {}

    def liveness(self) -> Health:
        return Health(self.dead)

    def readiness(self) -> Health:
        return Health(self.unready)

    def status(self) -> Mapping[str, object]:
        return self.told


type Client = TestClient[web.Request, web.Application]


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def client(service: FakeService, aiohttp_client: AiohttpClient) -> Client:
    app = web.Application()
    app[PROBED] = service
    app.add_routes(
        [
            web.get("/healthz", probes.healthz),
            web.get("/readyz", probes.readyz),
            web.get("/metrics", probes.metrics),
            web.get("/status", probes.status),
        ]
    )
    return await aiohttp_client(app)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_good_service_says_ok(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status == 200
    assert await response.json() == {"status": "ok", "reasons": []}


async def test_a_dead_loop_fails_liveness_only(client: Client, service: FakeService) -> None:
    service.dead = ["the loop feed has died"]
    response = await client.get("/healthz")
    assert response.status == 503
    assert await response.json() == {"status": "failing", "reasons": ["the loop feed has died"]}
    assert (await client.get("/readyz")).status == 200


async def test_a_service_that_is_not_ready_is_alive_all_the_same(client: Client, service: FakeService) -> None:
    service.unready = ["no inventory is loaded", "the availability log has not been read yet"]
    response = await client.get("/readyz")
    assert response.status == 503
    assert (await response.json())["reasons"] == service.unready
    assert (await client.get("/healthz")).status == 200


async def test_metrics_are_what_prometheus_reads(client: Client, service: FakeService) -> None:
    Counter("polls", "Polls.", ["site"], registry=service.registry).labels("tacc").inc()
    response = await client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(await response.text())
    samples = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    assert samples["polls_total"] == ({"site": "tacc"}, 1.0)


async def test_status_tells_times_as_they_are(client: Client, service: FakeService) -> None:
    service.told = {"time": datetime(2030, 1, 2, tzinfo=UTC), "sites": [{"site_id": "tacc", "age_seconds": None}]}
    response = await client.get("/status")
    assert response.content_type == "application/json"
    expected = {"time": "2030-01-02T00:00:00Z", "sites": [{"site_id": "tacc", "age_seconds": None}]}
    assert await response.json() == expected


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status"])
async def test_no_answer_is_ever_stored(client: Client, service: FakeService, path: str) -> None:
    assert (await client.get(path)).headers["Cache-Control"] == "no-store"
    service.dead = service.unready = ["broken"]
    assert (await client.get(path)).headers["Cache-Control"] == "no-store"

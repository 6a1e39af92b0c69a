"""The whole API service in this process: a repository, the embedded log, HTTP."""

import gc
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api_service import keys
from api_service.adapters import availability_feed
from api_service.app import create_app, feed, inventory
from api_service.probed import FEED
from api_service.settings import Settings
from shared.availability import NodeAvailability, Snapshot, utc_now
from shared.messages import encode
from shared.sessions import SessionState
from shared.supervision import supervised
from shared.topology import topic_of
from shared.transport import SessionLostError
from tests.component.serving import AiohttpClient
from tests.eventually import until, until_answered
from tests.fragile import FragileTransport
from tests.inventories import booked, polled
from tests.repositories import GPU_NODE, TACC_NODES, GitRepository, change, write

NODE = f"/{TACC_NODES}/{GPU_NODE}"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.of_sample(tmp_path / "repository")


@pytest.fixture
def log() -> FragileTransport:
    return FragileTransport()


@pytest.fixture
async def client(
    aiohttp_client: AiohttpClient, repository: GitRepository, log: FragileTransport
) -> TestClient[Any, Any]:
    return await aiohttp_client(service(repository, log))


def service(repository: GitRepository, log: FragileTransport) -> web.Application:
    settings = Settings.model_validate(
        {
            "reference": {"ref_dir": repository.data, "reload_interval_seconds": 0.05},
            "availability": {"sites": {"tacc": {"cloud": "tacc"}}},
        }
    )
    return create_app(settings, transport=log, contexts=(inventory, feed))


async def publish(log: FragileTransport, snapshot: Snapshot) -> None:
    async with log.session("test") as session:
        await session.declare([topic_of(snapshot)])
        await session.publish(topic_of(snapshot), encode(snapshot, source="/test"))


def gpu_node(**more: Any) -> NodeAvailability:
    return booked(node_id=GPU_NODE, **more)


async def told(client: TestClient[Any, Any], family: str, label: str) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    families = text_string_to_metric_families(await (await client.get("/metrics")).text())
    return {each.labels[label]: each.value for found in families if found.name == family for each in found.samples}


async def get(client: TestClient[Any, Any], path: str) -> Any:
    response = await client.get(path)
    return await response.json() if response.status == 200 else None


async def test_it_is_ready_once_the_inventory_is_loaded_and_every_configured_site_was_read(
    client: TestClient[Any, Any], log: FragileTransport
) -> None:
    await until(lambda: client.app is not None and client.app[keys.INVENTORY].loaded)
    reasons = (await (await client.get("/readyz")).json())["reasons"]
    assert reasons == ["the availability log has not been read yet"]
    assert await told(client, "reference_api_ready", "part") == {"inventory": 1.0, "log": 0.0}
    await publish(log, polled("tacc", gpu_node(), at=utc_now()))
    assert (await until_answered(lambda: get(client, "/readyz")))["status"] == "ok"
    assert await told(client, "reference_api_ready", "part") == {"inventory": 1.0, "log": 1.0}


async def test_what_is_served_is_passed_over_by_the_garbage_collector(client: TestClient[Any, Any]) -> None:
    await until(lambda: client.app is not None and client.app[keys.INVENTORY].loaded)
    assert client.app is not None
    served = client.app[keys.INVENTORY].current
    assert not any(each is served for each in gc.get_objects())


async def test_without_a_session_with_the_broker_it_tells_whether_it_ever_had_one(
    client: TestClient[Any, Any], log: FragileTransport
) -> None:
    async def states() -> set[str]:
        told_of = await told(client, "reference_api_feed_session", "state")
        assert told_of.keys() == set(SessionState)
        return {state for state, value in told_of.items() if value}

    await until(lambda: client.app is not None and client.app[FEED].connected)
    assert await states() == {"standing"}
    log.refusals = [SessionLostError("gone")] * 99
    log.cut()
    await until(lambda: client.app is not None and not client.app[FEED].connected)
    assert await states() == {"lost"}
    assert (await get(client, "/status"))["feed"]["session"] == "lost"


@pytest.mark.parametrize(("how", "flag"), [("--depth=1", "shallow"), ("--filter=blob:none", "partial")])
async def test_an_incomplete_clone_shows_in_metrics_and_status(
    aiohttp_client: AiohttpClient, repository: GitRepository, tmp_path: Path, log: FragileTransport, how: str, flag: str
) -> None:
    change(repository.data / TACC_NODES / f"{GPU_NODE}.json", node_name="renamed")
    repository.commit("rename a node")
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = GitRepository(tmp_path / "clone", made=True)
    repository.git("clone", "--quiet", how, f"file://{repository.folder}", str(clone.folder))
    for source, expected in ((repository, False), (clone, True)):
        client = await aiohttp_client(service(source, log))
        await until_answered(partial(get, client, NODE))
        metrics = await (await client.get("/metrics")).text()
        assert f"reference_api_inventory_{flag} {float(expected)}" in metrics
        assert (await get(client, "/status"))["inventory"][flag] == expected


async def test_a_configured_site_that_nobody_has_published_is_stale_and_has_no_age(
    client: TestClient[Any, Any], log: FragileTransport
) -> None:
    assert await told(client, "reference_api_site_stale", "site") == {"tacc": 1.0}
    assert await told(client, "reference_api_site_age_seconds", "site") == {}
    await publish(log, polled("tacc", gpu_node(), at=utc_now()))
    await until_answered(lambda: get(client, "/readyz"))
    assert await told(client, "reference_api_site_stale", "site") == {"tacc": 0.0}


async def test_what_is_published_is_served(client: TestClient[Any, Any], log: FragileTransport) -> None:
    await publish(log, polled("tacc", gpu_node(maintenance=True), at=utc_now()))

    async def state() -> bool:
        body = await get(client, f"{NODE}/availability")
        return bool(body and body["availability"] == "maintenance")

    await until_answered(state)


async def test_a_replica_that_starts_later_has_all_that_was_published(
    aiohttp_client: AiohttpClient, repository: GitRepository, log: FragileTransport
) -> None:
    await publish(log, polled("tacc", gpu_node(), at=utc_now()))
    late = await aiohttp_client(service(repository, log))
    await until(lambda: late.app is not None and late.app[keys.INVENTORY].loaded)
    body = await until_answered(lambda: get(late, "/sites/tacc/availability"))
    assert body["synced_node_count"] == 1


async def test_a_new_commit_is_served_without_a_restart(
    client: TestClient[Any, Any], repository: GitRepository
) -> None:
    before = (await until_answered(lambda: get(client, NODE)))["version"]
    change(repository.data / TACC_NODES / f"{GPU_NODE}.json", node_name="renamed")
    commit = repository.commit("rename a node")

    async def renamed() -> Any:
        body = await get(client, NODE)
        return body if body["node_name"] == "renamed" else None

    body = await until_answered(renamed)
    assert body["version"] == commit != before
    versions = await get(client, f"{NODE}/versions")
    assert [each["message"] for each in versions["items"]] == ["rename a node", "the sample"]


async def test_a_site_that_a_commit_brings_is_followed_at_once(
    client: TestClient[Any, Any], repository: GitRepository, log: FragileTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability_feed, "RECHECK_SECONDS", 3600)
    await publish(log, polled("newsite", at=utc_now()))
    await until_answered(lambda: get(client, NODE))
    assert (await client.get("/sites/newsite/availability")).status == 404
    write(repository.data / "sites/newsite/newsite.json", {"uid": "newsite"})
    repository.commit("open a site")
    await until_answered(lambda: get(client, "/sites/newsite"))
    await until_answered(lambda: get(client, "/sites/newsite/availability"))


async def test_a_commit_without_a_usable_site_is_refused_and_told(
    client: TestClient[Any, Any], repository: GitRepository, log: FragileTransport
) -> None:
    await publish(log, polled("tacc", gpu_node(), at=utc_now()))
    await until_answered(lambda: get(client, "/readyz"))
    before = await get(client, "/sites")
    for file in (repository.data / "sites").glob("*/*.json"):
        file.write_text("[]")
    broken = repository.commit("break everything")

    async def refused() -> Any:
        return (await get(client, "/status"))["inventory"]["refused"]

    assert (await until_answered(refused)) == {"version": broken, "reason": "it has no usable site"}
    assert await get(client, "/sites") == before
    assert "reference_api_inventory_refused 1.0" in await (await client.get("/metrics")).text()
    assert await get(client, "/readyz")


async def test_faults_of_the_data_are_told_and_counted_and_disturb_nothing_else(
    client: TestClient[Any, Any], repository: GitRepository
) -> None:
    nodes = len((await until_answered(lambda: get(client, f"/{TACC_NODES}")))["items"])
    (repository.data / TACC_NODES / f"{GPU_NODE}.json").write_bytes(b"\xff{")
    repository.commit("damage a file")
    await until_answered(lambda: missing(client))
    assert len((await get(client, f"/{TACC_NODES}"))["items"]) == nodes - 1
    told = {each["path"]: each["kind"] for each in (await get(client, "/status"))["data_faults"]["items"]}
    assert told[f"{TACC_NODES}/{GPU_NODE}.json"] == "not-utf8"
    assert 'reference_api_data_faults{kind="not-utf8"} 1.0' in await (await client.get("/metrics")).text()


async def missing(client: TestClient[Any, Any]) -> bool:
    return (await client.get(NODE)).status == 404


async def test_it_is_alive_until_a_loop_dies(aiohttp_client: AiohttpClient) -> None:
    app = create_app(Settings(), transport=FragileTransport(), contexts=())
    client = await aiohttp_client(app)
    assert (await get(client, "/healthz"))["status"] == "ok"

    async def die() -> None:
        raise RuntimeError("on purpose")

    async with supervised(doomed=die) as app[keys.SUPERVISORS]["feed"]:
        await until(lambda: not app[keys.SUPERVISORS]["feed"].alive)
        response = await client.get("/healthz")
        assert response.status == 503
        assert (await response.json())["reasons"] == ["the loop feed has died"]
        assert await told(client, "reference_api_loop_alive", "loop") == {"feed": 0.0}
        assert (await client.get("/docs")).status == 200


async def test_a_message_that_nobody_can_use_changes_nothing(
    client: TestClient[Any, Any], log: FragileTransport
) -> None:
    await publish(log, polled("tacc", gpu_node(), at=utc_now()))
    before = await until_answered(lambda: get(client, f"{NODE}/availability"))
    snapshot = polled("tacc", at=utc_now(), generation=2)
    async with log.session("test") as session:
        await session.publish(topic_of(snapshot), encode(polled("uc", generation=3), source="/test"))

    async def poisoned() -> bool:
        return bool((await get(client, "/status"))["feed"]["messages"]["poison"] == 1)

    await until_answered(poisoned)
    assert await get(client, f"{NODE}/availability") == before


async def test_a_stream_that_was_reborn_is_told_in_numbers(client: TestClient[Any, Any], log: FragileTransport) -> None:
    await publish(log, polled("tacc", at=utc_now(), generation=5))
    await publish(log, polled("tacc", at=utc_now(), generation=6))
    await until_answered(lambda: get(client, "/readyz"))
    log.wipe()
    await publish(log, polled("tacc", at=utc_now(), generation=1))

    async def reborn() -> bool:
        return bool((await get(client, "/status"))["feed"]["incidents"]["stream-reborn"] == 1)

    await until_answered(reborn)
    incidents = await told(client, "reference_api_feed_incidents", "kind")
    assert incidents == {"stream-reborn": 1.0, "looked-back": 0.0, "not-buried": 0.0}

"""Every error has one shape."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from api_service import keys
from api_service.app import create_app
from api_service.http.problems import MAX_LINE_BYTES, MAX_SLASHES, MAX_TARGET_LENGTH, OverlongTargets, problem_details
from api_service.settings import Settings
from shared.embedded import EmbeddedTransport
from shared.serving import SERVER_OPTIONS
from tests.component.serving import AiohttpClient
from tests.inventories import inventory, site


async def test_a_surprise_is_logged_and_told_without_its_reason(aiohttp_client: AiohttpClient) -> None:
    async def surprise(_request: web.Request) -> web.Response:
        raise RuntimeError("the password is swordfish")

    app = web.Application(middlewares=[problem_details])
    app.router.add_get("/", surprise)
    client = await aiohttp_client(app)
    with capture_logs() as logs:
        response = await client.get("/")
    assert response.status == 500
    assert response.content_type == "application/problem+json"
    assert "swordfish" not in await response.text()
    assert [line["event"] for line in logs] == ["request failed"]


async def test_an_error_of_the_framework_has_the_same_shape(aiohttp_client: AiohttpClient) -> None:
    async def teapot(_request: web.Request) -> web.Response:
        raise web.HTTPForbidden(reason="Not yours")

    app = web.Application(middlewares=[problem_details])
    app.router.add_get("/", teapot)
    body = await (await (await aiohttp_client(app)).get("/")).json(content_type="application/problem+json")
    assert body == {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "Not yours"}


@pytest.mark.parametrize("target", ["/sites/" + "x" * MAX_TARGET_LENGTH, "/" * 200_000, "/a" * 100_000])
async def test_a_target_that_is_too_long_is_a_problem_and_never_reaches_the_router(
    aiohttp_client: AiohttpClient, target: str
) -> None:
    app = create_app(Settings(), transport=EmbeddedTransport(), contexts=())
    app[keys.INVENTORY].replace(inventory(site("uc")))
    server = TestServer(app)
    await server.start_server(max_line_size=MAX_LINE_BYTES)
    client = await aiohttp_client(server)
    response = await client.get(target)
    assert response.status == 414
    assert str(MAX_TARGET_LENGTH) in (await response.json(content_type="application/problem+json"))["detail"]
    assert (await client.get("/sites?pretty=" + "x" * (MAX_TARGET_LENGTH - len("/sites?pretty=")))).status == 200


async def test_a_path_of_more_parts_than_any_resource_has_never_reaches_the_router(
    aiohttp_client: AiohttpClient,
) -> None:
    app = web.Application(middlewares=[problem_details])

    async def anything(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/{anything:.*}", anything)
    app.router.register_resource(OverlongTargets())
    client = await aiohttp_client(app)
    assert (await client.get("/a" * MAX_SLASHES)).status == 200
    assert (await client.get("/a" * (MAX_SLASHES + 1))).status == 404


async def test_a_body_that_nobody_reads_is_not_inflated(aiohttp_client: AiohttpClient) -> None:
    server = TestServer(web.Application(middlewares=[problem_details]))
    await server.start_server(**SERVER_OPTIONS)
    client = await aiohttp_client(server)
    with capture_logs() as logs:
        response = await client.post("/", data=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert response.status == 404
    assert logs == []


@pytest.mark.parametrize("path", ["/sites", "/sites/nowhere", "/nowhere", "/nodes/search?q=x", "/healthz"])
async def test_what_nobody_can_expect_is_a_problem_with_an_id_for_any_page(
    aiohttp_client: AiohttpClient, path: str
) -> None:
    app = create_app(Settings(), transport=EmbeddedTransport(), contexts=())
    app[keys.INVENTORY].replace(inventory(site("uc")))
    client = await aiohttp_client(app)
    usual = await client.get(path, headers={"Origin": "https://portal.example", "Expect": "100-Continue"})
    response = await client.get(path, headers={"Origin": "https://portal.example", "Expect": "foo"})
    assert usual.status in {200, 404}
    assert response.status == 417
    assert (await response.json(content_type="application/problem+json"))["detail"] == (
        "nothing but 100-continue can be expected; 'foo' cannot"
    )
    for name in ("X-Request-ID", "Access-Control-Allow-Origin", "X-Content-Type-Options"):
        assert name in response.headers
        assert name in usual.headers
    assert 'requests_total{method="GET",route="none",status="417"} 1.0' in await (await client.get("/metrics")).text()

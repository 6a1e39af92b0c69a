"""Every error has one shape."""

from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from api_service.http.problems import MAX_LINE_BYTES, MAX_TARGET_LENGTH, problem_details
from tests.component.serving import AiohttpClient


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


async def test_a_target_that_is_too_long_is_a_problem_of_ours(aiohttp_client: AiohttpClient) -> None:
    app = web.Application(middlewares=[problem_details])
    server = TestServer(app)
    await server.start_server(max_line_size=MAX_LINE_BYTES)
    client = await aiohttp_client(server)
    response = await client.get("/" + "x" * MAX_TARGET_LENGTH)
    assert response.status == 414
    assert str(MAX_TARGET_LENGTH) in (await response.json(content_type="application/problem+json"))["detail"]

"""Every answer has an id, by which everything that was logged for it is found."""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from api_service.http.middlewares import Reception, mark
from api_service.http.problems import problem_details
from tests.component.serving import AiohttpClient, Service, serving

HEADER = "X-Request-ID"
OURS = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    return await serving(aiohttp_client)


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs(processors=[merge_contextvars]) as captured:
        yield captured


@pytest.mark.parametrize("sent", ["abc-1", "0", "7f3c.A_b-9", "x" * 128])
async def test_a_request_keeps_the_id_that_a_proxy_gave_it(service: Service, sent: str) -> None:
    assert (await service.get("/sites", headers={HEADER: sent})).headers[HEADER] == sent


@pytest.mark.parametrize("sent", ["", "no spaces please", "x" * 129, 'a"b', "a\tb", "a=b", "{}", "é", "\uff11"])
async def test_an_id_that_is_long_or_could_pass_for_something_else_in_a_log_is_replaced(
    service: Service, logs: list[MutableMapping[str, Any]], sent: str
) -> None:
    answered = (await service.get("/sites", headers={HEADER: sent})).headers[HEADER]
    assert OURS.fullmatch(answered)
    assert [line["request_id"] for line in logs] == [answered]


async def test_each_request_without_an_id_gets_one_of_its_own(service: Service) -> None:
    answered = [(await service.get("/sites")).headers[HEADER] for _ in range(3)]
    assert all(OURS.fullmatch(each) for each in answered)
    assert len(set(answered)) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/sites", 405),
        ("OPTIONS", "/sites", 204),
        ("GET", "/sites?limit=many", 400),
        ("GET", "/" + "x" * 8000, 414),
    ],
)
async def test_an_answer_that_is_none_of_a_handler_has_one_too(
    service: Service, logs: list[MutableMapping[str, Any]], method: str, path: str, status: int
) -> None:
    response = await service.client.request(method, path, headers={HEADER: "abc-1"})
    assert (response.status, response.headers[HEADER]) == (status, "abc-1")
    assert [(line["event"], line["request_id"]) for line in logs] == [("request", "abc-1")]


async def test_the_traceback_of_a_surprise_is_logged_with_the_id_that_its_client_was_told(
    aiohttp_client: AiohttpClient, logs: list[MutableMapping[str, Any]]
) -> None:
    async def surprise(_request: web.Request) -> web.Response:
        raise RuntimeError

    app = web.Application(middlewares=[Reception(CollectorRegistry(), ()).receive, problem_details])
    app.on_response_prepare.append(mark)
    app.router.add_get("/", surprise)
    response = await (await aiohttp_client(app)).get("/")
    assert response.status == 500
    told = [(line["event"], line["request_id"]) for line in logs]
    assert told == [("request failed", response.headers[HEADER]), ("request", response.headers[HEADER])]

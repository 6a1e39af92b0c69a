"""What no well-behaved client sends, and what a very patient one does."""

import asyncio
from typing import Any

import pytest
from yarl import URL

from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import cluster, inventory, node_document, site

NODES = "/sites/uc/clusters/main/nodes"


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    made.serve(inventory(site("uc", cluster("uc", "main", [node_document(f"n{number}") for number in range(7)]))))
    return made


async def spoken(service: Service, said: str, *, answers: int = 1) -> list[str]:
    """The answers to what is said on a connection of its own, byte for byte."""
    reader, writer = await asyncio.open_connection(service.client.host, service.client.port)
    try:
        writer.write(said.encode("latin-1"))
        return [await answer(reader) for _ in range(answers)]
    finally:
        writer.close()
        await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    (length,) = [int(line[15:]) for line in head.splitlines() if line.startswith("Content-Length:")]
    return head + (await reader.readexactly(length)).decode()


async def walked(service: Service, path: str, rel: str) -> list[dict[str, Any]]:
    """The page at `path` and all that `rel` leads to from there."""
    pages = [await service.json(path)]
    while href := {link["rel"]: link["href"] for link in pages[-1]["links"]}.get(rel):
        pages.append(await service.json(href))
    return pages


@pytest.mark.parametrize(
    "path",
    [
        "//",
        "//sites",
        "/sites//",
        "/sites//uc",
        "/sites/./uc",
        "/sites/uc/../uc",
        "/sites/%2e%2e/sites",
        "/sites/uc%2Fclusters",
        "/sites/uc%00",
        "/sites/%zz",
        "/sites/%ff",
        "/sites/%ed%a0%80",
        "/sites/UC",
        "/sites/uc.json.json",
        "/sites/" + "x" * 300,
        f"{NODES}/{'%41' * 1000}",
        "/docs/assets/%2e%2e/index.html",
        "/docs/assets/..%2F..%2Fopenapi.py",
    ],
)
async def test_an_odd_path_is_a_404_with_a_short_sentence_and_leads_nowhere_else(service: Service, path: str) -> None:
    (said,) = await spoken(service, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert said.startswith("HTTP/1.1 404 ")
    assert "application/problem+json" in said
    assert 0 < len(said.partition('"detail":"')[2]) < 400


async def test_a_target_that_names_a_host_is_answered_as_the_path_in_it(service: Service) -> None:
    (said,) = await spoken(service, "GET http://elsewhere.example/sites/uc?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert said.startswith("HTTP/1.1 200 ")
    assert "elsewhere" not in said


async def test_an_old_client_without_a_host_is_answered(service: Service) -> None:
    (said,) = await spoken(service, "GET /sites/uc HTTP/1.0\r\n\r\n")
    assert said.startswith("HTTP/1.0 200 ")


async def test_requests_sent_in_one_go_are_answered_in_their_order(service: Service) -> None:
    said = await spoken(
        service, "".join(f"GET {NODES}/n{number} HTTP/1.1\r\nHost: x\r\n\r\n" for number in range(5)), answers=5
    )
    assert [f'"uid":"n{number}"' in each for number, each in enumerate(said)] == [True] * 5


async def test_a_body_where_none_belongs_changes_nothing(service: Service) -> None:
    chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with_body, after = await spoken(
        service, f"GET /sites/uc HTTP/1.1\r\n{chunked}GET /sites/uc HTTP/1.1\r\nHost: x\r\n\r\n", answers=2
    )
    assert with_body.partition("\r\n\r\n")[2] == after.partition("\r\n\r\n")[2]
    assert '"uid":"uc"' in after


async def test_following_next_meets_every_item_once_and_following_prev_leads_back_to_the_first(
    service: Service,
) -> None:
    pages = await walked(service, f"{NODES}?limit=2&x=a%26b%3D%2B%C3%A9&x=c&pretty", "next")
    assert [item["uid"] for page in pages for item in page["items"]] == [f"n{number}" for number in range(7)]
    assert [page["total"] for page in pages] == [7] * 4
    last = {link["rel"]: link["href"] for link in pages[-1]["links"]}
    asked = URL(last["self"], encoded=True).query
    assert sorted(asked.items()) == [("limit", "2"), ("offset", "6"), ("pretty", ""), ("x", "a&b=+é"), ("x", "c")]
    assert (await walked(service, last["prev"], "prev"))[-1]["offset"] == 0


async def test_a_collection_beyond_5000_items_is_cut_there_and_leads_to_the_rest(service: Service) -> None:
    nodes = [node_document(f"n{number:04}") for number in range(5003)]
    service.serve(inventory(site("uc", cluster("uc", "main", nodes))))
    for path in (NODES, "/nodes/search"):
        pages = await walked(service, path, "next")
        assert [len(page["items"]) for page in pages] == [5000, 3]
        assert [page["total"] for page in pages] == [5003, 5003]


async def test_numbers_have_no_labels_that_a_client_can_make_up(service: Service) -> None:
    for number in range(3):
        await service.get(f"/made/up/{number}")
        await service.get(f"{NODES}/made-up-{number}?made={number}")
        await service.client.request("MKCOL" if number else "TRACE", f"/sites/made-up-{number}")
    numbers = await (await service.get("/metrics")).text()
    assert "made" not in numbers
    assert 'reference_api_requests_total{method="other",route="none",status="405"} 3.0' in numbers
    assert 'reference_api_requests_total{method="GET",route="none",status="404"} 3.0' in numbers


@pytest.mark.parametrize("path", ["/sites/nowhere", "/nowhere", "/nodes/search?nope=1", "/sites?limit=0"])
async def test_a_page_of_another_origin_may_read_errors_too(service: Service, path: str) -> None:
    response = await service.get(path, headers={"Origin": "https://portal.example"})
    assert response.status in {400, 404}
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("window", "status"),
    [
        ("start=0001-01-01&end=9999-12-31T23:59:59Z", 200),
        ("start=2030-01-01&end=9999-12-31T23:59:59-00:01", 400),
        ("start=0001-01-01T00:00:00%2B00:01&end=2030-01-01", 400),
        ("start=0000-01-01&end=2030-01-01", 400),
    ],
)
async def test_the_ends_of_the_calendar_are_bounds_not_surprises(service: Service, window: str, status: int) -> None:
    await service.json(f"/nodes/search?{window}", status=status)

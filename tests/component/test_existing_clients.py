"""Programs written for the API that this one replaces keep working: each test does what one of them does."""

from pathlib import Path
from typing import Any

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import example
from tests.inventories import HOUR, booked, polled


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    made.serve(example())
    made.learn(polled("uc", booked(node_id="n1"), booked((-1, 1), node_id="n2")))
    return made


def link(resource: dict[str, Any], rel: str) -> str:
    return next(str(each["href"]) for each in resource["links"] if each["rel"] == rel)


async def test_a_browser_page_walks_from_the_sites_to_every_node_by_links_with_a_suffix(service: Service) -> None:
    async def fetch(href: str) -> Any:
        # It joins a base URL that ends in a slash with the href less its own.
        return await service.json("/" + href.removeprefix("/") + ".json")

    sites = (await fetch(link(await service.json("/"), "sites")))["items"]
    names = []
    for site in sorted(sites, key=lambda each: str(each["site_class"])):
        for cluster in (await fetch(link(site, "clusters")))["items"]:
            names += [node["node_name"] for node in (await fetch(link(cluster, "nodes")))["items"]]
    assert names == ["n-n1", "n-n2"]


async def test_a_notebook_library_reads_all_nodes_at_once_and_never_pages(service: Service) -> None:
    nodes = (await service.json("/sites/uc/clusters/main/nodes"))["items"]
    assert [node["uid"] for node in nodes] == ["n1", "n2"]


async def test_a_notebook_library_asks_for_the_bookings_of_a_node(service: Service) -> None:
    body = await service.json("/sites/uc/clusters/main/nodes/n2/availability")
    assert [sorted(each) for each in body["reservations"]] == [["end", "start"]]
    assert body["availability"] == "reserved"


async def test_a_host_enrolment_copies_every_key_but_links_and_version(service: Service) -> None:
    node = await service.json("/sites/uc/clusters/main/nodes/n2.json")
    copied = {key for key in node if not key.startswith(("links", "version"))}
    assert copied == {"uid", "type", "node_type", "node_name", "architecture", "gpu", "main_memory", "serial"}


async def test_a_portal_retries_an_answer_that_is_not_there_on_another_branch(service: Service) -> None:
    assert (await service.get("/sites/uc/clusters/main/nodes/none.json")).status == 404
    body = await service.json("/sites/uc/clusters/main/nodes/none.json?branch=testing", status=404)
    assert body["detail"] == "branch: there is no branch 'testing'"


async def test_a_dashboard_reads_the_detail_of_an_error(service: Service) -> None:
    body = await service.json("/sites/nowhere", status=404)
    assert body["detail"] == "there is no site 'nowhere'"


async def test_a_command_line_client_lists_versions_by_either_name(service: Service) -> None:
    body = await service.json("/versions?pretty")
    assert [each["uid"] for each in body["versions"]] == [each["uid"] for each in body["items"]]


DIFFERENCES = (Path(__file__).parents[2] / "docs" / "migration.md").read_text().partition("## For REST clients")[2]
N1 = "/sites/uc/clusters/main/nodes/n1"
M1 = "/sites/uc/flavors/m1.tiny/availability"


@pytest.mark.parametrize(
    ("told", "method", "path", "status"),
    [
        ("a value that is wrong, such as `?limit=0`", "GET", "/sites?limit=0", 400),
        ("`/sites/nowhere/clusters`, and every other collection", "GET", "/sites/nowhere/clusters", 404),
        ("`/sites/nowhere/clusters`, and every other collection", "GET", "/sites/nowhere/flavors", 404),
        ("`/sites/nowhere/clusters`, and every other collection", "GET", "/sites/uc/clusters/nowhere/nodes", 404),
        ("or list of versions below what there is not", "GET", "/sites/nowhere/versions", 404),
        ("of a sha that did not touch the resource", "GET", f"{N1}/versions/{'0' * 40}", 404),
        ("a window that is empty or reversed", "GET", "/nodes/search?start=2030-01-02&end=2030-01-02", 400),
        ("a window that is empty or reversed", "GET", "/nodes/search?start=2030-01-02&end=2030-01-01", 400),
        ("likewise `start_date` and `end_date`", "GET", f"{M1}?start_date=2030-01-02&end_date=2030-01-01", 400),
        ("a window that is over", "GET", "/nodes/search?start=2020-01-01&end=2020-01-02", 400),
        ("a time without an offset", "GET", "/nodes/search?start=2030-01-01T08:00:00&end=2030-01-01T09:00:00", 200),
        ("such as `?start=1795334400`", "GET", "/nodes/search?start=1795334400&end=2030-01-01", 400),
        ("an unknown parameter of a search, `?pretty` among them", "GET", "/nodes/search?pretty", 400),
        ("Resources ignore unknown parameters as before", "GET", "/sites?pretty", 200),
        ("an unknown one is a 404", "GET", "/sites?branch=nowhere", 404),
        ("`limit` from 501 to 5000", "GET", "/sites?limit=5000", 200),
        ("`HEAD`, `OPTIONS`", "HEAD", "/sites", 200),
        ("`HEAD`, `OPTIONS`", "OPTIONS", "/sites", 204),
        ("`/redoc`", "GET", "/redoc", 404),
        ("`/docs` is there", "GET", "/docs", 200),
    ],
)
async def test_what_is_refused_or_was_not_is_as_the_document_says(
    service: Service, told: str, method: str, path: str, status: int
) -> None:
    assert told in DIFFERENCES
    assert (await service.client.request(method, path)).status == status


async def test_what_answers_say_is_as_the_document_says(service: Service) -> None:
    now = service.clock.now
    service.learn(polled("uc", booked((-3, -2), (-1, 1), (1, 2), node_id="n2"), booked(node_id="n1"), generation=2))
    availability = await service.json("/sites/uc/clusters/main/nodes/n2/availability")
    assert "overlapping and touching ones as one" in DIFFERENCES
    assert len(availability["reservations"]) == 1
    assert availability["availability_until"] == (now + 2 * HOUR).isoformat().replace("+00:00", "Z")
    assert "`su_cost_per_hour`, `gpu`, `name`, `description`, `created_at`, `node_name`" in DIFFERENCES
    for path in (M1.removesuffix("/availability"), "/sites/uc", "/sites/uc/clusters/main"):
        assert None not in (await service.json(path)).values()
    assert "`synced_node_count` | hosts with bookings | hosts that Blazar lists" in DIFFERENCES
    assert (await service.json("/sites/uc/availability"))["synced_node_count"] == 2
    assert "a filter given twice | one odd name; the last | any of the values" in DIFFERENCES
    assert (await service.json("/nodes/search?site_id=tacc&site_id=uc"))["total"] == 2
    assert "`/versions` | `versions` only | the envelope of every collection, and `versions` too" in DIFFERENCES
    assert (await service.json("/versions")).keys() == {"total", "offset", "items", "version", "links", "versions"}


async def test_without_an_inventory_answers_are_as_the_document_says(aiohttp_client: AiohttpClient) -> None:
    assert "| no inventory | 500 at `/`, empty lists elsewhere | 503 with `Retry-After` |" in DIFFERENCES
    response = await (await serving(aiohttp_client)).get("/sites")
    assert (response.status, "Retry-After" in response.headers) == (503, True)

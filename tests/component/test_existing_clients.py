"""Programs written for the API that this one replaces keep working: each test does what one of them does."""

from typing import Any

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import example
from tests.inventories import booked, polled


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

"""What every client of the inventory relies on."""

from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from api_service import keys
from api_service.domain.history import History
from api_service.domain.inventory import Inventory
from api_service.settings import Settings
from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import cluster, inventory, linear_history, node_document, sha, site

COLLECTIONS = (
    "/sites",
    "/sites/uc/clusters",
    "/sites/uc/clusters/main/nodes",
    "/sites/uc/flavors",
)
ITEMS = (
    "/",
    "/sites/uc",
    "/sites/uc/clusters/main",
    "/sites/uc/clusters/main/nodes/n1",
    "/sites/uc/flavors/m1.tiny",
)


def example(history: History | None = None) -> Inventory:
    history = history or linear_history(
        ["root.json", "sites/uc/uc.json"],
        ["sites/uc/clusters/main/main.json", "sites/uc/clusters/main/nodes/n1.json"],
        ["sites/uc/flavors/m1.tiny.json", "sites/tacc/tacc.json", "sites/uc/clusters/main/nodes/n2.json"],
        [],
    )
    nodes = [node_document("n2"), node_document("n1", gpu=[{"gpu": True}], main_memory=None, rack=7, infiniband="yes")]
    return inventory(
        site("uc", cluster("uc", "main", nodes), flavors=[{"uid": "m1.tiny", "type": "vm_flavor", "vcpus": 1}]),
        site("tacc"),
        version=history.head,
        history=history,
    )


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    made.serve(example())
    return made


def rels(body: dict[str, Any]) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in body["links"]}


async def test_the_root_tells_the_commit_and_its_time_and_links_to_all_there_is(service: Service) -> None:
    body = await service.json("/")
    assert body["uid"] == "testbed"
    assert body["version"] == sha("3")
    assert body["timestamp"] == str(int((example().committed_at or service.clock.now).timestamp()))
    assert rels(body) == {
        "self": "/",
        "parent": "/",
        "sites": "/sites",
        "versions": "/versions",
        "version": f"/versions/{sha('3')}",
        "search": "/nodes/search",
        "docs": "/docs",
        "ui": "/ui",
        "openapi": "/openapi.json",
        "asyncapi": "/asyncapi.json",
        "status": "/status",
        "nodes-availability": "/nodes/availability",
        "calendar": "/nodes/availability.ics",
        "earliest": "/availability/earliest",
        "capacity": "/availability/capacity",
        "events": "/events",
    }


@pytest.mark.parametrize("path", COLLECTIONS)
async def test_a_collection_has_the_envelope_that_clients_read(service: Service, path: str) -> None:
    body = await service.json(path)
    assert set(body) == {"total", "offset", "items", "version", "links"}
    assert (body["total"], body["offset"]) == (len(body["items"]), 0)
    assert body["version"] == sha("3")
    assert rels(body)["self"] == path
    assert [item["uid"] for item in body["items"]] == sorted(item["uid"] for item in body["items"])


async def test_items_of_a_collection_are_what_each_item_answers_alone(service: Service) -> None:
    for path in COLLECTIONS:
        for item in (await service.json(path))["items"]:
            assert await service.json(rels(item)["self"]) == item


async def test_a_nodes_own_fields_go_out_untouched_and_only_version_and_links_are_added(service: Service) -> None:
    body = await service.json("/sites/uc/clusters/main/nodes/n1")
    given = node_document("n1", gpu=[{"gpu": True}], main_memory=None, rack=7, infiniband="yes")
    assert {key: value for key, value in body.items() if key not in {"version", "links"}} == given


async def test_a_nodes_own_version_links_and_availability_give_way_to_ours(service: Service) -> None:
    nodes = [node_document("n1", version="mine", links="mine", site_id="mine", availability="available")]
    service.serve(inventory(site("uc", cluster("uc", "main", nodes))))
    body = await service.json("/sites/uc/clusters/main/nodes/n1")
    assert body["version"] is None
    assert isinstance(body["links"], list)
    assert not {"site_id", "availability"} & body.keys(), "a file must not pass a node off as free"


async def test_a_cluster_has_the_default_queues_unless_its_file_says_otherwise(service: Service) -> None:
    assert (await service.json("/sites/uc/clusters/main"))["queues"] == ["admin", "default"]
    service.serve(inventory(site("uc", cluster("uc", "main", [], queues=["mine"]))))
    assert (await service.json("/sites/uc/clusters/main"))["queues"] == ["mine"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/sites/uc",
            {
                *("self", "parent", "clusters", "flavors", "versions", "version"),
                *("availability", "status", "nodes-availability", "calendar", "earliest", "capacity", "events"),
            },
        ),
        ("/sites/uc/clusters/main", {"self", "parent", "nodes", "versions", "version", "status"}),
        ("/sites/uc/clusters/main/nodes/n1", {"self", "parent", "versions", "version", "availability"}),
        ("/sites/uc/flavors/m1.tiny", {"self", "parent", "versions", "version", "availability"}),
    ],
)
async def test_an_item_links_to_what_belongs_to_it(service: Service, path: str, expected: set[str]) -> None:
    assert set(rels(await service.json(path))) == expected


@pytest.mark.parametrize(
    "path", [*COLLECTIONS, *ITEMS, "/versions", "/sites/uc/versions", "/nodes/search", "/nodes/availability", "/status"]
)
async def test_every_json_resource_answers_the_same_with_a_suffix_and_with_a_slash(service: Service, path: str) -> None:
    plain = await (await service.get(path)).json()
    forms = [f"{path}.json", f"{path}.json/", *([f"{path}/"] if path != "/" else [])]
    for form in forms:
        assert await service.json(form) == plain, form


async def test_a_flavor_whose_name_has_a_dot_is_found_with_and_without_the_suffix(service: Service) -> None:
    for form in ("", ".json", "/"):
        assert (await service.json(f"/sites/uc/flavors/m1.tiny{form}"))["uid"] == "m1.tiny"


async def test_a_version_is_found_with_the_suffix(service: Service) -> None:
    assert (await service.json(f"/sites/uc/versions/{sha('3')}.json"))["uid"] == sha("2")


@pytest.mark.parametrize(
    "path",
    [
        "/sites/nowhere",
        "/sites/nowhere/clusters",
        "/sites/nowhere/flavors",
        "/sites/nowhere/versions",
        "/sites/nowhere/availability",
        "/sites/nowhere/status",
        "/sites/uc/clusters/none/status",
        "/sites/uc/clusters/none",
        "/sites/uc/clusters/none/nodes",
        "/sites/uc/clusters/none/nodes/versions",
        "/sites/uc/clusters/none/versions",
        "/sites/uc/clusters/main/nodes/none",
        "/sites/uc/clusters/main/nodes/none/versions",
        "/sites/uc/clusters/main/nodes/none/availability",
        "/sites/uc/flavors/none",
        "/sites/uc/flavors/none/availability",
        "/sites/uc/flavors/none/versions",
        "/elsewhere",
        "/sites/uc/clusters/main/nodes/%00",
        "/sites/uc/clusters/main/nodes/..%2f..%2fetc%2fpasswd",
        "/sites/uc/clusters/main/nodes/" + "x" * 300,
        "/sites/%2e%2e",
        "/sites/uc%2fclusters",
    ],
)
async def test_what_is_not_there_is_a_404_problem_with_a_sentence(service: Service, path: str) -> None:
    response = await service.client.get(URL(path, encoded=True))
    body = await response.json(content_type="application/problem+json")
    assert response.status == body["status"] == 404
    assert body["title"] == "Not Found"
    assert body["detail"]


async def test_head_answers_as_get_without_a_body(service: Service) -> None:
    response = await service.client.head("/sites/uc")
    assert response.status == 200
    assert int(response.headers["Content-Length"]) == len(await (await service.get("/sites/uc")).read())
    assert await response.read() == b""


async def test_options_answers_on_every_path_with_the_methods_that_work(service: Service) -> None:
    for path in (*COLLECTIONS, *ITEMS, "/docs", "/metrics", "/sites.json"):
        response = await service.client.options(path)
        assert response.status == 204
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert (await service.client.options("/elsewhere")).status == 404


async def test_a_method_that_does_not_work_is_a_405_naming_those_that_do(service: Service) -> None:
    response = await service.client.post("/sites")
    body = await response.json(content_type="application/problem+json")
    assert (response.status, body["status"]) == (405, 405)
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_pages_of_a_collection_are_linked_to_each_other(service: Service) -> None:
    first = await service.json("/sites/uc/clusters/main/nodes?limit=1")
    assert ([item["uid"] for item in first["items"]], first["total"]) == (["n1"], 2)
    assert "prev" not in rels(first)
    second = await service.json(rels(first)["next"])
    assert ([item["uid"] for item in second["items"]], second["total"], second["offset"]) == (["n2"], 2, 1)
    assert "next" not in rels(second)
    assert (await service.json(rels(second)["prev"]))["items"] == first["items"]


async def test_a_page_beyond_the_end_is_empty_and_leads_back(service: Service) -> None:
    beyond = await service.json("/sites?offset=100&limit=1")
    assert (beyond["items"], beyond["total"]) == ([], 2)
    assert [item["uid"] for item in (await service.json(rels(beyond)["prev"]))["items"]] == ["uc"]


@pytest.mark.parametrize(
    "query",
    ["offset=-1", "offset=x", "offset=1.5", f"offset={10**30}", "limit=0", "limit=5001", "limit=", "offset=1&offset=2"],
)
async def test_a_bad_page_is_a_400_naming_the_parameter(service: Service, query: str) -> None:
    response = await service.get(f"/sites?{query}")
    body = await response.json(content_type="application/problem+json")
    assert response.status == 400
    assert [each["name"] for each in body["errors"]] == [query.partition("=")[0]]
    assert query.partition("=")[0] in body["detail"]


async def test_unknown_parameters_of_a_resource_are_ignored(service: Service) -> None:
    assert (await service.json("/sites/uc?pretty&brunch=testing"))["uid"] == "uc"
    assert (await service.json("/sites?pretty"))["total"] == 2


async def test_hrefs_begin_with_the_path_that_the_service_is_mounted_under(aiohttp_client: AiohttpClient) -> None:
    settings = Settings.model_validate({"server": {"root_path": "/reference"}})
    service = await serving(aiohttp_client, settings=settings)
    service.serve(example())
    assert rels(await service.json("/"))["sites"] == "/reference/sites"
    assert rels(await service.json("/sites?limit=1"))["next"].startswith("/reference/sites?")
    assert (await service.json("/openapi.json"))["servers"] == [{"url": "/reference"}]
    assert '"/reference/docs/assets/swagger-ui.css"' in await (await service.get("/docs")).text()


async def test_without_git_everything_is_served_with_no_version(service: Service) -> None:
    service.serve(inventory(site("uc", cluster("uc", "main", [node_document("n1")]))))
    root = await service.json("/")
    assert (root["version"], root["timestamp"]) == (None, None)
    assert "version" not in rels(root)
    for path in ("/versions", "/sites/uc/versions", "/sites/uc/clusters/main/nodes/n1/versions"):
        assert (await service.json(path))["items"] == []
    await service.json(f"/versions/{sha('0')}", status=404)


NEEDING_AN_INVENTORY = [
    "/",
    *COLLECTIONS,
    *ITEMS,
    "/versions",
    "/sites/versions",
    "/sites/uc/versions",
    f"/versions/{'0' * 40}",
    f"/versions/{'0' * 40}/diff/{'1' * 40}",
    f"/sites?version={'0' * 40}",
    "/sites?date=2026-01-01",
    "/sites?branch=main",
    "/sites/uc/availability",
    "/sites/uc/status",
    "/sites/uc/clusters/main/status",
    "/sites/uc/clusters/main/nodes/n1/availability",
    "/sites/uc/clusters/main/nodes/n1/availability.ics",
    "/sites/uc/flavors/m1.tiny/availability",
    "/nodes/search",
    f"/nodes/search?version={'0' * 40}",
    "/nodes/availability",
    "/nodes/availability.ics",
    "/availability/earliest",
    "/availability/capacity",
    "/events",
]


def folder_is_missing(service: Service) -> str:
    service.app[keys.INVENTORY].refuse("the inventory's folder does not exist", None)
    return "the inventory's folder does not exist"


def nothing_is_usable(service: Service) -> str:
    service.app[keys.INVENTORY].replace(Inventory())
    return "the inventory has no site that can be served"


def nothing_is_loaded_yet(service: Service) -> str:
    return "no inventory is loaded yet"


@pytest.mark.parametrize("how", [nothing_is_loaded_yet, folder_is_missing, nothing_is_usable])
async def test_without_an_inventory_nothing_looks_like_an_empty_testbed(
    aiohttp_client: AiohttpClient, how: Callable[[Service], str]
) -> None:
    service = await serving(aiohttp_client)
    reason = how(service)
    for path in NEEDING_AN_INVENTORY:
        response = await service.get(path)
        assert (response.status, response.headers.get("Retry-After")) == (503, "10"), path
        assert (await response.json(content_type="application/problem+json"))["detail"] == reason
        assert response.headers["Cache-Control"] == "no-store"
    assert reason in (await service.json("/readyz", status=503))["reasons"]


@pytest.mark.parametrize("path", ["/healthz", "/status", "/metrics", "/docs", "/openapi.json", "/asyncapi.json", "/ui"])
async def test_what_needs_no_inventory_is_answered_without_one(aiohttp_client: AiohttpClient, path: str) -> None:
    assert (await (await serving(aiohttp_client)).get(path)).status == 200


async def test_whatever_can_be_served_is_as_soon_as_there_is_an_inventory(aiohttp_client: AiohttpClient) -> None:
    service = await serving(aiohttp_client)
    await service.json("/sites", status=503)
    service.serve(example())
    await service.json("/sites")


async def test_a_new_snapshot_is_served_whole_at_once(service: Service) -> None:
    before = await service.json("/sites/uc")
    service.serve(example(linear_history(["root.json"])))
    after = await service.json("/sites/uc")
    assert before["version"] != after["version"] == sha("0")


async def test_any_page_may_read_this_and_a_preflight_is_answered(service: Service) -> None:
    response = await service.get("/sites", headers={"Origin": "https://example.org"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    preflight = await service.client.options("/sites", headers=asked)
    assert preflight.status == 204
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
    missing = await service.get("/sites/nowhere", headers={"Origin": "https://example.org"})
    assert missing.headers["Access-Control-Allow-Origin"] == "*"


async def test_only_configured_origins_may_read(aiohttp_client: AiohttpClient) -> None:
    settings = Settings.model_validate({"server": {"cors_origins": ["https://portal.example.org"]}})
    service = await serving(aiohttp_client, settings=settings)
    service.serve(example())
    mine = await service.get("/sites", headers={"Origin": "https://portal.example.org"})
    assert mine.headers["Access-Control-Allow-Origin"] == "https://portal.example.org"
    assert mine.headers["Vary"] == "Accept-Encoding, Origin"
    other = await service.get("/sites", headers={"Origin": "https://evil.example.org"})
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_ids_in_links_are_quoted_and_lead_back_to_their_resource(service: Service) -> None:
    odd = "a b?c#d%25é{x}"
    service.serve(inventory(site(odd, cluster(odd, odd, [node_document(odd)]))))
    href = "/sites"
    for rel in ("clusters", "nodes", "self"):
        item = (await (await service.client.get(URL(href, encoded=True))).json())["items"][0]
        assert item["uid"] == odd
        href = rels(item)[rel]
    assert (await (await service.client.get(URL(href, encoded=True))).json())["uid"] == odd

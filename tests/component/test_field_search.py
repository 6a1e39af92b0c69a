"""Searches over any field, as clients ask them."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.inventories import booked, cluster, inventory, node_document, polled, site


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    disks = [{"size": 480, "type": "SSD"}, {"size": 2000, "type": "HDD"}]
    uc = cluster(
        "uc",
        "main",
        [
            node_document("a", gpu={"gpu": True, "gpu_count": 4}, processor={"model": "AMD EPYC"}, disks=disks),
            node_document("b", processor={"model": "Intel Xeon"}, disks=disks[:1], admin_note="Has SGX."),
        ],
    )
    tacc = cluster("tacc", "other", [node_document("c", placement={"rack": 3}), node_document("d", disks=[])])
    made.serve(inventory(site("uc", uc), site("tacc", tacc), version="0" * 40))
    made.learn(polled("uc", booked((-1, 1), node_id="a"), booked(node_id="b")))
    return made


async def found(service: Service, query: str, path: str = "/nodes/search") -> str:
    items = (await service.json(f"{path}?{query}"))["items"]
    return "".join(item.get("uid") or item["node_id"] for item in items)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("processor.model__ic=epyc", "a"),
        ("gpu.gpu_count__gte=4", "a"),
        ("disks.type=SSD", "ab"),
        ("disks.type=HDD&disks.type=SSD", "ab"),
        ("disks.type__n=HDD", "bcd"),
        ("disks.count__gte=2", "a"),
        ("disks__empty=true", "cd"),
        ("placement.rack=3", "c"),
        ("placement.rack__n=3", "abd"),
        ("infiniband__n=true", None),
        ("gpu__n=true", "bcd"),
        ("arch__isw=X86", "abcd"),
        ("site_id__n=uc", "cd"),
        ("cluster_id__isw=ma", "ab"),
        ("q=sgx", "b"),
        ("q=TACC", "cd"),
        ("q=xeon%20has", "b"),
        ("q=", "abcd"),
        ("sort=-uid", "dcba"),
        ("sort=-disks.size,-uid", "abdc"),
        ("sort=availability&limit=2", "ba"),
        ("processor.model__ic=e&availability=available", "b"),
        ("disks.type=SSD&start=2026-11-22T08:30:00Z&end=2026-11-22T10:00:00Z", "b"),
        ("disks.type=SSD&sort=-uid&offset=1&limit=1", "a"),
    ],
)
async def test_any_field_can_be_searched(service: Service, query: str, expected: str | None) -> None:
    if expected is None:
        await service.json(f"/nodes/search?{query}", status=400)
    else:
        assert await found(service, query) == expected


async def test_plans_are_for_the_nodes_that_such_filters_select(service: Service) -> None:
    assert await found(service, "processor.model__ic=epyc", "/nodes/availability") == "a"
    slot = await service.json("/availability/earliest?q=sgx&duration=1")
    assert [node["node_id"] for node in slot["nodes"]] == ["b"]
    capacity = await service.json("/availability/capacity?disks.type=SSD&group_by=processor.model")
    assert [group["group"]["processor.model"] for group in capacity["groups"]] == ["AMD EPYC", "Intel Xeon"]


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("site=uc", "site", "no such parameter, and no node has such a field; did you mean site_id?"),
        ("procesor.model=x", "procesor.model", "did you mean processor.model?"),
        ("procesor.model__ic=x", "procesor.model__ic", "did you mean processor.model__ic?"),
        ("processor.model__contains=x", "processor.model__contains", "no suffix __contains; there are __n, __ic"),
        ("zzz.zzz__gt=1", "zzz.zzz__gt", "none is like it"),
        ("version__n=1", "version__n", "no field version"),
        ("links=1", "links", "no such parameter"),
        ("gpu.gpu_count=four", "gpu.gpu_count", 'holds numbers such as 4, with which "four" cannot be compared'),
        ("node_type__gte=3", "node_type__gte", 'text such as "compute_skylake", with which the number 3'),
        ("processor=x", "processor", "fields of its own"),
        ("gpu.gpu_count__gt=1&gpu.gpu_count__gt=2", "gpu.gpu_count__gt", "once"),
        ("processor.model__ic=", "processor.model__ic", "needs a value"),
        ("disks__empty=perhaps", "disks__empty", "true or false"),
        ("node_type=x&uid=" + "y" * 301, "uid", "300 characters"),
        ("&".join(["uid=x"] * 201), "uid", "200 times"),
        ("&".join(f"f{number}=x" for number in range(51)), "f0", "50 fields"),
        ("q=" + "x" * 201, "q", "200 characters"),
        ("q=a&q=b", "q", "once"),
        ("sort=nope", "sort", "no node has a field nope"),
        ("sort=-node_typ", "sort", "did you mean node_type?"),
        ("sort=processor", "sort", "fields of its own"),
        ("fields=uid,nope.x", "fields", "no field nope.x"),
        ("facets=nope", "facets", "no field nope"),
        ("facets=processor", "facets", "fields of its own"),
        ("facets=" + ",".join("x" * 21), "facets", "20 values at most"),
    ],
)
async def test_what_cannot_be_answered_is_a_400_that_helps(service: Service, query: str, name: str, hint: str) -> None:
    body = await service.json(f"/nodes/search?{query}", status=400)
    assert body["errors"][0]["name"] == name
    assert hint.replace("no field", "no node has a field") in body["errors"][0]["detail"]


async def test_every_misspelt_field_is_named(service: Service) -> None:
    body = await service.json("/nodes/availability?nope=1&uid=a&no.way__gt=2", status=400)
    assert [each["name"] for each in body["errors"]] == ["no.way__gt", "nope"]


async def test_plans_refuse_what_a_search_alone_has(service: Service) -> None:
    for name in ("sort", "fields", "facets", "start", "version"):
        body = await service.json(f"/availability/earliest?{name}=uid", status=400)
        assert body["errors"][0]["name"] == name


async def test_a_selection_of_fields_keeps_where_a_node_is(service: Service) -> None:
    body = await service.json("/nodes/search?fields=disks.size,availability,links&limit=1")
    (item,) = body["items"]
    assert rels(item)["self"] == "/sites/uc/clusters/main/nodes/a"
    del item["links"]
    assert item == {
        "uid": "a", "site_id": "uc", "cluster_id": "main", "disks": [{"size": 480}, {"size": 2000}],
        "availability": "reserved",
    }  # fmt: skip
    selection = "fields=disks.size%2Cavailability%2Clinks"
    assert rels(body)["next"] == f"/nodes/search?{selection}&offset=1&limit=1&continues={body['version']}"


async def test_facets_count_all_matches_whatever_the_page(service: Service) -> None:
    body = await service.json("/nodes/search?limit=1&facets=disks.type,availability,site_id,gpu&site_id=uc,tacc")
    assert body["total"] == 4
    assert body["facets"] == {
        "disks.type": {"SSD": 2, "HDD": 1},
        "availability": {"unknown": 2, "available": 1, "reserved": 1},
        "site_id": {"tacc": 2, "uc": 2},
        "gpu": {"false": 3, "true": 1},
    }
    assert "facets" not in await service.json("/nodes/search")


async def test_the_links_to_plans_keep_conditions_and_leave_out_the_rest(service: Service) -> None:
    body = await service.json("/nodes/search?disks.type=SSD&q=x&sort=uid&fields=uid&facets=uid&limit=3")
    assert rels(body)["earliest"] == "/availability/earliest?disks.type=SSD&q=x"
    assert await service.json(rels(body)["nodes-availability"])


async def test_an_inventory_of_many_nodes_is_searched_beside_the_loop(aiohttp_client: AiohttpClient) -> None:
    service = await serving(aiohttp_client)
    nodes = [node_document(f"n{number:04}", rack=number % 7, note=f"x{number}") for number in range(2500)]
    service.serve(inventory(site("uc", cluster("uc", "main", nodes))))
    service.learn(polled("uc", *(booked(node_id=f"n{number:04}") for number in range(1000))))
    body = await service.json("/nodes/search?rack=3&sort=-uid&facets=availability,rack&fields=uid&limit=2")
    assert [item["uid"] for item in body["items"]] == ["n2495", "n2488"]
    assert body["facets"] == {"availability": {"unknown": 214, "available": 143}, "rack": {"3": 357}}
    assert (await service.json("/nodes/search?q=x1234"))["items"][0]["uid"] == "n1234"
    problem = await service.json("/nodes/search?racks=3", status=400)
    assert "did you mean rack?" in problem["detail"]
    problem = await service.json("/nodes/search?facets=note", status=400)
    assert "note has 2500 values" in problem["detail"]


@pytest.mark.parametrize("text", ["ünï", "🦆", 'a"b', "a,b", "a&b=c", "%00", "\\d+", "' OR 1=1"])
async def test_values_are_taken_as_they_are(service: Service, text: str) -> None:
    odd: dict[str, Any] = node_document("odd", note=text)
    service.serve(inventory(site("uc", cluster("uc", "main", [odd, node_document("x", note="y")]))))
    assert await found(service, f"note={quote(text)}") == "odd"
    assert await found(service, f"note__ic={quote(text)}") == "odd"

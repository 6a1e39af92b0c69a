"""Values of a query in the ways that clients' languages and libraries write them: each means what is plain."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.inventories import booked, cluster, inventory, node_document, polled, site

RAM = 137_438_953_472
WINDOW = "start=2026-11-23T08:00:00Z&end=2026-11-24T08:00:00Z"


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    nodes = [
        node_document("a", gpu={"gpu": True, "gpu_count": 4}, infiniband=True),
        node_document("b", main_memory={"ram_size": RAM + 1}),
        node_document("c", main_memory={"ram_size": RAM - 1}, node_type="fpga"),
    ]
    uc = cluster("uc", "main", nodes)
    made.serve(inventory(site("uc", uc), site("tacc", cluster("tacc", "other", [node_document("d")]))))
    made.learn(polled("uc", booked((-1, 1), node_id="a"), booked(node_id="b"), booked((30, 40), node_id="c")))
    return made


def without_links(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "links"}


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("gpu=true", ["gpu=1", "gpu=yes", "gpu=on", "gpu=Y", "gpu=t", "gpu=True", "gpu=TRUE", "gpu=%20true"]),
        ("gpu=false", ["gpu=0", "gpu=no", "gpu=off", "gpu=N", "gpu=f", "gpu=False"]),
        ("infiniband=true", ["infiniband=1", "infiniband=Yes"]),
        ("gpu.gpu=true", ["gpu.gpu=1", "gpu.gpu=on", "gpu.gpu__n=no"]),
        ("gpu.gpu_count__empty=false", ["gpu.gpu_count__empty=0", "gpu.gpu_count__empty=No"]),
        (
            f"min_ram={RAM}",
            [f"min_ram={RAM}.0", "min_ram=1.37438953472e11", "min_ram=1.37438953472E%2B11", f"min_ram=%2B{RAM}"],
        ),
        (f"min_ram={RAM + 1}", [f"min_ram={RAM + 1}.0", f"min_ram=+{RAM + 1}"]),
        ("gpu.gpu_count=4", ["gpu.gpu_count=4.0", "gpu.gpu_count=4e0"]),
        ("gpu.gpu_count__gte=4", ["gpu.gpu_count__gte=4.0", "gpu.gpu_count__gte=%2B4"]),
        ("limit=1", ["limit=1.0", "limit=1.", "limit=1e0", "limit=01"]),
        ("offset=1", ["offset=1.0", "offset=%201"]),
        ("offset=0", ["offset=-0", "offset=0.0", "offset=-0.0"]),
        ("availability=available", ["availability=Available", "availability=AVAILABLE", "availability=available,"]),
        ("site_id=uc,tacc", ["site_id=uc,%20tacc", "site_id=uc,,tacc", "site_id=uc,tacc,", "site_id=+uc&site_id=tacc"]),
        ("sort=-node_type,uid", ["sort=-node_type,+uid", "sort=-node_type,uid,"]),
        ("fields=node_type,gpu.gpu", ["fields=node_type,%20gpu.gpu"]),
        (
            WINDOW,
            [
                WINDOW.replace("Z", "%2B0000"),
                WINDOW.replace("Z", "+0000"),
                WINDOW.replace("Z", "-0000"),
                WINDOW.replace("Z", "%2B00"),
                WINDOW.replace("T08", "T09").replace("Z", "%2B0100"),
                WINDOW.replace("T08", "T03").replace("Z", "-05"),
                WINDOW.replace("T08", "T02").replace("Z", "-05:30").replace("00:00-", "30:00-"),
                WINDOW.replace("T", "+").replace("Z", ".000000+00:00"),
            ],
        ),
        ("node_type=fpga", ["conditions[node_type__n]=compute_skylake"]),
        ("gpu.gpu_count__gte=4", ["conditions[gpu.gpu_count__gte]=4", "conditions%5Bgpu.gpu_count__gte%5D=4"]),
        ("uid=a&uid=b", ["conditions[uid]=a&conditions[uid]=b", "uid=a&conditions[uid]=b"]),
    ],
)
async def test_what_is_meant_well_is_understood(service: Service, plain: str, written: list[str]) -> None:
    expected = await service.json(f"/nodes/search?{plain}")
    assert expected["total"] > 0
    for query in written:
        assert without_links(await service.json(f"/nodes/search?{query}")) == without_links(expected), query


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("count=2&across_sites=true", ["count=2.0&across_sites=1", "count=%2B2&across_sites=on"]),
        ("duration=PT72H", ["duration=72", "duration=pt72h", "duration=72.0"]),
        ("alternatives=0", ["alternatives=0.0"]),
        ("uid=b", ["conditions[uid]=b"]),
    ],
)
async def test_plans_understand_the_same(service: Service, plain: str, written: list[str]) -> None:
    expected = without_links(await service.json(f"/availability/earliest?{plain}"))
    for query in written:
        assert without_links(await service.json(f"/availability/earliest?{query}")) == expected, query


async def test_links_of_a_search_with_conditions_in_brackets_ask_for_the_same_nodes(service: Service) -> None:
    body = await service.json("/nodes/search?conditions[gpu.gpu_count__gte]=4")
    assert (body["total"], rels(body)["self"]) == (1, "/nodes/search?conditions%5Bgpu.gpu_count__gte%5D=4")
    for rel in ("nodes-availability", "capacity", "earliest"):
        plan = await service.json(rels(body)[rel])
        assert plan.get("total", 1) == 1
        assert all(node["node_id"] == "a" for node in plan.get("nodes", ()))
    calendar = await (await service.get(rels(body)["calendar"])).text()
    assert (calendar.count("n-a"), calendar.count("n-b")) == (calendar.count("BEGIN:VEVENT"), 0)


@pytest.mark.parametrize(
    ("query", "name", "detail"),
    [
        ("gpu=2", "gpu", "must be true or false"),
        ("gpu=true&gpu=perhaps", "gpu", "value 2: must be true or false"),
        ("min_ram=1.5", "min_ram", "must be a whole number"),
        ("min_ram=128GiB", "min_ram", "must be a whole number"),
        ("min_ram=1e99", "min_ram", f"must be at most {2**63 - 1}"),
        ("limit=0", "limit", "must be at least 1"),
        ("limit=-0.0", "limit", "must be at least 1"),
        ("limit=5001", "limit", "must be at most 5000"),
        ("limit=all", "limit", "must be a whole number"),
        ("limit=", "limit", "must be a whole number"),
        ("availability=free", "availability", "must be 'unknown', 'maintenance', 'reserved' or 'available'"),
        ("site_id=,", "site_id", "must not be empty"),
        ("site_id=uc&site_id=" + "x" * 301, "site_id", "value 2: may have 300 characters at most"),
        ("q=" + "x" * 201, "q", "may have 200 characters at most"),
        ("sort=" + ",".join(["uid"] * 21), "sort", "may have 20 values at most, and has 21"),
        ("start=2026-11-23T24:00:00Z&end=2026-11-25", "start", "must be an RFC 3339 date and time such as"),
        ("start=2026-11-23T08:00:00%2B060&end=2026-11-25", "start", "must be an RFC 3339 date and time such as"),
        ("conditions[limit]=5", "conditions[limit]", "this is no condition but a parameter of its own"),
        ("conditions[nope]=5", "nope", "there is no such parameter, and no node has such a field"),
        ("conditions[]=5", "(empty)", "there is no such parameter, and no node has such a field"),
        ("conditions=5", "conditions", "there is no such parameter, and no node has such a field"),
    ],
)
async def test_where_nothing_can_be_meant_the_sentence_fits_the_parameter(
    service: Service, query: str, name: str, detail: str
) -> None:
    (error,) = (await service.json(f"/nodes/search?{query}", status=400))["errors"]
    assert error["name"] == name
    assert error["detail"].startswith(detail)
    assert "nput should" not in error["detail"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("duration=PT1S", "must be at least 1 minute"),
        ("duration=P400D", "must be at most 366 days"),
        ("duration=soon", "must be an ISO 8601 duration in weeks, days, hours and less, such as PT72H, or a number of"),
        ("count=1.5", "must be a whole number"),
        ("count=1001", "must be at most 1000"),
    ],
)
async def test_so_do_those_of_plans(service: Service, query: str, detail: str) -> None:
    (error,) = (await service.json(f"/availability/earliest?{query}", status=400))["errors"]
    assert error["detail"].startswith(detail)


@pytest.mark.parametrize("moment", ["2026-11-23T08:00:00+01:00", "2026-11-23T08:00:00+0100", "2026-11-23 08:00:00+01"])
async def test_offsets_are_understood_wherever_a_time_is_asked_for(service: Service, moment: str) -> None:
    told = quote(moment)
    capacity = await service.json(f"/availability/capacity?start={told}")
    assert capacity["start"] == "2026-11-23T07:00:00Z"
    assert (await service.json(f"/availability/earliest?site_id=uc&after={told}"))["start"] == "2026-11-23T07:00:00Z"
    await service.json(f"/nodes/availability?start={told}")
    await service.json(f"/sites/uc/availability?start={told}")

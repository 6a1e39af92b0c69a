"""Which nodes fit: the parameters that clients use today."""

from typing import Any

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.inventories import booked, cluster, inventory, node_document, polled, site


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    uc = cluster(
        "uc",
        "main",
        [
            node_document("a", node_type="gpu_v100", gpu={"gpu": True}, infiniband=True),
            node_document("b", main_memory={"ram_size": 2**38}),
            node_document("e", gpu=[{"gpu": False}, {"gpu": True}], main_memory=None, architecture=None),
        ],
    )
    tacc = cluster("tacc", "other", [node_document("c", architecture={"platform_type": "aarch64"}), node_document("d")])
    made.serve(inventory(site("uc", uc), site("tacc", tacc), version="0" * 40))
    made.learn(
        polled(
            "uc",
            booked((-1, 1), node_id="a"),
            booked((2, 3), (3, 4), node_id="b"),
            booked(node_id="e", unreadable=True),
        ),
        polled("tacc", booked(node_id="c", maintenance=True)),
    )
    return made


async def found(service: Service, query: str) -> str:
    return "".join(item["uid"] for item in (await service.json(f"/nodes/search?{query}"))["items"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcde"),
        ("site_id=uc", "abe"),
        ("site_id=uc,tacc", "abcde"),
        ("site_id=uc&site_id=tacc", "abcde"),
        ("site_id=nowhere", ""),
        ("cluster_id=other", "cd"),
        ("node_type=gpu_v100", "a"),
        ("node_type=gpu_v100,compute_skylake", "abcde"),
        ("arch=aarch64", "c"),
        ("arch=x86_64", "abd"),
        ("gpu=true", "ae"),
        ("gpu=false", "bcd"),
        ("gpu=True&gpu=false", "abcde"),
        ("infiniband=true", "a"),
        ("infiniband=false", "bcde"),
        (f"min_ram={2**38}", "b"),
        (f"min_ram={2**37}", "abcd"),
        (f"min_ram={2**38}&min_ram={2**37}", "abcd"),
        ("availability=reserved", "a"),
        ("availability=available", "b"),
        ("availability=maintenance", "c"),
        ("availability=unknown", "de"),
        ("availability=reserved,available", "ab"),
        ("site_id=uc&gpu=true&availability=reserved", "a"),
        ("start=2026-11-22T09:00:00Z&end=2026-11-22T10:00:00Z", "ab"),
        ("start=2026-11-22T08:30:00Z&end=2026-11-22T10:00:00Z", "b"),
        ("start=2026-11-22T09:00:00Z&end=2026-11-22T10:00:01Z", "a"),
        ("start=2026-11-22T11:30:00Z&end=2026-11-22T11:45:00Z", "a"),
        ("start=2026-11-22T12:00:00Z&end=2026-12-22T12:00:00Z", "ab"),
        ("start=2020-01-01&end=2026-11-22T08:30:00Z", "b"),
        ("start=2026-11-23&end=2026-11-24", "ab"),
        ("start=2026-11-22T11:00:00+02:00&end=2026-11-22T12:00:00%2B02:00", "ab"),
    ],
)
async def test_filters_keep_just_the_nodes_that_fit(service: Service, query: str, expected: str) -> None:
    assert await found(service, query) == expected


async def test_a_result_carries_the_node_where_it_is_and_its_state(service: Service) -> None:
    item = (await service.json("/nodes/search?site_id=uc&gpu=true&limit=1"))["items"][0]
    extra = {
        key: item.pop(key)
        for key in ("site_id", "cluster_id", "availability", "availability_until", "last_updated", "stale")
    }
    assert extra == {
        "site_id": "uc",
        "cluster_id": "main",
        "availability": "reserved",
        "availability_until": "2026-11-22T09:00:00Z",
        "last_updated": "2026-11-22T08:00:00Z",
        "stale": False,
    }
    assert item == await service.json("/sites/uc/clusters/main/nodes/a")


async def test_a_node_of_a_site_never_synced_is_unknown_and_has_no_age(service: Service) -> None:
    service.serve(inventory(site("nu", cluster("nu", "main", [node_document("x")]))))
    item = (await service.json("/nodes/search"))["items"][0]
    told = {key: item[key] for key in ("availability", "availability_until", "last_updated", "stale")}
    assert told == {"availability": "unknown", "availability_until": None, "last_updated": None, "stale": True}
    assert await found(service, "start=2026-11-23&end=2026-11-24") == ""


async def test_a_nodes_own_fields_cannot_pass_for_its_state(service: Service) -> None:
    lying = node_document(
        "x",
        availability="available",
        availability_now="available",
        site_id="else",
        cluster_id="else",
        stale=False,
        last_updated="now",
    )
    service.serve(inventory(site("nu", cluster("nu", "main", [lying]))))
    item = (await service.json("/nodes/search"))["items"][0]
    assert "availability_now" not in item
    assert (item["availability"], item["site_id"], item["cluster_id"], item["stale"]) == ("unknown", "nu", "main", True)


WINDOW = "start=2026-11-22T09:00:00Z&end=2026-11-22T10:00:00Z"
"""In which `a`, which is reserved now, and `b` can be reserved throughout."""


async def test_in_a_window_a_node_has_its_state_throughout_that_and_its_state_now(service: Service) -> None:
    states = [
        (item["uid"], item["availability"], item["availability_now"], item["availability_until"])
        for item in (await service.json(f"/nodes/search?{WINDOW}"))["items"]
    ]
    assert states == [
        ("a", "available", "reserved", "2026-11-22T09:00:00Z"),
        ("b", "available", "available", "2026-11-22T10:00:00Z"),
    ]


async def test_without_a_window_the_state_is_that_of_now_and_no_second_one_is_there(service: Service) -> None:
    for item in (await service.json("/nodes/search"))["items"]:
        assert "availability_now" not in item
    body = await service.json("/nodes/search?fields=availability,availability_now&facets=availability,availability_now")
    assert all(item["availability"] == item["availability_now"] for item in body["items"])
    assert body["facets"]["availability"] == body["facets"]["availability_now"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"{WINDOW}&availability=available", "ab"),
        (f"{WINDOW}&availability=available,reserved", "ab"),
        (f"{WINDOW}&availability_now=reserved", "a"),
        (f"{WINDOW}&availability_now=available", "b"),
        (f"{WINDOW}&availability=available&availability_now=reserved,maintenance", "a"),
        (f"{WINDOW}&availability_now=unknown", ""),
        (f"{WINDOW}&sort=-availability_now", "ab"),
        (f"{WINDOW}&sort=availability_now", "ba"),
        (f"{WINDOW}&sort=-availability,-uid", "ba"),
        ("availability_now=reserved", "a"),
        ("availability_now=reserved,available&availability=available,unknown", "b"),
    ],
)
async def test_in_a_window_states_are_asked_for_throughout_that_or_now(
    service: Service, query: str, expected: str
) -> None:
    assert await found(service, query) == expected


async def test_in_a_window_states_are_counted_throughout_that_and_now(service: Service) -> None:
    body = await service.json(f"/nodes/search?{WINDOW}&facets=availability,availability_now&fields=availability_now")
    assert body["facets"] == {"availability": {"available": 2}, "availability_now": {"available": 1, "reserved": 1}}
    assert [item["availability_now"] for item in body["items"]] == ["reserved", "available"]
    empty = await service.json("/nodes/search?site_id=tacc&start=2026-11-23&end=2026-11-24&facets=availability")
    assert empty["facets"] == {"availability": {}}


async def test_in_a_window_no_node_is_anything_but_available_and_asking_for_that_is_refused(service: Service) -> None:
    body = await service.json(f"/nodes/search?{WINDOW}&availability=reserved,unknown", status=400)
    assert [each["name"] for each in body["errors"]] == ["availability"]
    assert "availability_now asks for the state now" in body["detail"]


async def test_plans_for_the_nodes_of_a_window_do_not_ask_for_nodes_that_are_free_now(service: Service) -> None:
    plans = rels(
        await service.json(f"/nodes/search?{WINDOW}&availability=available&availability_now=reserved&gpu=true")
    )
    assert plans["earliest"] == "/availability/earliest?availability_now=reserved&gpu=true"
    assert (await service.json(plans["earliest"]))["nodes"][0]["node_id"] == "a"
    without = rels(await service.json("/nodes/search?availability=available"))
    assert without["earliest"] == "/availability/earliest?availability=available"


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("site=uc", "site", "did you mean site_id?"),
        ("gpus=true", "gpus", "did you mean gpu?"),
        (
            "zzzzzzz=1",
            "zzzzzzz",
            "there are arch, availability, availability_now, branch, cluster_id, continues, date, end, facets,",
        ),
        ("gpu=maybe", "gpu", "true or false"),
        ("gpu=", "gpu", "true or false"),
        ("site_id=", "site_id", "must not be empty"),
        ("min_ram=-1", "min_ram", "must be at least 0"),
        ("min_ram=lots", "min_ram", "whole number"),
        ("min_ram=1_000", "min_ram", "whole number"),
        ("site_id=%0a", "site_id", "control character"),
        ("=1", "(empty)", "no such parameter"),
        ("start=2030-01-01T00:00:00%2B24:00&end=2031-01-01", "start", "RFC 3339"),
        ("start=2030-01-01T00:00:00%2B00:60&end=2031-01-01", "start", "RFC 3339"),
        ("start=%EF%BC%92030-01-01&end=2031-01-01", "start", "RFC 3339"),
        (f"min_ram={10**30}", "min_ram", "must be at most"),
        ("availability=free", "availability", "'available'"),
        ("start=2026-11-23", "end", "belong together"),
        ("end=2026-11-23", "start", "belong together"),
        ("start=2026-11-24&end=2026-11-23", "end", "after start"),
        ("start=2026-11-24&end=2026-11-24", "end", "after start"),
        ("start=0.5&end=2026-11-24", "start", "RFC 3339"),
        ("start=1795334400&end=2026-11-24", "start", "RFC 3339"),
        ("start=2026-13-01&end=2026-11-24", "start", "month"),
        ("start=0001-01-01T00:00:00%2B23:59&end=2026-11-24", "start", "years"),
        ("start=2026-11-23&start=2026-11-23&end=2026-11-24", "start", "once"),
        ("offset=-1", "offset", "must be at least 0"),
        (f"offset={10**30}", "offset", "must be at most"),
    ],
)
async def test_a_bad_parameter_is_a_400_naming_it_and_what_is_wrong(
    service: Service, query: str, name: str, hint: str
) -> None:
    body = await service.json(f"/nodes/search?{query}", status=400)
    assert body["errors"][0]["name"] == name
    assert hint in body["errors"][0]["detail"]
    assert name in body["detail"]


async def test_a_window_that_is_over_is_a_400(service: Service) -> None:
    body = await service.json("/nodes/search?start=2026-11-20&end=2026-11-21", status=400)
    assert "past" in body["detail"]
    assert [each["name"] for each in body["errors"]] == ["end"]


async def test_a_request_with_too_many_values_is_refused(service: Service) -> None:
    body = await service.json("/nodes/search?site_id=" + ",".join("x" * 201), status=400)
    assert body["errors"][0]["name"] == "site_id"


async def test_pages_of_a_search_keep_its_filters(service: Service) -> None:
    seen: list[Any] = []
    href: str | None = "/nodes/search?site_id=uc,tacc&gpu=false&limit=2"
    while href:
        body = await service.json(href)
        assert body["total"] == 3
        seen += [item["uid"] for item in body["items"]]
        href = rels(body).get("next")
    assert seen == ["b", "c", "d"]

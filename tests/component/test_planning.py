"""Plans over HTTP: what calendars and schedulers ask."""

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from api_service.http.costly import AT_ONCE, COSTLY, MAX_WAITING
from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.inventories import NOW, booked, cluster, inventory, node_document, polled, site

PATHS = ("/nodes/availability", "/availability/earliest", "/availability/capacity")


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    """Of uc `a` and `b` can be reserved, `c` is in maintenance, `d` is unreadable; tacc was never synced."""
    made = await serving(aiohttp_client)
    uc = [node_document("a", node_type="gpu_v100", gpu={"gpu": True}), *(node_document(uid) for uid in "bcd")]
    made.serve(
        inventory(
            site("uc", cluster("uc", "main", uc)),
            site("tacc", cluster("tacc", "other", [node_document("e")])),
            version="0" * 40,
        )
    )
    made.learn(
        polled(
            "uc",
            booked((-1, 1), (1, 2), (5, 7), (6, 8), node_id="a"),
            booked((3, 4), node_id="b"),
            booked((0, 1), node_id="c", maintenance=True),
            booked(node_id="d", unreadable=True),
        )
    )
    return made


def at(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def block(start: float, end: float) -> dict[str, str]:
    return {"start": at(start), "end": at(end)}


async def calendar(service: Service, query: str = "") -> dict[str, Any]:
    body = await service.json(f"/nodes/availability?{query}")
    return {item["node_id"]: item["reservations"] for item in body["items"]}


async def test_a_calendar_tells_the_state_and_the_merged_bookings_of_every_node(service: Service) -> None:
    body = await service.json("/nodes/availability")
    assert (body["total"], body["offset"], body["version"]) == (5, 0, "0" * 40)
    told = [(each["node_id"], each["availability"], each["availability_until"]) for each in body["items"]]
    assert told == [
        ("a", "reserved", at(2)),
        ("b", "available", at(3)),
        ("c", "maintenance", None),
        ("d", "unknown", None),
        ("e", "unknown", None),
    ]
    assert [each["reservations"] for each in body["items"]] == [
        [block(-1, 2), block(5, 8)],
        [block(3, 4)],
        [block(0, 1)],
        [],
        [],
    ]


async def test_an_item_of_a_calendar_is_what_the_node_answers_alone(service: Service) -> None:
    items = (await service.json("/nodes/availability"))["items"]
    for item in items[:4]:
        named = {"node_name": f"n-{item['node_id']}", "node_type": item["node_type"]}
        assert await service.json(rels(item)["self"]) | named == item


async def test_a_node_of_a_site_never_synced_is_unknown_in_a_calendar_and_leads_to_no_404(service: Service) -> None:
    item = (await service.json("/nodes/availability?site_id=tacc"))["items"][0]
    assert item == {
        "node_id": "e",
        "cluster_id": "other",
        "site_id": "tacc",
        "node_name": "n-e",
        "node_type": "compute_skylake",
        "availability": "unknown",
        "availability_until": None,
        "last_updated": None,
        "maintenance": None,
        "stale": True,
        "reservations": [],
        "links": [
            {"rel": "parent", "href": "/sites/tacc/clusters/other/nodes/e"},
            {"rel": "calendar", "href": "/sites/tacc/clusters/other/nodes/e/availability.ics"},
            {"rel": "events", "href": "/events?site_id=tacc&node_id=e"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"start={at(0)}&end={at(1)}", {"a": [block(-1, 2)], "b": []}),
        (f"start={at(2)}&end={at(3)}", {"a": [], "b": []}),
        (f"start={at(2)}&end={at(3.01)}", {"a": [], "b": [block(3, 4)]}),
        (f"start={at(4)}&end={at(5)}", {"a": [], "b": []}),
        (f"start={at(3.99)}", {"a": [block(5, 8)], "b": [block(3, 4)]}),
        (f"end={at(3)}", {"a": [block(-1, 2)], "b": []}),
        (f"start=2020-01-01&end={at(0.01)}", {"a": [block(-1, 2)], "b": []}),
    ],
)
async def test_a_window_keeps_the_bookings_that_meet_it_whole_and_every_node(
    service: Service, query: str, expected: dict[str, Any]
) -> None:
    assert await calendar(service, f"availability=available,reserved&{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", "abcde"), ("site_id=tacc", "e"), ("gpu=true", "a"), ("node_type=compute_skylake&cluster_id=main", "bcd")],
)
async def test_the_filters_of_a_search_select_the_nodes_of_a_calendar(
    service: Service, query: str, expected: str
) -> None:
    assert "".join(await calendar(service, query)) == expected


async def test_a_calendar_has_pages(service: Service) -> None:
    seen, href = [], "/nodes/availability?site_id=uc&limit=3"
    while href:
        body = await service.json(href)
        assert body["total"] == 4
        seen += [item["node_id"] for item in body["items"]]
        href = rels(body).get("next", "")
    assert seen == ["a", "b", "c", "d"]


async def test_what_is_old_is_told_and_marked(service: Service) -> None:
    service.clock.now += timedelta(seconds=180)
    items = (await service.json("/nodes/availability?site_id=uc"))["items"]
    assert {(item["stale"], item["last_updated"]) for item in items} == {(True, at(0))}


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        (f"start={at(2)}&end={at(2)}", "end", "after start"),
        (f"end={at(0)}", "end", "past"),
        ("start=2020-01-01&end=2020-01-02", "end", "past"),
        ("limit=5001", "limit", "5000"),
        ("start=tomorrow", "start", "RFC 3339"),
    ],
)
async def test_a_window_or_page_that_cannot_be_told_is_a_400(
    service: Service, query: str, name: str, hint: str
) -> None:
    await refused(service, f"/nodes/availability?{query}", name, hint)


async def earliest(service: Service, query: str) -> list[tuple[str, str, str]]:
    """Start, end and nodes of the slot and its alternatives."""
    body = await service.json(f"/availability/earliest?{query}")
    slots = [body, *body["alternatives"]]
    return [(slot["start"], slot["end"], "".join(node["node_id"] for node in slot["nodes"])) for slot in slots]


async def test_the_earliest_slot_tells_where_and_which_nodes_and_what_comes_later(service: Service) -> None:
    body = await service.json("/availability/earliest?site_id=uc&count=2&duration=PT2H&alternatives=1")
    nodes = [
        {
            "node_id": uid,
            "cluster_id": "main",
            "site_id": "uc",
            "stale": False,
            "links": [
                {"rel": "self", "href": f"/sites/uc/clusters/main/nodes/{uid}"},
                {"rel": "availability", "href": f"/sites/uc/clusters/main/nodes/{uid}/availability"},
            ],
        }
        for uid in "ab"
    ]
    assert body == {
        "start": at(8),
        "end": at(10),
        "site_id": "uc",
        "stale": False,
        "nodes": nodes,
        "alternatives": [],
        "version": "0" * 40,
        "links": [
            {"rel": "self", "href": "/availability/earliest?site_id=uc&count=2&duration=PT2H&alternatives=1"},
            {"rel": "parent", "href": "/"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [(0, "b"), (2, "a"), (4, "b"), (8, "a")]),
        ("duration=1", [(0, "b"), (2, "a"), (4, "b"), (8, "a")]),
        ("duration=1&alternatives=0", [(0, "b")]),
        ("duration=PT1H&alternatives=1", [(0, "b"), (2, "a")]),
        ("duration=PT3H", [(0, "b"), (2, "a"), (4, "b"), (8, "a")]),
        ("duration=PT3H0.001S", [(4, "b"), (8, "a")]),
        ("duration=1&count=2", [(2, "ab"), (4, "ab"), (8, "ab")]),
        ("duration=1&gpu=true", [(2, "a"), (8, "a")]),
        (f"duration=1&after={at(3)}", [(3, "a"), (4, "b"), (8, "a")]),
        (f"duration=1&after={at(8)}", [(8, "a")]),
        ("duration=1&after=2020-01-01&alternatives=0", [(0, "b")]),
        ("duration=1&availability=reserved", [(2, "a"), (8, "a")]),
    ],
)
async def test_slots_begin_where_enough_of_the_nodes_that_fit_are_free(
    service: Service, query: str, expected: list[tuple[float, str]]
) -> None:
    query = query if "duration" in query else "duration=PT2H30M&site_id=uc&" + query
    found = await earliest(service, query)
    assert [(start, nodes) for start, _, nodes in found] == [(at(start), nodes) for start, nodes in expected]


@pytest.mark.parametrize(
    ("duration", "hours"),
    [
        ("PT72H", 72),
        ("72", 72),
        ("1.5", 1.5),
        ("P3D", 72),
        ("P1W", 168),
        ("P1DT12H", 36),
        ("PT90M", 1.5),
        ("PT1M", 1 / 60),
        ("PT1.5H", 1.5),
        ("P366D", 8784),
    ],
)
async def test_a_duration_is_iso_8601_or_a_number_of_hours(service: Service, duration: str, hours: float) -> None:
    (slot, *_) = await earliest(service, f"after={at(8)}&duration={duration}")
    assert slot[:2] == (at(8), at(8 + hours))


async def test_without_a_duration_one_node_for_a_day_is_looked_for(service: Service) -> None:
    assert (await earliest(service, ""))[0] == (at(4), at(28), "b")


async def test_nodes_of_several_sites_are_taken_only_where_that_is_wanted(service: Service) -> None:
    service.learn(polled("tacc", booked(node_id="e"), at=NOW - timedelta(hours=1)))
    body = await service.json("/availability/earliest?count=3&across_sites=true")
    assert (body["start"], body["site_id"], body["stale"]) == (at(8), None, True)
    assert [(node["node_id"], node["site_id"], node["stale"]) for node in body["nodes"]] == [
        ("a", "uc", False),
        ("b", "uc", False),
        ("e", "tacc", True),
    ]
    alone = await service.json("/availability/earliest?count=1")
    assert (alone["start"], alone["site_id"], alone["stale"]) == (at(0), "tacc", True)
    await service.json("/availability/earliest?count=3", status=404)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("count=3", "5 nodes match, but 3 that can be reserved together at one site for 1 day"),
        ("count=3&across_sites=true", "5 nodes match, but 3 that can be reserved together for 1 day"),
        ("site_id=tacc", "1 nodes match"),
        ("site_id=nowhere", "0 nodes match"),
    ],
)
async def test_where_there_is_no_slot_a_404_of_its_own_type_says_so(service: Service, query: str, hint: str) -> None:
    body = await service.json(f"/availability/earliest?{query}", status=404)
    assert body["type"] == "urn:reference-api:no-slot"
    assert hint in body["detail"]


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("duration=", "duration", "ISO 8601"),
        ("duration=P", "duration", "ISO 8601"),
        ("duration=PT", "duration", "ISO 8601"),
        ("duration=P1DT", "duration", "ISO 8601"),
        ("duration=P1Y", "duration", "ISO 8601"),
        ("duration=P1M", "duration", "ISO 8601"),
        ("duration=PT1M1H", "duration", "ISO 8601"),
        ("duration=-PT1H", "duration", "ISO 8601"),
        ("duration=-1", "duration", "ISO 8601"),
        ("duration=1:30", "duration", "ISO 8601"),
        ("duration=nan", "duration", "ISO 8601"),
        ("duration=1e3", "duration", "ISO 8601"),
        ("duration=PT%D9%A1H", "duration", "ISO 8601"),
        ("duration=PT9999999H", "duration", "ISO 8601"),
        ("duration=0", "duration", "1 minute"),
        ("duration=PT59S", "duration", "1 minute"),
        ("duration=PT8784H1S", "duration", "366 days"),
        ("duration=P999999W", "duration", "366 days"),
        ("duration=1&duration=2", "duration", "once"),
        ("count=0", "count", "must be at least 1"),
        ("count=1001", "count", "1000"),
        ("count=1.5", "count", "whole number"),
        ("alternatives=11", "alternatives", "10"),
        ("alternatives=-1", "alternatives", "0"),
        ("across_sites=maybe", "across_sites", "true or false"),
        ("after=9999-12-31", "after", "3660 days ahead"),
        ("after=soon", "after", "RFC 3339"),
        ("start=2030-01-01", "start", "there are across_sites, after, alternatives, arch,"),
        ("offset=1", "offset", "there is no such parameter"),
        ("durations=1", "durations", "did you mean duration?"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_a_400(service: Service, query: str, name: str, hint: str) -> None:
    await refused(service, f"/availability/earliest?{query}", name, hint)


async def capacity(service: Service, query: str) -> Any:
    """By the values of a group: start and end in hours after now, free, reserved, in maintenance, unknown."""
    body = await service.json(f"/availability/capacity?{query}")
    return {
        tuple(group["group"].values()): [
            (hours(each["start"]), hours(each["end"]), *(each[key] for key in STATES)) for each in group["segments"]
        ]
        for group in body["groups"]
    }


STATES = ("free", "reserved", "maintenance", "unknown")


def hours(moment: str) -> float:
    return (datetime.fromisoformat(moment) - NOW) / timedelta(hours=1)


async def test_capacity_is_told_from_change_to_change(service: Service) -> None:
    assert await service.json(f"/availability/capacity?start={at(0)}&end={at(4)}&group_by=node_type&gpu=true") == {
        "start": at(0),
        "end": at(4),
        "groups": [
            {
                "group": {"node_type": "gpu_v100"},
                "total": 1,
                "stale": False,
                "segments": [
                    {"start": at(0), "end": at(2), "free": 0, "reserved": 1, "maintenance": 0, "unknown": 0},
                    {"start": at(2), "end": at(4), "free": 1, "reserved": 0, "maintenance": 0, "unknown": 0},
                ],
            }
        ],
        "version": "0" * 40,
        "links": [
            {
                "rel": "self",
                "href": "/availability/capacity?start=2026-11-22T08%3A00%3A00Z&end=2026-11-22T12%3A00%3A00Z"
                "&group_by=node_type&gpu=true",
            },
            {"rel": "parent", "href": "/"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"end={at(3)}", {(): [(0, 2, 1, 1, 1, 2), (2, 3, 2, 0, 1, 2)]}),
        (f"end={at(3)}&site_id=uc", {(): [(0, 2, 1, 1, 1, 1), (2, 3, 2, 0, 1, 1)]}),
        (f"end={at(3)}&site_id=nowhere", {(): [(0, 3, 0, 0, 0, 0)]}),
        (f"end={at(3)}&site_id=nowhere&group_by=node_type", {}),
        (
            f"start={at(2)}&end={at(6)}&group_by=site_id",
            {
                ("tacc",): [(2, 6, 0, 0, 0, 1)],
                ("uc",): [(2, 3, 2, 0, 1, 1), (3, 4, 1, 1, 1, 1), (4, 5, 2, 0, 1, 1), (5, 6, 1, 1, 1, 1)],
            },
        ),
        (
            f"end={at(2)}&group_by=site_id,gpu.gpu&site_id=uc",
            {("uc", False): [(0, 2, 1, 0, 1, 1)], ("uc", True): [(0, 2, 0, 1, 0, 0)]},
        ),
        (
            f"end={at(2)}&group_by=gpu&group_by=gpu&site_id=uc",
            {(False,): [(0, 2, 1, 0, 1, 1)], (True,): [(0, 2, 0, 1, 0, 0)]},
        ),
        (f"end={at(6)}&step=PT3H&gpu=true", {(): [(0, 3, 0, 1, 0, 0), (3, 6, 0, 1, 0, 0)]}),
        (f"end={at(6)}&step=2&gpu=true", {(): [(0, 2, 0, 1, 0, 0), (2, 4, 1, 0, 0, 0), (4, 6, 0, 1, 0, 0)]}),
        (f"start={at(-3)}&end={at(3)}&step=2&gpu=true", {(): [(0, 1, 0, 1, 0, 0), (1, 3, 0, 1, 0, 0)]}),
        (f"start={at(9)}&gpu=true", {(): [(9, 729, 1, 0, 0, 0)]}),
        (f"start={at(-9)}&gpu=true&step=P30D", {(): [(0, 711, 0, 1, 0, 0), (711, 720, 1, 0, 0, 0)]}),
    ],
)
async def test_capacity_has_the_groups_the_window_and_the_steps_that_were_asked_for(
    service: Service, query: str, expected: Any
) -> None:
    assert await capacity(service, query) == expected


async def test_a_group_with_a_site_whose_data_is_old_is_marked(service: Service) -> None:
    groups = (await service.json("/availability/capacity?group_by=site_id"))["groups"]
    assert [(group["group"]["site_id"], group["stale"]) for group in groups] == [("tacc", True), ("uc", False)]
    service.clock.now += timedelta(seconds=180)
    assert (await service.json("/availability/capacity?site_id=uc"))["groups"][0]["stale"]


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("group_by=gpus", "group_by", "no node has a field gpus; did you mean gpu?"),
        ("group_by=main_memory", "group_by", "main_memory holds fields of its own"),
        ("group_by=,", "group_by", "must not be empty"),
        ("group_by=a,b,c,d,e,f", "group_by", "5"),
        ("group_by=" + "x" * 301, "group_by", "300"),
        ("step=PT30S", "step", "1 minute"),
        ("step=P367D", "step", "366 days"),
        ("step=monthly", "step", "ISO 8601"),
        ("step=PT1M", "step", "more than 10000 segments: a longer step"),
        (f"start={at(1)}&end={at(1)}", "end", "after start"),
        (f"end={at(0)}", "end", "past"),
        ("start=2020-01-01&end=2020-01-02", "end", "past"),
        (f"end={at(366 * 24 + 1)}", "end", "366 days"),
        ("start=9999-01-01", "start", "3660 days ahead"),
        ("start=9999-01-01&end=9999-01-02", "start", "3660 days ahead"),
        ("group=node_type", "group", "did you mean group_by?"),
        ("limit=1", "limit", "there is no such parameter"),
    ],
)
async def test_a_capacity_that_cannot_be_told_is_a_400(service: Service, query: str, name: str, hint: str) -> None:
    await refused(service, f"/availability/capacity?{query}", name, hint)


async def test_groups_without_bound_are_a_400(service: Service) -> None:
    nodes = [node_document(f"n{number}") for number in range(1001)]
    service.serve(inventory(site("uc", cluster("uc", "main", nodes))))
    await refused(service, "/availability/capacity?group_by=uid", "group_by", "more than 1000 groups")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("site=uc", "site", "did you mean site_id?"),
        ("gpus=true", "gpus", "did you mean gpu?"),
        ("gpu=maybe", "gpu", "true or false"),
        ("site_id=" + ",".join("x" * 201), "site_id", "200"),
        ("node_type=" + "x" * 301, "node_type", "300"),
    ],
)
async def test_what_is_unknown_or_out_of_bounds_is_a_400_naming_it(
    service: Service, path: str, query: str, name: str, hint: str
) -> None:
    await refused(service, f"{path}?{query}", name, hint)


async def refused(service: Service, path: str, name: str, hint: str) -> None:
    body = await service.json(path, status=400)
    assert [each["name"] for each in body["errors"]] == [name]
    assert hint in body["errors"][0]["detail"]


async def test_searches_and_sites_lead_to_the_plans_for_their_nodes(service: Service) -> None:
    found = rels(await service.json(f"/nodes/search?gpu=true&site_id=uc&start={at(9)}&end={at(10)}&limit=1"))
    kept = rels(await service.json("/sites/uc"))
    for rel in ("nodes-availability", "earliest", "capacity"):
        assert found[rel].endswith("?gpu=true&site_id=uc")
        assert kept[rel].endswith("?site_id=uc")
        await service.json(found[rel])
        await service.json(kept[rel])


@pytest.mark.parametrize(
    ("query", "stale"),
    [
        ("site_id=edge", True),
        ("site_id=uc,edge&q=nothing-has-this", True),
        ("q=nothing-has-this", True),
        ("site_id=uc&q=nothing-has-this", False),
        ("site_id=uc,edge", False),
    ],
)
async def test_a_capacity_without_nodes_is_as_stale_as_the_sites_that_were_asked(
    service: Service, query: str, stale: bool
) -> None:
    service.serve(inventory(site("uc", cluster("uc", "main", [node_document("a")])), site("edge")))
    [group] = (await service.json(f"/availability/capacity?{query}"))["groups"]
    assert group["stale"] == stale


@pytest.mark.parametrize("path", [*PATHS, "/sites/uc/status"])
async def test_costly_work_beyond_a_short_queue_is_refused_for_now_and_the_service_goes_on(
    service: Service, path: str
) -> None:
    held = threading.Event()
    work = [asyncio.create_task(service.app[COSTLY].do(held.wait)) for _ in range(AT_ONCE + MAX_WAITING)]
    await asyncio.sleep(0)
    response = await service.get(path)
    assert (response.status, response.headers["Retry-After"]) == (503, "10")
    assert "try again" in (await response.json(content_type="application/problem+json"))["detail"]
    await service.json("/nodes/search")
    held.set()
    assert await asyncio.gather(*work) == [True] * len(work)
    await service.json(path)

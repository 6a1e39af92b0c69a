"""When nodes, sites and flavors are free, as clients read it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_service.http.bodies import dumps
from api_service.settings import Settings
from shared.availability import FlavorSegment, Interval, NodeAvailability, SiteFlavors
from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import HOUR, NOW, booked, cluster, inventory, node_document, polled, site

NODE = "/sites/uc/clusters/main/nodes/n"
SETTINGS = Settings.model_validate({"flavor_availability": {"sites": {"kvm": {"cloud": "kvm"}}}})


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client, settings=SETTINGS)
    flavors = [{"uid": "m1.tiny"}, {"uid": "m1.rare"}]
    nodes = [node_document("n"), node_document("o")]
    made.serve(
        inventory(site("uc", cluster("uc", "main", nodes)), site("kvm", flavors=flavors), site("nu", flavors=flavors))
    )
    return made


def flavors(*segments: tuple[float, float, int]) -> SiteFlavors:
    made = tuple(FlavorSegment(Interval(NOW + a * HOUR, NOW + b * HOUR), free, 10) for a, b, free in segments)
    window = Interval(NOW, NOW + 90 * 24 * HOUR)
    return SiteFlavors("kvm", 1, None, NOW, timedelta(seconds=60), window, {"m1.tiny": made})


async def test_a_free_node_is_available_until_its_next_booking(service: Service) -> None:
    service.learn(polled("uc", booked((5, 6), (2, 3))))
    assert await service.json(f"{NODE}/availability") == {
        "node_id": "n",
        "cluster_id": "main",
        "site_id": "uc",
        "availability": "available",
        "availability_until": "2026-11-22T10:00:00Z",
        "last_updated": "2026-11-22T08:00:00Z",
        "maintenance": False,
        "stale": False,
        "reservations": [
            {"start": "2026-11-22T10:00:00Z", "end": "2026-11-22T11:00:00Z"},
            {"start": "2026-11-22T13:00:00Z", "end": "2026-11-22T14:00:00Z"},
        ],
        "links": [
            {"rel": "self", "href": f"{NODE}/availability"},
            {"rel": "parent", "href": NODE},
            {"rel": "calendar", "href": f"{NODE}/availability.ics"},
            {"rel": "events", "href": "/events?site_id=uc&node_id=n"},
        ],
    }


@pytest.mark.parametrize(
    ("hours", "state", "until"),
    [
        ([], "available", None),
        ([(-1, 1)], "reserved", "2026-11-22T09:00:00Z"),
        ([(-1, 1), (1, 2)], "reserved", "2026-11-22T10:00:00Z"),
        ([(-1, 4), (1, 2)], "reserved", "2026-11-22T12:00:00Z"),
        ([(-1, 1), (2, 3)], "reserved", "2026-11-22T09:00:00Z"),
        ([(-1, 0)], "available", None),
        ([(0, 1)], "reserved", "2026-11-22T09:00:00Z"),
    ],
)
async def test_bookings_that_overlap_or_touch_are_one_block(
    service: Service, hours: list[tuple[float, float]], state: str, until: str | None
) -> None:
    service.learn(polled("uc", booked(*hours)))
    body = await service.json(f"{NODE}/availability")
    assert (body["availability"], body["availability_until"]) == (state, until)


async def test_bookings_that_are_over_are_not_told(service: Service) -> None:
    service.learn(polled("uc", booked((-2, -1), (1, 2))))
    assert len((await service.json(f"{NODE}/availability"))["reservations"]) == 1


async def test_time_passes_without_any_message(service: Service) -> None:
    service.learn(polled("uc", booked((1, 2))))
    for hours, state in ((0, "available"), (1, "reserved"), (2, "available")):
        service.clock.now = NOW + hours * HOUR
        assert (await service.json(f"{NODE}/availability"))["availability"] == state


async def test_maintenance_outranks_bookings_and_has_no_end(service: Service) -> None:
    service.learn(polled("uc", booked((-1, 1), maintenance=True)))
    body = await service.json(f"{NODE}/availability")
    assert (body["availability"], body["availability_until"], body["maintenance"]) == ("maintenance", None, True)


async def test_a_record_that_could_not_be_read_is_unknown(service: Service) -> None:
    service.learn(polled("uc", booked(maintenance=True, unreadable=True)))
    body = await service.json(f"{NODE}/availability")
    assert (body["availability"], body["availability_until"]) == ("unknown", None)


@pytest.mark.parametrize(("seconds", "stale"), [(0, False), (179, False), (180, True), (86_400, True)])
async def test_data_older_than_three_polls_is_stale_and_shown_all_the_same(
    service: Service, seconds: int, *, stale: bool
) -> None:
    service.learn(polled("uc", booked()))
    service.clock.now = NOW + timedelta(seconds=seconds)
    body = await service.json(f"{NODE}/availability")
    assert (body["availability"], body["stale"]) == ("available", stale)
    assert (await service.json("/sites/uc/availability"))["stale"] is stale


async def test_a_site_never_synced_is_a_404_that_says_so(service: Service) -> None:
    for path in (f"{NODE}/availability", "/sites/uc/availability"):
        body = await service.json(path, status=404)
        assert body["type"].endswith("not-synced")
        assert "never synced" in body["detail"]


async def test_a_node_that_blazar_does_not_list_is_a_404_that_says_so(service: Service) -> None:
    service.learn(polled("uc", booked(node_id="other")))
    body = await service.json(f"{NODE}/availability", status=404)
    assert body["type"].endswith("not-listed")


async def test_a_host_that_the_inventory_does_not_hold_is_served_by_no_url(service: Service) -> None:
    service.learn(polled("uc", booked(node_id="stranger")), polled("elsewhere", booked()))
    await service.json("/sites/uc/clusters/main/nodes/stranger/availability", status=404)
    await service.json("/sites/elsewhere/availability", status=404)
    assert [item["uid"] for item in (await service.json("/nodes/search"))["items"]] == ["n", "o"]


async def test_a_sites_availability_counts_its_nodes_by_state(service: Service) -> None:
    service.learn(polled("uc", booked((-1, 1)), booked(node_id="stranger")))
    assert await service.json("/sites/uc/availability") == {
        "site_id": "uc",
        "last_synced": "2026-11-22T08:00:00Z",
        "synced_node_count": 2,
        "stale": False,
        "counts": {"unknown": 1, "maintenance": 0, "reserved": 1, "available": 0},
        "links": [
            {"rel": "self", "href": "/sites/uc/availability"},
            {"rel": "parent", "href": "/sites/uc"},
            {"rel": "events", "href": "/events?site_id=uc"},
        ],
    }


async def test_nothing_is_younger_than_its_receipt(service: Service) -> None:
    service.learn(polled("uc", booked(), at=NOW + HOUR))
    assert (await service.json("/sites/uc/availability"))["last_synced"] == "2026-11-22T08:00:00Z"


@pytest.mark.parametrize("last", [datetime.max.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
async def test_a_node_that_is_booked_for_ever_is_reserved_wherever_it_is_shown(
    service: Service, last: datetime
) -> None:
    first = datetime.min.replace(tzinfo=UTC)
    service.learn(polled("uc", NodeAvailability("n", (Interval(first, last),))))
    end = dumps(last).decode().strip('"')
    service.serve(inventory(site("uc", cluster("uc", "main", [node_document("n")]))))
    alone = await service.json(f"{NODE}/availability")
    assert (alone["availability"], alone["availability_until"]) == ("reserved", end)
    [item] = (await service.json("/nodes/search?site_id=uc"))["items"]
    assert (item["availability"], item["availability_until"]) == ("reserved", end)
    assert (await service.json("/nodes/search?start=2030-01-01&end=2030-01-02&site_id=uc"))["total"] == 0
    [item] = (await service.json("/nodes/availability?site_id=uc"))["items"]
    assert item["reservations"] == [{"start": "0001-01-01T00:00:00Z", "end": end}]
    await service.json("/availability/earliest?site_id=uc", status=404)
    [group] = (await service.json("/availability/capacity?site_id=uc&step=P1D"))["groups"]
    assert {(each["reserved"], each["free"]) for each in group["segments"]} == {(1, 0)}
    [status] = (await service.json("/sites/uc/status"))["nodes"].values()
    assert (status["hard"], status["soft"], len(status["reservations"])) == ("alive", "busy", 1)
    for path in (f"{NODE}/availability.ics", "/nodes/availability.ics?site_id=uc"):
        response = await service.get(path)
        assert response.status == 200
        assert "DTSTART:00010101T000000Z" in await response.text()


async def test_a_flavors_capacity_is_clipped_to_the_window(service: Service) -> None:
    service.learn(flavors((0, 10, 3), (10, 20, 4), (20, 2000, 5)))
    query = "start_date=2026-11-22T09:00:00Z&end_date=2026-11-22T20:00:00Z"
    body = await service.json(f"/sites/kvm/flavors/m1.tiny/availability?{query}")
    assert body["availability"] == [
        {"start": "2026-11-22T09:00:00Z", "end": "2026-11-22T18:00:00Z", "available": 3, "total": 10},
        {"start": "2026-11-22T18:00:00Z", "end": "2026-11-22T20:00:00Z", "available": 4, "total": 10},
    ]
    assert (body["flavor_id"], body["site_id"], body["stale"]) == ("m1.tiny", "kvm", False)


async def test_a_flavors_capacity_begins_with_the_hour_that_is_asked_for(service: Service) -> None:
    service.learn(flavors((-1, 10, 3), (10, 20, 4)))
    service.clock.now += timedelta(minutes=17)
    body = await service.json("/sites/kvm/flavors/m1.tiny/availability?start_date=2026-11-22T08:00:00Z")
    assert body["availability"][0]["start"] == "2026-11-22T08:00:00Z"


async def test_without_a_window_a_flavors_capacity_is_of_the_next_30_days(service: Service) -> None:
    service.learn(flavors((0, 2000, 3)))
    body = await service.json("/sites/kvm/flavors/m1.tiny/availability")
    assert body["availability"][0]["start"] == "2026-11-22T08:00:00Z"
    assert body["availability"][-1]["end"] == "2026-12-22T08:00:00Z"


async def test_of_flavors_what_is_not_configured_not_published_or_not_synced_is_told_apart(service: Service) -> None:
    body = await service.json("/sites/nu/flavors/m1.tiny/availability", status=404)
    assert "configured" in body["detail"]
    response = await service.get("/sites/kvm/flavors/m1.tiny/availability")
    assert (response.status, response.headers["Retry-After"]) == (503, "10")
    service.learn(flavors((0, 1, 1)))
    body = await service.json("/sites/kvm/flavors/m1.rare/availability", status=404)
    assert "m1.rare" in body["detail"]


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("start_date=2020-01-01", 730),
        ("start_date=2020-01-01&end_date=2026-11-22T10:00:00Z", 12),
        ("start_date=2026-11-22T07:00:00Z", 721),
        ("end_date=2026-11-22T10:00:00Z", 2),
        ("start_date=2026-11-22T20:00:00Z", 720),
        ("start_date=9999-12-31", 0),
        ("end_date=9999-12-31T23:59:59Z", 1000),
    ],
)
async def test_what_is_missing_of_a_window_is_now_and_30_days_and_the_past_is_there_as_far_as_it_is_known(
    service: Service, query: str, hours: int
) -> None:
    service.learn(flavors((-10, 1000, 3)))
    body = await service.json(f"/sites/kvm/flavors/m1.tiny/availability?{query}")
    told = [
        datetime.fromisoformat(each["end"]) - datetime.fromisoformat(each["start"]) for each in body["availability"]
    ]
    assert sum(told, timedelta()) == hours * HOUR


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("start_date=yesterday", "start_date"),
        ("start_date=2026-11-22T09:00:00Z&end_date=2026-11-22T09:00:00Z", "end_date"),
        ("end_date=2026-11-22T07:00:00Z", "end_date"),
        ("start_date=2020-01-01&end_date=2020-01-02", "end_date"),
        ("start_date=1&end_date=2", "start_date"),
    ],
)
async def test_a_bad_window_of_a_flavor_is_a_400_naming_it(service: Service, query: str, name: str) -> None:
    service.learn(flavors((0, 1, 1)))
    body = await service.json(f"/sites/kvm/flavors/m1.tiny/availability?{query}", status=400)
    assert body["errors"][0]["name"] == name


async def test_status_tells_every_site_its_age_and_what_is_configured_for_nothing(
    aiohttp_client: AiohttpClient, service: Service
) -> None:
    settings = Settings.model_validate({"availability": {"sites": {"uc": {"cloud": "uc"}, "ghost": {"cloud": "g"}}}})
    configured = await serving(aiohttp_client, settings=settings)
    configured.serve(inventory(site("uc", cluster("uc", "main", [node_document("n")]))))
    configured.learn(polled("uc", booked(unreadable=True)))
    configured.clock.now = NOW + timedelta(seconds=30)
    body = await configured.json("/status")
    sites: dict[str, Any] = {each["site_id"]: each for each in body["sites"]}
    assert (sites["uc"]["age_seconds"], sites["uc"]["unreadable_hosts"], sites["uc"]["generation"]) == (30.0, 1, 1)
    assert sites["ghost"]["last_synced"] is None
    assert body["configured_but_not_in_the_inventory"] == ["ghost"]


async def test_metrics_tell_the_age_of_each_site_and_requests_by_route(service: Service) -> None:
    service.learn(polled("uc", booked()))
    service.clock.now = NOW + timedelta(seconds=30)
    await service.json("/sites/uc")
    await service.json("/sites/nowhere", status=404)
    text = await (await service.get("/metrics")).text()
    assert 'reference_api_site_age_seconds{site="uc",subject="site"} 30.0' in text
    assert 'reference_api_requests_total{method="GET",route="/sites/{site_id}",status="404"} 1.0' in text
    assert 'reference_api_nodes{site="uc",state="available"} 1.0' in text

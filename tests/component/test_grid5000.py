"""The status of sites and clusters in the form of Grid'5000, whose clients choose nodes by it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.http.handlers.grid5000 import reservation
from shared.availability import AvailabilityState, Interval
from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.component.test_planning import block
from tests.inventories import HOUR, NOW, booked, cluster, inventory, node_document, polled, site

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    """Of uc `a` and `b` can be reserved, `c` is in maintenance, `d` is unreadable; tacc and edge were never synced."""
    made = await serving(aiohttp_client)
    made.serve(
        inventory(
            site("uc", cluster("uc", "main", map(node_document, "abcd"))),
            site("tacc", cluster("tacc", "other", [node_document("e")])),
            site("edge"),
        )
    )
    made.learn(
        polled(
            "uc",
            booked((-2, -1), (0, 1), (1, 2), (5, 7), node_id="a"),
            booked((-1, 0), (3, 4), node_id="b"),
            booked((0, 1), node_id="c", maintenance=True),
            booked(node_id="d", unreadable=True),
        )
    )
    return made


def taken(start: float, end: float) -> dict[str, Any]:
    seconds = int((NOW + start * HOUR).timestamp())
    return {
        **block(start, end),
        "started_at": seconds,
        "scheduled_at": seconds,
        "walltime": int((end - start) * 3600),
        "queue": "default",
    }


async def test_a_status_has_the_states_and_bookings_of_every_node(service: Service) -> None:
    nodes = {
        "a": {"hard": "alive", "soft": "busy", "reservations": [taken(0, 2), taken(5, 7)]},
        "b": {"hard": "alive", "soft": "free", "reservations": [taken(3, 4)]},
        "c": {"hard": "dead", "soft": "unknown", "reservations": [taken(0, 1)]},
        "d": {"hard": "suspected", "soft": "unknown", "reservations": []},
    }
    for path, uid in (("/sites/uc", "uc"), ("/sites/uc/clusters/main", "main")):
        links = [{"rel": "self", "href": f"{path}/status"}, {"rel": "parent", "href": path}]
        body = await service.json(f"{path}/status?job_details=no")
        assert body == {"uid": uid, "nodes": nodes, "stale": False, "links": links}
        assert rels(await service.json(path))["status"] == f"{path}/status"


async def test_only_a_node_that_can_be_reserved_is_neither_dead_nor_suspected(service: Service) -> None:
    items = (await service.json("/nodes/search"))["items"]
    for item in items:
        path = f"/sites/{item['site_id']}/clusters/{item['cluster_id']}/status"
        hard = (await service.json(path))["nodes"][item["uid"]]["hard"]
        usable = {AvailabilityState.AVAILABLE, AvailabilityState.RESERVED}
        assert (hard not in {"dead", "suspected"}) == (item["availability"] in usable), item["uid"]


async def test_a_site_never_synced_has_suspected_nodes_only_and_is_stale(service: Service) -> None:
    body = await service.json("/sites/tacc/status")
    assert body["nodes"] == {"e": {"hard": "suspected", "soft": "unknown", "reservations": []}}
    assert body["stale"]


async def test_a_site_never_synced_is_stale_even_without_nodes(service: Service) -> None:
    assert (await service.json("/sites/edge/status"))["stale"]
    service.learn(polled("edge"))
    assert not (await service.json("/sites/edge/status"))["stale"]


async def test_a_status_is_stale_once_the_site_is(service: Service) -> None:
    service.clock.now += timedelta(minutes=3)
    for path in ("/sites/uc/status", "/sites/uc/clusters/main/status"):
        assert (await service.json(path))["stale"]


@given(start=MOMENTS, length=st.timedeltas(timedelta(microseconds=1), timedelta(days=9000)))
def test_whole_seconds_cover_a_booking_and_no_further_second(start: datetime, length: timedelta) -> None:
    end = start + min(length, datetime.max.replace(tzinfo=UTC) - start)
    covered = reservation(Interval(start, end))
    first, walltime = covered["started_at"], covered["walltime"]
    assert isinstance(first, int)
    assert isinstance(walltime, int)
    microsecond, second = timedelta(microseconds=1), timedelta(seconds=1)
    assert 0 <= (start - EPOCH) // microsecond - first * 1_000_000 < second // microsecond
    assert 0 <= (first + walltime) * 1_000_000 - (end - EPOCH) // microsecond < second // microsecond


async def test_there_is_no_network_equipment_and_clients_that_ask_for_it_are_told_so(service: Service) -> None:
    for path, parent in (("/network_equipments", "/"), ("/sites/uc/network_equipments", "/sites/uc")):
        for form in (path, f"{path}.json", f"{path}/"):
            body = await service.json(form)
            assert (body["total"], body["items"], rels(body)) == (0, [], {"self": path, "parent": parent})
    await service.json("/sites/nowhere/network_equipments", status=404)
    await service.json("/network_equipments?limit=0", status=400)


async def test_without_an_inventory_nobody_is_told_that_there_is_no_network_equipment(
    aiohttp_client: AiohttpClient,
) -> None:
    service = await serving(aiohttp_client)
    for path in ("/network_equipments", "/sites/uc/network_equipments"):
        await service.json(path, status=503)

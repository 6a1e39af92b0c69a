"""Calendars over HTTP: what programs that subscribe to them are told."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar

from api_service import keys
from api_service.http.costly import AT_ONCE, COSTLY, MAX_WAITING
from api_service.http.handlers import calendars
from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import rels
from tests.component.test_planning import at, block, refused
from tests.inventories import NOW, booked, cluster, inventory, node_document, polled, site

MAIN = "/sites/uc/clusters/main/nodes"
MANY = "/nodes/availability.ics"


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    """Of uc `a` and `b` can be reserved, `c` is in maintenance, `d` is not listed; tacc was never synced."""
    made = await serving(aiohttp_client)
    uc = [node_document(uid, node_name=None, gpu={"gpu": uid == "a"}) for uid in ("a", "b", "c", "d", "{e}")]
    tacc = [node_document("f", node_name=None)]
    made.serve(inventory(site("uc", cluster("uc", "main", uc)), site("tacc", cluster("tacc", "other", tacc))))
    made.learn(
        polled(
            "uc",
            booked((-1, 1), (1, 2), (5, 7), (6, 8), node_id="a"),
            booked((3, 4), node_id="b"),
            booked((0, 1), node_id="c", maintenance=True),
            booked(node_id="{e}"),
        )
    )
    return made


async def calendar(service: Service, path: str) -> Any:
    response = await service.get(path)
    assert response.status == 200, await response.text()
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(await response.read())


async def summaries(service: Service, path: str) -> list[str]:
    return [str(event["SUMMARY"]) for event in (await calendar(service, path)).events]


def times(told: Any) -> list[dict[str, str]]:
    events = [event for event in told.events if event["SUMMARY"].endswith("reserved")]
    return [{"start": iso(event.DTSTART), "end": iso(event.DTEND)} for event in events]


def iso(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))


@pytest.mark.parametrize("uid", ["a", "b", "c", "{e}"])
async def test_a_nodes_calendar_has_the_bookings_that_its_availability_has(service: Service, uid: str) -> None:
    known = await service.json(f"{MAIN}/{uid}/availability")
    told = await calendar(service, rels(known)["calendar"])
    assert times(told) == known["reservations"]
    assert {iso(event["DTSTAMP"].dt) for event in told.events} <= {known["last_updated"]}
    assert str(told["NAME"]) == f"{uid} at uc/main"


@pytest.mark.parametrize(
    "query", ["", f"?start={at(2)}&end={at(6)}", "?gpu=true", "?site_id=uc&availability=available"]
)
async def test_a_calendar_of_many_nodes_has_the_bookings_that_their_availability_has(
    service: Service, query: str
) -> None:
    known = await service.json(f"/nodes/availability{query}")
    told = await calendar(service, rels(known)["calendar"])
    assert times(told) == [each for item in known["items"] for each in item["reservations"]]


@pytest.mark.parametrize("query", ["?site_id=edge", "?q=nothing-has-this"])
async def test_a_calendar_without_nodes_describes_the_sites_that_were_asked(service: Service, query: str) -> None:
    uc, edge = (site("uc", cluster("uc", "main", [node_document("a")])), site("edge"))
    service.serve(inventory(uc, edge))
    described = str((await calendar(service, f"{MANY}{query}"))["DESCRIPTION"]).splitlines()
    assert "Site edge: Never synced: nothing is known." in described
    assert any(line.startswith("Site uc: As of") for line in described) == (query == "?q=nothing-has-this")


async def test_a_booking_that_is_extended_or_shortened_keeps_its_uid_and_is_a_newer_form_of_it(
    service: Service,
) -> None:
    path, told = f"{MAIN}/b/availability.ics", []
    for generation, end in enumerate((4, 6, 5), start=2):
        now = service.clock.now = NOW + generation * timedelta(minutes=1)
        service.learn(polled("uc", booked((3, end), node_id="b"), at=now, generation=generation))
        (event,) = (await calendar(service, path)).events
        assert (iso(event.DTEND), event["LAST-MODIFIED"].dt) == (at(end), now)
        told.append((str(event["UID"]), int(event["SEQUENCE"])))
    assert len({uid for uid, _ in told}) == 1
    sequences = [sequence for _, sequence in told]
    assert sequences == sorted(set(sequences))
    assert max(sequences) < 2**31


async def test_two_replicas_tell_the_same_form_of_an_event(aiohttp_client: AiohttpClient, service: Service) -> None:
    other = await serving(aiohttp_client)
    other.serve(service.app[keys.INVENTORY].current)
    other.learn(*(site.snapshot for site in service.app[keys.AVAILABILITY].sites.values()))
    assert await (await other.get(MANY)).read() == await (await service.get(MANY)).read()


async def test_what_begins_with_the_day_is_a_newer_form_on_the_next_day_whatever_is_observed(service: Service) -> None:
    for path in (f"{MAIN}/d/availability.ics", "/sites/tacc/clusters/other/nodes/f/availability.ics"):
        service.clock.now = NOW
        (first,) = (await calendar(service, path)).events
        service.clock.now = NOW + timedelta(days=1)
        (second,) = (await calendar(service, path)).events
        assert (second["UID"], iso(second.DTSTART)) == (first["UID"], at(16))
        assert second["SEQUENCE"] > first["SEQUENCE"]


async def test_what_is_unknown_or_in_maintenance_is_busy_and_no_error(service: Service) -> None:
    assert await summaries(service, MANY) == [
        "a reserved",
        "a reserved",
        "b reserved",
        "c in maintenance",
        "c reserved",
        "d unknown",
        "f unknown",
    ]
    assert await summaries(service, f"{MAIN}/d/availability.ics") == ["d unknown"]
    assert await summaries(service, "/sites/tacc/clusters/other/nodes/f/availability.ics") == ["f unknown"]


async def test_what_is_unknown_is_busy_until_the_end_that_is_asked_for_or_for_a_year(service: Service) -> None:
    path = f"{MAIN}/d/availability.ics"
    for query, start, end in (
        ("", at(-8), at(366 * 24 - 8)),
        (f"?end={at(5)}", at(-8), at(5)),
        (f"?start={at(400 * 24)}", at(-8), at(766 * 24 - 8)),
        ("?start=9999-12-31", at(-8), "9999-12-31T23:59:59Z"),
    ):
        (event,) = (await calendar(service, path + query)).events
        assert (iso(event.DTSTART), iso(event.DTEND)) == (start, end)


async def test_a_window_keeps_the_bookings_that_meet_it_whole(service: Service) -> None:
    told = await calendar(service, f"{MAIN}/a/availability.ics?start={at(6)}&end={at(7)}")
    assert times(told) == [block(5, 8)]


async def test_a_calendar_is_named_after_its_filters(service: Service) -> None:
    assert str((await calendar(service, MANY))["NAME"]) == "All nodes"
    told = await calendar(service, f"{MANY}?gpu=true&site_id=uc&start={at(1)}")
    assert str(told["NAME"]) == r"Nodes with gpu=true\, site_id=uc"


@pytest.mark.parametrize("path", [f"{MAIN}/a/availability.ics", f"{MAIN}/{{e}}/availability.ics", MANY])
async def test_a_calendar_has_two_forms_and_answers_head_and_options(service: Service, path: str) -> None:
    bare, slashed = await service.get(path), await service.get(f"{path}/")
    assert await bare.read() == await slashed.read()
    assert (await service.client.head(path)).headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert (await service.client.options(path)).headers["Allow"] == "GET, HEAD, OPTIONS"
    assert (await service.get(f"{path}.json")).status == 404


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("gpus=true", "gpus", "did you mean gpu?"),
        ("limit=1", "limit", "there is no such parameter"),
        ("offset=1", "offset", "there is no such parameter"),
        ("version=" + "0" * 40, "version", "there is no such parameter"),
        (f"start={at(2)}&end={at(2)}", "end", "after start"),
        (f"end={at(0)}", "end", "past"),
    ],
)
async def test_a_calendar_that_cannot_be_told_is_a_400(service: Service, query: str, name: str, hint: str) -> None:
    await refused(service, f"{MANY}?{query}", name, hint)


async def test_a_nodes_calendar_ignores_what_nobody_knows_but_is_of_the_present_only(service: Service) -> None:
    path = f"{MAIN}/b/availability.ics"
    assert await summaries(service, f"{path}?pretty=yes") == ["b reserved"]
    await refused(service, f"{path}?branch=master", "branch", "present")
    await refused(service, f"{path}?end={at(0)}", "end", "past")


async def test_a_node_that_is_in_no_inventory_has_no_calendar(service: Service) -> None:
    await service.json(f"{MAIN}/nobody/availability.ics", status=404)


async def test_calendars_are_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound, name, enough in (("MAX_NODES", "site_id", 6), ("MAX_EVENTS", "end", 7)):
        monkeypatch.setattr(calendars, bound, enough - 1)
        await refused(service, MANY, name, f"more than {enough - 1}")
        monkeypatch.setattr(calendars, bound, enough)
        await calendar(service, MANY)


async def test_searches_and_sites_lead_to_the_calendar_of_their_nodes(service: Service) -> None:
    window = f"start={at(9)}&end={at(10)}"
    found = await service.json(f"/nodes/search?gpu=true&site_id=uc&{window}&limit=1")
    assert rels(found)["calendar"] == f"{MANY}?gpu=true&site_id=uc"
    assert rels(await service.json("/sites/uc"))["calendar"] == f"{MANY}?site_id=uc"
    listed = await service.json("/nodes/availability?gpu=true&offset=0&limit=1")
    assert rels(listed)["calendar"] == f"{MANY}?gpu=true"
    assert all(rels(item)["calendar"].endswith(f"/{item['node_id']}/availability.ics") for item in listed["items"])


async def test_a_calendar_waits_for_its_turn_or_is_refused_for_now(service: Service) -> None:
    held = threading.Event()
    work = [asyncio.create_task(service.app[COSTLY].do(held.wait)) for _ in range(AT_ONCE + MAX_WAITING)]
    await asyncio.sleep(0)
    for path in (MANY, f"{MAIN}/a/availability.ics"):
        assert (await service.get(path)).status == 503
    held.set()
    await asyncio.gather(*work)
    await calendar(service, MANY)

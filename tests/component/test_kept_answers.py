"""A search that was answered already is answered from memory, and never tells what is not so any more."""

from datetime import timedelta

import pytest

from api_service import keys
from api_service.domain.node_query import Match
from api_service.http.handlers import search
from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import HOUR, NOW, booked, cluster, inventory, node_document, polled, sha, site

MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    service = await serving(aiohttp_client)
    service.serve(inventory(site("a", cluster("a", "main", [node_document("n"), node_document("m")]))))
    service.learn(polled("a", booked((1, 2), node_id="n"), poll_interval=10 * HOUR))
    return service


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes that were told anew, one by one."""
    told: list[str] = []
    item = search._item

    def noted(match: Match, *rest: object) -> bytes:
        told.append(match.node.uid)
        return item(match, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "_item", noted)
    return told


async def states(service: Service, query: str = "") -> dict[str, tuple[str, bool]]:
    found = await service.json(f"/nodes/search{query}")
    return {each["uid"]: (each["availability"], each["stale"]) for each in found["items"]}


async def test_the_same_search_is_made_once(service: Service, made: list[str]) -> None:
    first = await service.json("/nodes/search")
    service.clock.now += HOUR - MOMENT
    assert await service.json("/nodes/search") == first
    assert made == ["m", "n"]


async def test_a_booking_that_begins_or_ends_is_told_at_that_moment(service: Service) -> None:
    assert await states(service) == {"n": ("available", False), "m": ("unknown", False)}
    service.clock.now = NOW + HOUR
    assert (await states(service))["n"] == ("reserved", False)
    service.clock.now = NOW + 2 * HOUR
    assert (await states(service))["n"] == ("available", False)


async def test_a_site_is_stale_as_soon_as_it_is(service: Service) -> None:
    service.clock.now = NOW + 30 * HOUR - MOMENT
    assert (await states(service))["m"] == ("unknown", False)
    service.clock.now = NOW + 30 * HOUR
    assert (await states(service))["m"] == ("unknown", True)


async def test_a_clock_that_is_set_back_is_believed(service: Service) -> None:
    service.clock.now = NOW + 2 * HOUR
    await states(service)
    service.clock.now = NOW + HOUR
    assert (await states(service))["n"] == ("reserved", False)


async def test_what_a_poll_finds_is_told_at_once(service: Service) -> None:
    await states(service)
    service.learn(polled("a", booked((-1, 2), node_id="n"), generation=2))
    assert (await states(service))["n"][0] == "reserved"


async def test_a_site_that_is_followed_no_more_is_unknown_at_once(service: Service) -> None:
    await states(service)
    (topic,) = service.app[keys.AVAILABILITY]._current
    service.app[keys.AVAILABILITY].drop(topic)
    assert (await states(service))["n"] == ("unknown", True)


async def test_another_commit_is_told_at_once(service: Service) -> None:
    await states(service)
    service.serve(inventory(site("a", cluster("a", "main", [node_document("n")])), version=sha("next")))
    assert await states(service) == {"n": ("available", False)}


@pytest.mark.parametrize("query", ["?availability=available", "?sort=availability", "?facets=availability"])
async def test_what_states_choose_or_order_is_made_anew(service: Service, made: list[str], query: str) -> None:
    await states(service, query)
    before = len(made)
    await states(service, query)
    assert len(made) == 2 * before


async def test_what_is_free_in_a_window_is_made_anew(service: Service, made: list[str]) -> None:
    window = "?start=2026-11-22T11:00:00Z&end=2026-11-22T12:00:00Z"
    assert [*await states(service, window), *await states(service, window)] == ["n", "n"]
    assert made == ["n", "n"]


async def test_a_search_of_the_past_is_none_of_the_present(service: Service) -> None:
    assert await states(service, "?offset=1") == {"n": ("available", False)}
    assert (await service.get(f"/nodes/search?version={sha('none')}")).status == 404
    assert (await service.get(f"/nodes/search?version={sha('none')}")).status == 404

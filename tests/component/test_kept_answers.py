"""What was answered already is answered from memory, and never tells what is not so any more."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from api_service import keys
from api_service.domain.inventory import Inventory
from api_service.domain.node_query import Match
from api_service.http.handlers import search
from api_service.http.kept_answers import KEPT_ANSWERS, Asked, Kept
from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import HOUR, NOW, booked, cluster, inventory, linear_history, node_document, polled, sha, site

MOMENT = timedelta(microseconds=1)
NODE = "/sites/a/clusters/main/nodes/n"
ASKED = (
    "/",
    "/sites",
    "/sites/a",
    "/sites/a/availability",
    "/sites/a/clusters/main/nodes",
    NODE,
    f"{NODE}?version={sha('1')}",
    f"{NODE}?version={sha('1')[:8]}",
    f"{NODE}/versions",
    f"{NODE}/availability",
    f"{NODE}/availability.json",
    "/sites/a/clusters/main/nodes/m/availability",
    "/nodes/search",
    "/nodes/search?limit=1&facets=gpu.gpu",
    "/nodes/search?availability=available",
    "/nodes/search.json?uid=n",
    "/nodes/search?start=2026-11-22T20:00:00Z&end=2026-11-25T20:00:00Z",
    "/nodes/search?start=2026-11-24T20:00:00Z&end=2026-11-30T20:00:00Z",
)
CODINGS = ("", "gzip", "zstd;q=0.5, identity", "identity;q=0, gzip")
TELLING = (
    "Content-Type",
    "Content-Encoding",
    "Cache-Control",
    "ETag",
    "Last-Modified",
    "Vary",
    "Link",
    "Accept-Ranges",
)


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


async def test_what_is_told_again_is_counted_and_logged_like_any_other_answer(service: Service) -> None:
    with capture_logs() as logs:
        ids = [(await service.get(NODE, headers={"X-Request-ID": name})).headers["X-Request-ID"] for name in "abc"]
    assert ids == [each["request_id"] for each in logs if each["event"] == "request"] == ["a", "b", "c"]
    numbers = await (await service.get("/metrics")).text()
    route = 'route="/sites/{site_id}/clusters/{cluster_id}/nodes/{node_id}"'
    assert f'reference_api_requests_total{{method="GET",{route},status="200"}} 3.0' in numbers
    assert f"reference_api_request_seconds_count{{{route}}} 3.0" in numbers


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


async def test_what_is_free_in_a_window_is_made_anew_once_it_has_begun(service: Service, made: list[str]) -> None:
    service.learn(polled("a", booked((1, 2), node_id="n"), generation=2, poll_interval=10 * HOUR))
    window = "?start=2026-11-22T09:30:00Z&end=2026-11-22T12:00:00Z"
    for moment, nodes, anew in (
        (NOW, [], 0),
        (NOW + 1.5 * HOUR - MOMENT, [], 0),
        (NOW + 2 * HOUR - MOMENT, [], 0),
        (NOW + 2 * HOUR, ["n"], 1),
        (NOW + 2 * HOUR, ["n"], 1),
    ):
        made.clear()
        service.clock.now = moment
        assert [*await states(service, window)] == nodes
        assert len(made) == anew
    later = "?start=2026-11-22T11:00:00Z&end=2026-11-22T12:00:00Z"
    for anew in (1, 0):
        made.clear()
        assert [*await states(service, later)] == ["n"]
        assert len(made) == anew


async def test_a_search_of_the_past_is_none_of_the_present(service: Service) -> None:
    assert await states(service, "?offset=1") == {"n": ("available", False)}
    assert (await service.get(f"/nodes/search?version={sha('none')}")).status == 404
    assert (await service.get(f"/nodes/search?version={sha('none')}")).status == 404


async def told(service: Service, path: str, **headers: str) -> tuple[int, dict[str, list[str]], bytes]:
    """All of an answer but its id and its date."""
    response = await service.client.get(path, headers=headers, auto_decompress=False)
    about = {name: response.headers.getall(name, []) for name in TELLING}
    assert response.headers["X-Request-ID"]
    return response.status, about, await response.read()


def changes(seed: int) -> Iterator[tuple[str, int]]:
    """A hundred of them, and how much; between any two a few questions are asked."""
    dice, kinds = random.Random(seed), ("time passes", "a moment", "a poll", "the clock goes back", "a commit", "none")
    for _ in range(100):
        (kind,) = dice.choices(kinds, (6, 4, 4, 1, 1, 4))
        yield kind, dice.randrange(1, 40)


def change(services: Iterable[Service], kind: str, much: int, generation: int) -> None:
    for service in services:
        now = service.clock.now
        match kind:
            case "time passes":
                service.clock.now += much * HOUR / 4
            case "a moment":
                service.clock.now += MOMENT
            case "the clock goes back":
                service.clock.now -= HOUR / 2
            case "a poll":
                node = booked((0, much / 8), (much / 4, much), node_id="n", now=now, maintenance=much % 3 == 0)
                service.learn(polled("a", node, generation=generation, at=now, poll_interval=much * HOUR / 8))
            case "a commit":
                service.serve(hardware(generation))
            case _:
                pass


def hardware(number: int) -> Inventory:
    nodes = [node_document(uid, serial=number) for uid in ("n", "m")]
    return inventory(
        site("a", cluster("a", "main", nodes)), version=sha("2"), history=linear_history({"a"}, {"b"}, {"c"})
    )


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_kept_is_what_would_be_made_again(aiohttp_client: AiohttpClient, seed: int) -> None:
    keeping, forgetful = [await serving(aiohttp_client) for _ in range(2)]
    forgetful.app[KEPT_ANSWERS]._most_bytes = 0
    found: Counter[bool] = Counter()
    get = keeping.app[KEPT_ANSWERS].get

    def counted(asked: Asked) -> Kept | None:
        kept: Kept | None = get(asked)
        found[kept is not None] += 1
        return kept

    keeping.app[KEPT_ANSWERS].get = counted
    change([keeping, forgetful], "a commit", 0, 0)
    dice = random.Random(seed)
    known = ["", "*", '"none"']
    for generation, (kind, much) in enumerate(changes(seed), 1):
        change([keeping, forgetful], kind, much, generation)
        for _ in range(8):
            path, headers = dice.choice(ASKED), {"Accept-Encoding": dice.choice(CODINGS)}
            if dice.random() < 0.3:
                headers["If-None-Match"] = dice.choice(known)
            if dice.random() < 0.1:
                headers["If-Modified-Since"] = "Sun, 22 Nov 2026 07:00:00 GMT"
            expected = await told(forgetful, path, **headers)
            assert await told(keeping, path, **headers) == expected, (generation, path, headers)
            known += expected[1]["ETag"]
    assert found[True] > 50, found

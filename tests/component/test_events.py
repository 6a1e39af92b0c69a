"""The live feed over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientResponse

from api_service import keys
from api_service.app import create_app, events, feed
from api_service.domain.inventory import Inventory
from api_service.http.event_frames import TOLD_AT_ONCE, EventFrames
from api_service.http.event_stream import READERS, EventStream
from api_service.settings import Settings
from shared.availability import SiteAvailability, utc_now
from shared.embedded import EmbeddedTransport
from shared.messages import encode
from shared.topology import Topic
from tests.component.serving import AiohttpClient, Service, serving
from tests.eventually import LONG_SECONDS, until
from tests.followed import Client, whole
from tests.inventories import HOUR, NOW, booked, cluster, inventory, linear_history, node_document, polled, sha, site

type Serve = Callable[..., Awaitable[Service]]


def holding(commit: int = 0, **nodes: list[str]) -> Inventory:
    """Sites with these nodes, at a commit of a history that is always the same."""
    history = linear_history(*[["sites"]] * (commit + 1))
    sites = (site(uid, cluster(uid, "main", map(node_document, ids))) for uid, ids in nodes.items())
    return inventory(*sites, version=history.head, history=history)


def two_sites() -> Inventory:
    return holding(uc=["n1", "n2"], tacc=["n3"])


def first_poll() -> SiteAvailability:
    return polled("uc", booked(node_id="n1"), booked(node_id="n2"))


@pytest.fixture
async def serve(aiohttp_client: AiohttpClient) -> Serve:
    async def made(*, settings: Settings | None = None) -> Service:
        service = await serving(aiohttp_client, settings=settings)
        service.serve(two_sites())
        service.learn(first_poll())
        return service

    return made


@pytest.fixture
async def service(serve: Serve) -> Service:
    return await serve()


class Reader:
    """What comes on one stream, event by event."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.client = Client()

    async def next(self) -> tuple[str, Any]:
        """The next event's name and data."""
        async with asyncio.timeout(LONG_SECONDS):
            while True:
                if event := self.client.read((await self.response.content.readuntil(b"\n\n")).decode()):
                    return event

    async def greeting(self, count: int = 3) -> list[str]:
        """The names of the first events, with their sites."""
        found = [await self.next() for _ in range(count)]
        return [f"{kind} {data.get('site_id', '')}".strip() for kind, data in found]


@asynccontextmanager
async def following(service: Service, query: str = "", **headers: str) -> AsyncIterator[Reader]:
    async with service.client.get(f"/events{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Reader(response)


async def tell(service: Service) -> None:
    await service.app[READERS].tell()


async def test_who_connects_has_the_whole_map_and_then_hears_of_every_change(service: Service) -> None:
    async with following(service) as reader:
        assert await reader.greeting() == ["inventory", "resync tacc", "resync uc"]
        known = service.app[keys.INVENTORY].current, service.app[keys.AVAILABILITY]
        assert reader.client.sites == whole(*known, service.clock.now)
        service.learn(polled("uc", booked(node_id="n1"), booked((0, 1), node_id="n2"), generation=2))
        await tell(service)
        kind, data = await reader.next()
        assert (kind, data["site_id"], data["generation"]) == ("availability", "uc", 2)
        assert data["nodes"] == [
            {
                "node_id": "n2",
                "cluster_id": "main",
                "availability": "reserved",
                "availability_until": "2026-11-22T09:00:00Z",
                "maintenance": False,
                "reservations": [{"start": "2026-11-22T08:00:00Z", "end": "2026-11-22T09:00:00Z"}],
            }
        ]
        assert reader.client.sites == whole(*known, service.clock.now)


async def test_a_poll_that_changes_no_node_is_one_small_event(service: Service) -> None:
    async with following(service, "?site_id=uc") as reader:
        await reader.greeting(2)
        service.clock.now += HOUR / 60
        service.learn(polled("uc", booked(node_id="n1"), booked(node_id="n2"), generation=2, at=service.clock.now))
        await tell(service)
        told = {"site_id": "uc", "generation": 2, "last_updated": "2026-11-22T08:01:00Z", "stale": False, "nodes": []}
        assert await reader.next() == ("availability", told)


async def test_what_time_alone_changes_is_told(service: Service) -> None:
    service.learn(polled("uc", booked((0.01, 1), node_id="n1"), booked(node_id="n2"), generation=2))
    async with following(service, "?site_id=uc") as reader:
        await reader.greeting(2)
        assert await service.app[READERS].tell() <= 5
        for hours, changed, stale in ((0.01, ["n1"], False), (0.05, [], True), (1, ["n1"], True)):
            service.clock.now = NOW + hours * HOUR
            await tell(service)
            _, data = await reader.next()
            assert ([node["node_id"] for node in data["nodes"]], data["stale"]) == (changed, stale)


@pytest.mark.parametrize("way", ["header", "last_event_id", "lastEventId", "both", "header first"])
async def test_who_comes_back_to_any_replica_is_told_what_was_missed(serve: Serve, way: str) -> None:
    first, second = await serve(), await serve()
    async with following(first) as reader:
        await reader.greeting()
        seen = reader.client.last_event_id
    second.app[READERS].live.advance()
    second.learn(polled("uc", booked((0, 1), node_id="n1"), booked(node_id="n2"), generation=2))
    query = {"header": "", "both": f"?last_event_id=old&lastEventId={seen}", "header first": "?lastEventId=old"}
    headers = {"Last-Event-ID": seen} if "header" in way else {}
    async with following(second, query.get(way, f"?{way}={seen}"), **headers) as again:
        again.client = reader.client
        assert (await again.next())[0] == "inventory"
        assert (await again.next())[1]["nodes"] == []
        kind, data = await again.next()
        assert (kind, [node["node_id"] for node in data["nodes"]]) == ("availability", ["n1"])
        assert again.client.sites == whole(two_sites(), second.app[keys.AVAILABILITY], NOW)


@pytest.mark.parametrize("seen", ["garbage", "-;uc=1.2.3", "x" * 7000, "\u00e9\u00e9"])
async def test_an_id_that_nobody_understands_counts_as_none(service: Service, seen: str) -> None:
    async with following(service, **{"Last-Event-ID": seen}) as reader:
        assert await reader.greeting() == ["inventory", "resync tacc", "resync uc"]


async def test_a_new_commit_is_told_and_a_site_with_other_nodes_whole(service: Service) -> None:
    async with following(service) as reader:
        await reader.greeting()
        service.serve(holding(1, uc=["n1", "n2", "n9"]))
        await tell(service)
        assert await reader.next() == ("inventory", {"version": sha("1"), "sites": ["uc"]})
        kind, data = await reader.next()
        assert (kind, [node["availability"] for node in data["nodes"]]) == ("resync", ["available"] * 2 + ["unknown"])
        assert set(reader.client.sites) == {"uc"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?site_id=uc", {"uc": ["n1", "n2"]}),
        ("?site_id=uc,tacc&node_id=n2", {"uc": ["n2"], "tacc": []}),
        ("?node_id=n1&node_id=n3", {"tacc": ["n3"], "uc": ["n1"]}),
    ],
)
async def test_filters_keep_what_is_asked_for(service: Service, query: str, told: dict[str, list[str]]) -> None:
    told = {site_id: nodes for site_id, nodes in told.items() if nodes}
    async with following(service, query) as reader:
        await reader.greeting(1 + len(told))
        sites = reader.client.sites.items()
        assert {uid: [node["node_id"] for node in each["nodes"].values()] for uid, each in sites} == told


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/events?site_id=nowhere", 404, "there is no site 'nowhere'"),
        ("/events?node_id=n1&node_id=n0", 404, "there is no node 'n0'"),
        ("/events?site_id=tacc&node_id=n1", 404, "there is no node 'n1' at these sites"),
        ("/events?sites=uc", 400, "sites: there is no such parameter; did you mean site_id?"),
        ("/events?site_id=", 400, "site_id: must not be empty"),
        ("/events.json", 404, "there is nothing at '/events.json'"),
    ],
)
async def test_what_cannot_be_followed_is_refused(service: Service, path: str, status: int, detail: str) -> None:
    assert (await service.json(path, status=status))["detail"] == detail


async def test_nothing_can_be_followed_before_there_is_an_inventory(aiohttp_client: AiohttpClient) -> None:
    service = await serving(aiohttp_client)
    response = await service.get("/events")
    assert (response.status, response.headers["Retry-After"]) == (503, "10")


async def test_a_stream_bears_every_header_from_its_beginning(service: Service) -> None:
    for method in ("GET", "HEAD"):
        headers = {"Origin": "https://portal.example", "X-Request-ID": "abc"}
        async with service.client.request(method, "/events", headers=headers) as response:
            told = response.headers
            assert response.status == 200
            assert told["Content-Type"] == "text/event-stream"
            assert told["Cache-Control"] == "no-store"
            assert told["X-Accel-Buffering"] == "no"
            assert told["X-Request-ID"] == "abc"
            assert told["X-Content-Type-Options"] == "nosniff"
            assert told["Access-Control-Allow-Origin"] == "*"
            if method == "HEAD":
                assert await response.read() == b""


async def test_one_reader_too_many_is_asked_to_come_later_and_welcome_when_another_has_gone(serve: Serve) -> None:
    service = await serve(settings=Settings.model_validate({"server": {"max_event_readers": 1}}))
    readers = service.app[READERS]
    readers.heartbeat_seconds = 3600
    async with following(service) as reader:
        await reader.greeting()
        refused = await service.get("/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        assert (await service.json("/status"))["events"]["readers"] == 1
        (stream,) = readers._open
        reader.response.close()
    # Its place is free long before the next heartbeat misses it.
    await until(lambda: not stream.has_client)
    assert len(readers) == 1
    async with following(service) as reader:
        await reader.greeting()
        assert len(readers) == 1
        # Else whoever comes and goes quickly would leave as much behind as fits between two heartbeats.
        await until(lambda: not stream.is_connected())


async def test_a_stream_ends_in_good_order_when_too_much_is_being_made_for_others(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.serve(holding(uc=[f"n{number}" for number in range(TOLD_AT_ONCE + 1)]))
    service.app[READERS]._frames = EventFrames(most_readers=-1)
    async with following(service) as reader:
        assert await reader.greeting(1) == ["inventory"]
        async with asyncio.timeout(LONG_SECONDS):
            assert await reader.response.content.read() == b""
    assert len(service.app[READERS]) == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_quiet_stream_has_heartbeats(service: Service) -> None:
    service.app[READERS].heartbeat_seconds = 0.02
    async with following(service) as reader:
        await reader.greeting()
        async with asyncio.timeout(LONG_SECONDS):
            assert await reader.response.content.readuntil(b"\n\n") == b": ping\n\n"


@asynccontextmanager
async def deaf(service: Service) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """A client that asks for events and takes none. What is given tells it more, and says whether it is stuck."""
    nodes, readers, generations = [f"n{number}" for number in range(1000)], service.app[READERS], count(2)
    service.serve(holding(uc=nodes))

    async def tell_more() -> bool:
        now = next(generations)
        service.learn(polled("uc", *(booked((now, now + 1), node_id=each) for each in nodes), generation=now))
        await tell(service)
        await asyncio.sleep(0)
        return is_stuck(stream)

    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, (service.client.host, service.client.port))
        client.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(readers) == 1)
        (stream,) = readers._open
        yield tell_more


def is_stuck(stream: EventStream) -> bool:
    """Whether more waits for the client than is sent without regard to it."""
    transport = stream._request.transport
    return transport is not None and transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]


async def test_a_reader_that_takes_nothing_is_dropped_and_counted(service: Service) -> None:
    readers = service.app[READERS]
    readers.send_seconds = 0.1
    async with deaf(service) as tell_more, asyncio.timeout(LONG_SECONDS):
        while not readers.dropped:
            await tell_more()
        await until(lambda: len(readers) == 0)
    numbers = await (await service.get("/metrics")).text()
    assert "reference_api_event_readers_dropped_total 1.0" in numbers
    assert "reference_api_event_readers 0.0" in numbers


async def test_the_service_ends_at_once_though_streams_are_open_and_one_takes_nothing(service: Service) -> None:
    async with deaf(service) as tell_more, following(service, "?node_id=n1") as reader:
        await reader.next()
        # The kernel may take more for it a moment later.
        while not all([await tell_more() for _ in range(20)]):
            pass
        async with asyncio.timeout(LONG_SECONDS):
            await service.app.shutdown()
            while await reader.response.content.readany():
                pass
            await until(lambda: len(service.app[READERS]) == 0)


async def test_an_event_comes_from_the_log_to_the_reader_by_itself(aiohttp_client: AiohttpClient) -> None:
    log = EmbeddedTransport()
    service = Service(await aiohttp_client(create_app(Settings(), transport=log, contexts=(feed, events))))
    service.serve(two_sites())
    async with following(service, "?site_id=uc") as reader:
        await reader.greeting(2)
        now = utc_now()
        async with log.session("test") as session:
            topic = Topic("uc")
            await session.declare([topic])
            snapshot = polled("uc", booked((-1, 1), node_id="n1", now=now), at=now)
            await session.publish(topic, encode(snapshot, source="/test"))
        kind, data = await reader.next()
        assert (kind, [node["availability"] for node in data["nodes"]]) == ("availability", ["reserved"])

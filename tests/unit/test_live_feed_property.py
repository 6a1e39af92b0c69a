"""Whatever happens to the log, the replicas and the connection: who follows the feed ends with what there is."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.follower import LONGEST_PATIENCE, PATIENCE, Follower, Selection
from api_service.domain.inventory import Inventory, InventoryStore
from api_service.domain.live_map import LiveMap
from api_service.domain.resume_token import ResumeToken
from api_service.http.event_frames import EventFrames
from shared.availability import NodeAvailability, SiteAvailability
from shared.topology import Topic
from tests.followed import Client, whole
from tests.inventories import NOW, booked, cluster, inventory, linear_history, node_document, polled, site

SITES = ("a", "b")
SECOND = timedelta(seconds=1)


@dataclass
class World:
    """The clock, the commits, and a stream for each site: pairs of the stream's birth and a message."""

    now: datetime = NOW
    commits: list[Inventory] = field(default_factory=list)
    streams: dict[str, list[tuple[int, SiteAvailability]]] = field(default_factory=lambda: {each: [] for each in SITES})
    births: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))

    def current(self, site_id: str) -> list[SiteAvailability]:
        """What the site's stream holds: before its last birth, nothing."""
        return [each for birth, each in self.streams[site_id] if birth == self.births[site_id]]

    def commit(self, nodes: dict[str, str]) -> None:
        history = linear_history(*[["sites"]] * (len(self.commits) + 1))
        sites = (site(each, cluster(each, "main", map(node_document, ids))) for each, ids in nodes.items())
        self.commits.append(inventory(*sites, version=history.head, history=history))

    def birth_of(self, told: dict[str, Any]) -> int:
        """Of the stream that told it."""
        site_id, generation, moment = (told[key] for key in ("site_id", "generation", "last_updated"))
        return next(
            birth
            for birth, each in self.streams[site_id]
            if each.generation == generation and each.observed_at == datetime.fromisoformat(moment)
        )

    def newest(self, site_id: str) -> int | None:
        return max((each.generation for each in self.current(site_id)), default=None)

    def poll(self, site_id: str, nodes: tuple[NodeAvailability, ...], *, ahead: int = 0, late: int = 0) -> None:
        """One whose clock may run ahead, or that began before the one before it: then it is late, or its twin."""
        # No two polls begin at one moment, though they may bear one generation.
        self.now += SECOND / 1000
        newest = self.newest(site_id)
        follows = newest - late if newest and newest > late else newest
        generation = max(int((self.now - NOW) / SECOND) + 1 + ahead, (follows or 0) + 1)
        snapshot = polled(site_id, *nodes, at=self.now, generation=generation)
        self.streams[site_id].append((self.births[site_id], replace(snapshot, follows=follows)))


@dataclass
class Replica:
    """One that may know less than another."""

    world: World
    store: InventoryStore = field(default_factory=InventoryStore)
    map: AvailabilityMap = field(default_factory=AvailabilityMap)
    read: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))
    births: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))

    def __post_init__(self) -> None:
        self.store.replace(self.world.commits[-1])
        self.live = LiveMap(self.store, self.map, lambda: self.world.now)
        self.frames = EventFrames(most_readers=1)
        for site_id, stream in self.world.streams.items():
            # The newest message only.
            self.read[site_id] = max(0, len(stream) - 1)
            self.births[site_id] = self.world.births[site_id]
            self.catch_up(site_id)

    def catch_up(self, site_id: str, most: int = 1000) -> None:
        """As a reader of the topic does it."""
        for birth, snapshot in self.world.streams[site_id][self.read[site_id] :][:most]:
            self.read[site_id] += 1
            if birth < self.world.births[site_id]:
                continue  # it was wiped before it could be read
            if birth != self.births[site_id]:
                self.births[site_id] = birth
                self.map.forget_generation(Topic(site_id))
            self.map.replace(snapshot, received_at=self.world.now)

    def load(self) -> None:
        self.store.replace(self.world.commits[-1])


class Session:
    """The client and the replica that it is connected to; what is on its way may be lost."""

    def __init__(self, world: World, node_ids: frozenset[str] | None) -> None:
        self.world, self.node_ids = world, node_ids
        self.client = Client()
        self.replicas = [Replica(world), Replica(world)]
        self.at: Replica | None = None
        self.waiting: Iterator[Any] = iter(())

    def poll(self, site_id: str, nodes: list[Any], ahead: int, late: int, heard_by: tuple[int, ...]) -> None:
        made = (booked(*hours, node_id=node_id, now=self.world.now, **more) for node_id, hours, more in nodes)
        self.world.poll(site_id, tuple(made), ahead=ahead, late=late)
        for number in heard_by:
            self.replicas[number].catch_up(site_id)

    def let_pass(self, seconds: int) -> None:
        self.world.now += seconds * SECOND

    def reborn(self, site_id: str) -> None:
        self.world.births[site_id] += 1

    def commit(self, nodes: dict[str, str], heard_by: tuple[int, ...]) -> None:
        self.world.commit(nodes)
        for number in heard_by:
            self.load(number)

    def load(self, number: int) -> None:
        self.replicas[number].load()

    def catch_up(self, number: int, site_id: str, most: int) -> None:
        self.replicas[number].catch_up(site_id, most)

    def restart(self, number: int) -> None:
        self.lose(number)
        self.replicas[number] = Replica(self.world)

    def connect(self, number: int) -> None:
        replica = self.replicas[number]
        replica.live.advance()
        self.at = replica
        self.claimed, self.came = ResumeToken.parse(self.client.last_event_id), self.world.now
        self.follower = Follower(replica.live, Selection(node_ids=self.node_ids), self.claimed)
        self.waiting = iter(())

    def lose(self, number: int) -> None:
        """The connection, if it is to that replica."""
        if self.at is self.replicas[number]:
            self.at = None

    def receive(self, most: int) -> int:
        """Reads some of what comes; says how many events those were."""
        if self.at is None:
            return 0
        self.at.live.advance()
        for number in range(most):
            event = next(self.waiting, None)
            if event is None:
                self.waiting = self.follower.events()
                event = next(self.waiting, None)
            if event is None:
                return number
            frame = self.at.frames.of(event)
            if frame:
                self.client.read(f"{frame.decode()}id: {self.follower.token}\n\n")
            for _, had, told in self.client.led_back:
                if told["generation"] is None:
                    assert self.has_waited_for(told["site_id"]), "what it had was taken away at once"
                else:
                    assert self.world.birth_of(had) < self.world.birth_of(told), "led back in one stream"
            self.client.led_back.clear()
        return most

    def has_waited_for(self, site_id: str) -> bool:
        """Whether the replica had its time to learn of the site what the client came with."""
        claim = self.claimed.positions.get(site_id)
        too_old = claim is not None and self.world.now >= claim.as_of + LONGEST_PATIENCE
        return too_old or self.world.now >= self.came + PATIENCE

    def receive_all(self) -> None:
        assert self.receive(100) < 100, "it never ends"

    def check(self) -> None:
        """What was received is what there is, but for what the client knows better."""
        if self.at is None:
            return
        self.receive_all()
        served = self.at.store.current
        if self.claimed.version and self.claimed.version not in served.history.commits:
            return
        for site_id, expected in whole(served, self.at.map, self.world.now, self.node_ids).items():
            told = self.client.sites.get(site_id)
            if told is None:
                assert not expected["nodes"], "a site of which the client was told nothing"
            elif (told["generation"] or 0) <= (expected["generation"] or 0) or (
                expected["generation"] is None and self.has_waited_for(site_id)
            ):
                assert told == expected


nodes_of_a_poll = st.lists(
    st.builds(
        lambda node_id, hours, **more: (node_id, [(start, start + length) for start, length in hours], more),
        st.sampled_from("xyz"),
        st.lists(st.tuples(st.sampled_from([-1, 0.005, 0.01, 1]), st.sampled_from([0.01, 1.1, 2])), max_size=2),
        maintenance=st.booleans(),
        unreadable=st.sampled_from([False, False, True]),
    ),
    max_size=3,
    unique_by=lambda each: each[0],
)
which = st.sampled_from([0, 1])
hearers = st.sampled_from([(0, 1), (0, 1), (0,), (1,), ()])
site_ids = st.sampled_from(SITES)
rosters = st.fixed_dictionaries(
    {"a": st.sampled_from(["x", "xy", "xyz"])}, optional={"b": st.sampled_from(["x", "yz"])}
)
steps = st.one_of(
    st.tuples(
        st.just("poll"),
        site_ids,
        nodes_of_a_poll,
        st.sampled_from([0, 0, 0, 5000]),
        st.sampled_from([0, 0, 1]),
        hearers,
    ),
    st.tuples(st.just("let_pass"), st.sampled_from([1, 30, 59, 61, 200, 1800, 3600])),
    st.tuples(st.just("connect"), which),
    st.tuples(st.just("catch_up"), which, site_ids, st.integers(1, 3)),
    st.tuples(st.sampled_from(["lose", "restart", "load"]), which),
    st.one_of(st.tuples(st.just("reborn"), site_ids), st.tuples(st.just("commit"), rosters, hearers)),
)
received = st.sampled_from([None, None, 0, 1, 2])
"""How many events arrive before the next step; None: all."""


@given(
    node_ids=st.sampled_from([None, frozenset("x"), frozenset("yz")]),
    taken=st.lists(st.tuples(steps, received), min_size=10, max_size=30),
    last=which,
)
@settings(max_examples=100)
def test_who_follows_the_feed_over_losses_lags_and_restarts_ends_with_what_the_replica_answers(
    node_ids: frozenset[str] | None, taken: list[Any], last: int
) -> None:
    world = World()
    world.commit({"a": "xy", "b": "xz"})
    session = Session(world, node_ids)
    for (name, *arguments), most in taken:
        getattr(session, name)(*arguments)
        if most is None:
            session.check()
        else:
            session.receive(most)
    replica = session.replicas[last]
    if session.at is not replica:
        session.connect(last)
    replica.load()
    for site_id in SITES:
        replica.catch_up(site_id)
        session.check()
        # A poll that nobody can have seen before it came.
        world.now += 61 * SECOND
        world.poll(site_id, (booked((0, 1), node_id="x", now=world.now),))
        replica.catch_up(site_id)
    session.receive_all()
    expected = whole(replica.store.current, replica.map, world.now, node_ids)
    if node_ids is not None:
        expected = {
            site_id: told for site_id, told in expected.items() if told["nodes"] or site_id in session.client.sites
        }
    assert session.client.sites == expected
    assert session.client.version == replica.store.current.version
    session.check()

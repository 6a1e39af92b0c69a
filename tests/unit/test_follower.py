"""What one client of the live feed is told, and when it is not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.follower import (
    LONGEST_PATIENCE,
    PATIENCE,
    BehindEvent,
    Event,
    Follower,
    InventoryEvent,
    Selection,
    SiteEvent,
)
from api_service.domain.inventory import InventoryStore
from api_service.domain.live_map import REMEMBERED, LiveMap
from api_service.domain.resume_token import ResumeToken
from api_service.http.event_frames import EventFrames
from shared.availability import MAX_GENERATION, SiteAvailability
from shared.topology import Topic
from tests.inventories import (
    HOUR,
    NOW,
    booked,
    cluster,
    inventory,
    linear_history,
    node_document,
    polled,
    sha,
    site,
)

MINUTE = timedelta(minutes=1)
EVERYTHING = Selection()
NOTHING = ResumeToken()


class Replica:
    """One of the API service, as far as the live feed concerns it."""

    def __init__(self, *snapshots: SiteAvailability, nodes: str = "xy", version: str | None = None) -> None:
        self.now = NOW
        self.store, self.map = InventoryStore(), AvailabilityMap()
        self.serve(nodes, version=version)
        self.live = LiveMap(self.store, self.map, self.clock)
        self.learn(*snapshots)
        self.live.advance()

    def clock(self) -> datetime:
        return self.now

    def serve(self, nodes: str, *, version: str | None = None, commits: int = 1) -> None:
        history = linear_history(*[["a"]] * commits)
        sites = site("uc", cluster("uc", "main", map(node_document, nodes))), site("vc")
        self.store.replace(inventory(*sites, version=version and history.head, history=history))

    def learn(self, *snapshots: SiteAvailability) -> None:
        for snapshot in snapshots:
            assert self.map.replace(snapshot, received_at=self.now)

    def told(self, follower: Follower) -> list[Event]:
        self.live.advance()
        return list(follower.events())

    def seen(self) -> ResumeToken:
        """By a client that was told everything."""
        follower = Follower(self.live, EVERYTHING, NOTHING)
        self.told(follower)
        return follower.token


def of_uc(events: list[Event]) -> list[Event]:
    return [each for each in events if isinstance(each, SiteEvent) and each.after.site_id == "uc"]


def states(event: Event) -> dict[str, str]:
    assert isinstance(event, SiteEvent)
    return {node.node_id: node.availability.value for node in event.nodes()}


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def test_who_has_seen_nothing_is_told_the_inventory_and_then_every_site_whole() -> None:
    replica = Replica(polled("uc", booked(node_id="x")))
    events = replica.told(Follower(replica.live, EVERYTHING, NOTHING))
    assert events[0] == InventoryEvent(None, ("uc", "vc"))
    assert kinds(events) == ["inventory", "resync", "resync"]
    assert [states(each) for each in events[1:]] == [{"x": "available", "y": "unknown"}, {}]


def test_who_comes_back_to_another_replica_is_told_only_what_changed_meanwhile() -> None:
    first = polled("uc", booked(node_id="x"), booked(node_id="y"))
    second = polled("uc", booked((0, 1), node_id="x"), booked(node_id="y"), generation=2)
    other = Replica(first)
    other.live.advance()
    other.learn(second)
    (event,) = of_uc(other.told(Follower(other.live, EVERYTHING, Replica(first).seen())))
    assert isinstance(event, SiteEvent)
    assert event.kind == "availability"
    assert [node.node_id for node in event.nodes()] == ["x"]


def test_what_time_brought_meanwhile_is_told_too() -> None:
    snapshot = polled("uc", booked((0.5, 1), node_id="x"), booked(node_id="y"))
    seen, other = Replica(snapshot).seen(), Replica(snapshot)
    other.now += HOUR / 2
    (event,) = of_uc(other.told(Follower(other.live, EVERYTHING, seen)))
    assert isinstance(event, SiteEvent)
    assert [(node.node_id, node.availability) for node in event.nodes()] == [("x", "reserved")]


def test_more_than_the_remembered_polls_are_made_good_by_telling_the_site_whole() -> None:
    replica = Replica(polled("uc", booked(node_id="x")))
    seen = replica.seen()
    for generation in range(2, REMEMBERED + 3):
        (event,) = of_uc(replica.told(Follower(replica.live, EVERYTHING, seen)))
        assert event.kind == ("availability" if generation < REMEMBERED + 2 else "resync")
        replica.learn(polled("uc", booked(node_id="x"), generation=generation))


@pytest.mark.parametrize("hours", [0, 0.5, 1, 1.5, 2, 3])
def test_a_poll_that_tells_all_nodes_as_before_changes_nothing_of_when_time_will(hours: float) -> None:
    first = polled("uc", booked((1, 2), node_id="x"), booked((-1, 4), node_id="y"))
    second = polled(
        "uc", booked((1, 2), node_id="x"), booked((-1, 4), node_id="y"), generation=2, at=NOW + hours * HOUR
    )
    bounds = []
    for snapshot in (second, replace(second, nodes=first.nodes)):
        replica = Replica(first)
        replica.live.advance()
        replica.now += hours * HOUR
        replica.learn(snapshot)
        bounds.append((replica.live.advance(), replica.live.sites["uc"].next_bound))
    assert bounds[0] == bounds[1]


@pytest.mark.parametrize("hours", [0, 0.5, 1, 1.5, 2, 3])
def test_nodes_that_two_polls_share_are_told_only_when_time_changed_them(hours: float) -> None:
    first = polled("uc", booked((1, 2), node_id="x"), booked((-1, 4), node_id="y"))
    second = polled(
        "uc", booked((1, 2), node_id="x"), booked((-1, 4), node_id="y"), generation=2, at=NOW + hours * HOUR
    )
    seen = Replica(first).seen()
    for snapshot in (second, replace(second, nodes=first.nodes)):
        other = Replica(first)
        other.now += hours * HOUR
        other.learn(snapshot)
        (event,) = of_uc(other.told(Follower(other.live, EVERYTHING, seen)))
        assert states(event) == ({} if hours < 1 else {"x": "reserved" if hours < 2 else "available"})


def test_a_replica_that_is_behind_holds_a_site_until_it_has_caught_up() -> None:
    first, second = polled("uc", booked(node_id="x")), polled("uc", booked((0, 1), node_id="x"), generation=2)
    ahead, behind = Replica(first, second), Replica(first)
    seen = ahead.seen()
    follower = Follower(behind.live, EVERYTHING, seen)
    assert of_uc(behind.told(follower)) == []
    assert follower.token.positions["uc"] == seen.positions["uc"]
    behind.learn(second)
    (event,) = of_uc(behind.told(follower))
    assert isinstance(event, SiteEvent)
    assert event.nodes() == []


def test_a_replica_that_stays_behind_says_once_that_the_client_may_have_old_data() -> None:
    first = polled("uc", booked(node_id="x"))
    ahead, behind = Replica(first, polled("uc", booked(node_id="x"), generation=2)), Replica(first)
    follower = Follower(behind.live, EVERYTHING, ahead.seen())
    behind.told(follower)
    assert behind.told(follower) == []
    behind.now += PATIENCE
    assert behind.told(follower) == [BehindEvent("uc")]
    assert behind.told(follower) == []


def test_a_replica_that_goes_on_knowing_nothing_takes_back_what_was_known() -> None:
    ahead, behind = Replica(polled("uc", booked(node_id="x"))), Replica()
    follower = Follower(behind.live, EVERYTHING, ahead.seen())
    assert of_uc(behind.told(follower)) == []
    behind.now += PATIENCE
    (event,) = of_uc(behind.told(follower))
    assert (event.kind, states(event)) == ("resync", {"x": "unknown", "y": "unknown"})


def test_patience_is_no_longer_for_who_comes_back_again_and_again() -> None:
    first = polled("uc", booked(node_id="x"))
    ahead = Replica(first, polled("uc", booked(node_id="x"), generation=2), version=sha("0"))
    ahead.serve("xy", version=sha("1"), commits=2)
    ahead.live.advance()
    behind, blank, token = Replica(first, version=sha("0")), Replica(version=sha("0")), ahead.seen()
    for minutes in range(4):
        for replica in (behind, blank):
            replica.now = NOW + minutes * MINUTE
            follower = Follower(replica.live, EVERYTHING, token)
            replica.now += 50 * MINUTE / 60
            assert replica.told(follower) == []
            assert follower.token == token
    behind.now = blank.now = NOW + LONGEST_PATIENCE
    assert BehindEvent("uc") in behind.told(Follower(behind.live, EVERYTHING, token))
    assert kinds(of_uc(blank.told(Follower(blank.live, EVERYTHING, token)))) == ["resync"]


def test_a_moment_at_the_end_of_the_calendar_is_one_like_any_other() -> None:
    replica = Replica(polled("uc", booked(node_id="x")), version=sha("0"))
    made_up = ResumeToken.parse(f"{sha('9')};uc=900.{MAX_GENERATION}.0123456789ab")
    assert made_up.positions
    follower = Follower(replica.live, EVERYTHING, made_up)
    assert replica.told(follower) == []
    replica.now += PATIENCE
    assert BehindEvent("uc") in replica.told(follower)


def test_an_inventory_is_told_as_another_though_no_commit_names_it() -> None:
    replica = Replica(polled("uc", booked(node_id="x")))
    follower = Follower(replica.live, EVERYTHING, NOTHING)
    replica.told(follower)
    replica.serve("xy")
    assert kinds(replica.told(follower)) == ["inventory"]


def test_an_inventory_that_comes_between_two_events_is_told_before_the_sites_that_are_seen_through_it() -> None:
    replica = Replica(polled("uc", booked(node_id="x")), version=sha("0"))
    follower = Follower(replica.live, EVERYTHING, NOTHING)
    events = follower.events()
    assert next(events).kind == "inventory"
    replica.serve("xyz", version=sha("1"), commits=2)
    replica.live.advance()
    assert list(events) == []
    assert kinds(replica.told(follower)) == ["inventory", "resync", "resync"]


def test_sites_are_told_as_they_are_when_their_turn_comes() -> None:
    replica = Replica(polled("uc", booked(node_id="x")))
    events = Follower(replica.live, EVERYTHING, NOTHING).events()
    assert next(events).kind == "inventory"
    replica.learn(polled("uc", booked((0, 1), node_id="x"), generation=2))
    replica.live.advance()
    assert states(next(events)) == {"x": "reserved", "y": "unknown"}


def test_a_stream_reborn_with_lower_generations_is_believed_once_it_tells_what_nobody_can_have_seen() -> None:
    seen = Replica(polled("uc", booked(node_id="x"), generation=900)).seen()
    reborn = Replica(polled("uc", booked((0, 1), node_id="x"), generation=3))
    follower = Follower(reborn.live, EVERYTHING, seen)
    assert of_uc(reborn.told(follower)) == []
    reborn.now += 2 * MINUTE
    reborn.learn(polled("uc", booked((0, 1), node_id="x"), generation=4, at=reborn.now))
    assert kinds(of_uc(reborn.told(follower))) == ["resync"]


def test_who_is_there_when_a_stream_is_reborn_is_told_the_site_whole() -> None:
    replica = Replica(polled("uc", booked(node_id="x"), generation=900))
    follower = Follower(replica.live, EVERYTHING, NOTHING)
    replica.told(follower)
    replica.map.forget_generation(Topic("uc"))
    replica.learn(polled("uc", booked(node_id="x"), generation=3))
    assert kinds(of_uc(replica.told(follower))) == ["resync"]


def test_two_polls_of_one_generation_are_not_taken_for_one() -> None:
    seen = Replica(polled("uc", booked(node_id="x"), generation=7)).seen()
    twin = Replica(polled("uc", booked((0, 1), node_id="x"), generation=7, at=NOW - MINUTE))
    assert kinds(of_uc(twin.told(Follower(twin.live, EVERYTHING, seen)))) == ["resync"]


def test_a_commit_that_gives_a_site_other_nodes_resyncs_that_site_and_no_other() -> None:
    replica = Replica(polled("uc", booked(node_id="x")), version=sha("0"))
    follower = Follower(replica.live, EVERYTHING, NOTHING)
    replica.told(follower)
    replica.serve("xyz", version=sha("1"), commits=2)
    events = replica.told(follower)
    assert events[0] == InventoryEvent(sha("1"), ("uc", "vc"))
    assert kinds(events) == ["inventory", "resync"]
    assert len(of_uc(events)) == 1
    replica.serve("xyz", version=sha("2"), commits=3)
    assert kinds(replica.told(follower)) == ["inventory"]


@pytest.mark.parametrize("patient", [True, False])
def test_a_client_that_has_seen_a_later_commit_waits_for_it_but_not_for_ever(patient: bool) -> None:
    ahead, behind = Replica(version=sha("0")), Replica(version=sha("0"))
    ahead.serve("xyz", version=sha("1"), commits=2)
    ahead.live.advance()
    follower = Follower(behind.live, EVERYTHING, ahead.seen())
    assert behind.told(follower) == []
    if patient:
        behind.serve("xyz", version=sha("1"), commits=2)
    else:
        behind.now += PATIENCE
    assert kinds(behind.told(follower))[0] == "inventory"


def test_who_asks_for_other_nodes_than_before_is_told_them_whole() -> None:
    replica = Replica(polled("uc", booked(node_id="x"), booked(node_id="y")))
    one = Follower(replica.live, Selection(node_ids=frozenset("x")), NOTHING)
    replica.told(one)
    both = Follower(replica.live, Selection(node_ids=frozenset("xy")), one.token)
    assert kinds(replica.told(both)) == ["inventory", "resync"]


def test_an_event_is_made_once_for_all_who_are_told_the_same() -> None:
    replica, frames = Replica(polled("uc", booked(node_id="x"))), EventFrames(most_readers=1)
    one, other = (replica.told(Follower(replica.live, EVERYTHING, NOTHING)) for _ in range(2))
    assert [frames.of(each) for each in one] == [frames.of(each) for each in other]
    assert all(frames.of(a) is frames.of(b) for a, b in zip(one, other, strict=True))

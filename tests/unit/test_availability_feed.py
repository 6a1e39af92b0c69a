import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1

import pytest
from structlog.testing import capture_logs

from api_service.adapters.availability_feed import DOUBT_SECONDS, AvailabilityFeed
from api_service.domain.availability_map import AvailabilityMap
from shared.availability import Snapshot
from shared.messages import Envelope, encode
from shared.topology import Subject, Topic, topic_of
from shared.transport import SessionLostError, TopologyError, Transport
from tests.eventually import running, until
from tests.fragile import FragileTransport
from tests.snapshots import MINUTE, NOON, flavors, hours, node, site
from tests.threads import CountingThreads
from tests.virtual_time import virtual_time

TACC = Topic("tacc")
UC = Topic("uc")
GARBAGE = Envelope(b"garbage", {"cloudEvents:id": "garbage"})
NEWER = Envelope(
    b"", {"cloudEvents:specversion": "1.0", "cloudEvents:type": "reference-api.availability.site.v2"}, message_id="n"
)


class Reader:
    """A feed, its map, and whatever it told."""

    def __init__(
        self,
        transport: Transport,
        *topics: Topic,
        required: Collection[Topic] | None = None,
        wanted: Callable[[], Collection[Topic]] | None = None,
    ) -> None:
        self.map = AvailabilityMap()
        self.told: list[Topic] = []
        self.settled: list[bool] = []
        self.feed = AvailabilityFeed(
            transport,
            self.map,
            wanted or (lambda: topics or (TACC,)),
            required=required,
            clock=lambda: NOON + timedelta(seconds=asyncio.get_running_loop().time()),
            settled=lambda: self.settled.append(self.feed.ready),
        )
        self.feed.listeners.append(self.told.append)

    def generation(self, site_id: str = "tacc") -> int | None:
        known = self.map.sites.get(site_id)
        return known.snapshot.generation if known else None

    def counts(self) -> dict[str, int]:
        return {str(fate): count for fate, count in self.feed.counts.items() if count}

    def incidents(self) -> dict[str, int]:
        return {str(incident): count for incident, count in self.feed.incidents.items() if count}


def message(snapshot: Snapshot) -> Envelope:
    return encode(snapshot, source="/test")


async def sent(transport: Transport, *messages: Snapshot | Envelope, topic: Topic = TACC) -> None:
    """Publishes, and gives readers the time to begin before it and to read after it."""
    await asyncio.sleep(1)
    async with transport.session("test") as session:
        await session.declare([topic])
        for each in messages:
            await session.publish(topic, each if isinstance(each, Envelope) else message(each))
    await asyncio.sleep(1)


@virtual_time
async def test_a_fresh_reader_has_the_newest_state_with_no_writer_alive() -> None:
    transport = FragileTransport()
    await sent(transport, site(generation=1), site(generation=2, follows=1))
    await sent(transport, flavors(generation=7), topic=Topic("tacc", Subject.FLAVORS))
    reader = Reader(transport, TACC, Topic("tacc", Subject.FLAVORS))
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        assert reader.generation() == 2
        assert reader.map.flavors["tacc"].snapshot.generation == 7
        assert reader.feed.ready


@virtual_time
async def test_every_later_snapshot_replaces_the_site_and_is_told() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site("tacc", 1, node("a"), node("b")))
        await sent(transport, site("tacc", 2, node("b"), follows=1))
    assert set(reader.map.sites["tacc"].snapshot.nodes) == {"b"}
    assert reader.told == [TACC, TACC]
    assert reader.counts() == {"applied": 2}
    assert reader.feed.position(TACC) == 1


@virtual_time
async def test_nodes_that_are_what_they_were_are_kept_once() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site("tacc", 1, node("a"), node("b")))
        before = reader.map.sites["tacc"].snapshot.nodes
        await sent(transport, site("tacc", 2, node("a"), node("b", hours(1, 2)), follows=1))
    after = reader.map.sites["tacc"].snapshot.nodes
    assert after["a"] is before["a"]
    assert after["b"] == node("b", hours(1, 2))


@virtual_time
async def test_duplicates_late_messages_and_losers_are_not_applied() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=5), site(generation=5), site(generation=4))
        await sent(transport, site(generation=9, follows=4))  # its clock runs ahead, and it never knew of 5
        assert reader.generation() == 5
        await sent(transport, site(generation=6, follows=5))
    assert reader.generation() == 6
    assert reader.counts() == {"applied": 2, "late": 3}


@virtual_time
async def test_a_reconnect_replays_the_newest_message_without_counting_it() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=1))
        transport.cut()
        await asyncio.sleep(1)
        assert reader.feed.connected
        await sent(transport, site(generation=2, follows=1))
    assert reader.counts() == {"applied": 2}


@virtual_time
async def test_poison_in_between_is_buried_with_where_and_why_and_disturbs_nothing() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await sent(transport, site(generation=1), GARBAGE, site(generation=2, follows=1))
    assert reader.generation() == 2
    assert reader.counts() == {"applied": 2, "poison": 1}
    (dead,) = transport.dead
    assert dead.body == b"garbage"
    assert dead.headers == {
        "cloudEvents:id": "garbage",
        "x-stream": TACC.stream,
        "x-offset": 1,
        "x-error": "not a CloudEvent 1.0",
    }
    assert [line["offset"] for line in logs if line["event"] == "poison message"] == [1]


@virtual_time
async def test_poison_is_buried_on_a_session_of_its_own_and_once_per_process() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=1), GARBAGE)
        for _ in range(3):
            transport.cut()
            await asyncio.sleep(3)
    assert transport.purposes.count("bury") == 1
    assert len(transport.dead) == 1
    assert reader.counts() == {"applied": 1, "poison": 1}


@virtual_time
async def test_a_burial_that_fails_is_told_and_disturbs_nothing() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await asyncio.sleep(1)
            async with transport.session("test") as session:
                transport.refusals = [SessionLostError("no memory")]
                await session.publish(TACC, GARBAGE)
                await session.publish(TACC, message(site()))
                await asyncio.sleep(1)
    assert reader.generation() == 1
    assert [line["reason"] for line in logs if line["event"] == "poison message not buried"] == ["no memory"]
    assert reader.incidents() == {"not-buried": 1, "looked-back": 1}


@virtual_time
async def test_poison_as_the_newest_message_of_a_known_site_leaves_the_last_good_state() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=1), GARBAGE)
    assert reader.generation() == 1


@virtual_time
async def test_a_fresh_reader_looks_behind_poison_for_the_newest_usable_message() -> None:
    transport = FragileTransport()
    await sent(transport, GARBAGE, site(generation=1), site(generation=2, follows=1), GARBAGE, NEWER, GARBAGE)
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(1)
        assert reader.generation() == 2
        assert reader.told == [TACC]  # the older one was never shown
        assert reader.feed.ready
        await sent(transport, site(generation=3, follows=2))
    assert reader.generation() == 3
    assert reader.counts() == {"applied": 2, "poison": 1}


@virtual_time
async def test_a_fresh_reader_that_looks_behind_poison_does_not_take_a_late_message_for_the_newest() -> None:
    transport = FragileTransport()
    newest, late = site(generation=300, follows=100), site(generation=200)
    zombie = site(generation=400, follows=100)  # began before 300 was published, with a clock ahead of it
    await sent(transport, site(generation=100), newest, late, zombie, GARBAGE)
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        assert reader.generation() == 300


@virtual_time
async def test_a_fresh_reader_that_looks_behind_poison_is_not_misled_by_headings_that_are_not_of_their_bodies() -> None:
    transport = FragileTransport()
    empty, other = (replace(message(site(generation=number, follows=100)), body=b"") for number in (500, 700))
    other = replace(other, body=message(site(generation=50)).body)
    await sent(transport, site(generation=100), empty, site(generation=200, follows=100), other, GARBAGE)
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        assert reader.generation() == 200


@virtual_time
async def test_a_look_back_gives_up_where_all_that_is_retained_is_forged() -> None:
    transport = FragileTransport()
    forged = [replace(message(site(generation=number, follows=number - 1)), body=b"") for number in range(101, 200)]
    await sent(transport, site(generation=100), *forged, GARBAGE)
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        assert reader.generation() is None
        await sent(transport, site(generation=300, follows=199))
    assert reader.generation() == 300


@virtual_time
async def test_a_stream_of_nothing_but_poison_is_looked_through_once_and_leaves_the_site_unknown() -> None:
    transport = FragileTransport()
    await sent(transport, GARBAGE, GARBAGE)
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await sent(transport, GARBAGE)
            assert reader.generation() is None
            await sent(transport, site(generation=3))
    assert reader.generation() == 3
    assert [line["event"] for line in logs].count("looked back") == 1
    assert reader.incidents() == {"looked-back": 1}


@virtual_time
async def test_a_newer_version_is_skipped_not_buried_and_told_once() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await sent(transport, site(generation=1), NEWER, NEWER, site(generation=2, follows=1))
    assert reader.counts() == {"applied": 2, "newer": 2}
    assert not transport.dead
    assert [line["event"] for line in logs].count("messages of a newer version are skipped") == 1


@virtual_time
async def test_a_message_about_another_site_is_poison() -> None:
    transport = FragileTransport()
    reader = Reader(transport, TACC, UC)
    async with running(reader.feed.run()):
        await sent(transport, site("uc"), topic=TACC)
        await sent(transport, flavors("tacc"), topic=TACC)
    assert not reader.map.sites
    assert reader.counts() == {"poison": 2}


@virtual_time
async def test_a_wiped_and_reborn_stream_is_believed_whatever_its_generations() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await sent(transport, site(generation=100), site(generation=101, follows=100))
            transport.wipe()
            await asyncio.sleep(3)
            assert reader.generation() == 101  # the state is kept until there is a new one
            await sent(transport, site(generation=5))
    assert reader.generation() == 5
    assert "stream reborn" in [line["event"] for line in logs]
    assert reader.incidents() == {"stream-reborn": 1}


@virtual_time
async def test_a_reborn_stream_is_known_by_its_messages_where_offsets_cannot_tell() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=100))
        transport.wipe()
        await asyncio.sleep(3)
        await sent(transport, site(generation=5))  # at offset 0, as the one before
    assert reader.generation() == 5


@virtual_time
async def test_what_is_remembered_of_a_stream_is_bounded_and_enough_for_a_replay() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        for first in range(1, 600, 10):  # no more at once than the embedded log retains
            await sent(transport, *(site(generation=each, follows=each - 1) for each in range(first, first + 10)))
        transport.cut()
        await asyncio.sleep(3)
    assert reader.counts() == {"applied": 600}


@virtual_time
async def test_a_reader_that_was_away_goes_on_with_the_newest() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=1))
    await sent(transport, *(site(generation=each, follows=each - 1) for each in range(2, 100)))
    async with running(reader.feed.run()):
        await asyncio.sleep(1)
    assert reader.generation() == 99
    assert reader.counts() == {"applied": 2}
    assert reader.feed.position(TACC) == 98


async def test_large_messages_are_read_off_the_loop() -> None:
    transport = FragileTransport()
    large = site("tacc", 1, *(node(sha1(b"%d" % number).hexdigest()) for number in range(8000)))
    assert len(message(large).body) > 80_000
    reader, threads = Reader(transport), CountingThreads.installed()
    async with running(reader.feed.run()):
        async with transport.session("test") as session:
            await session.declare([TACC])
            await session.publish(TACC, message(large))
        await until(lambda: reader.map.has_synced(TACC))
    assert len(reader.map.sites["tacc"].snapshot.nodes) == 8000
    assert threads.used == 1


@virtual_time
async def test_it_is_ready_once_every_required_topic_was_read() -> None:
    transport = FragileTransport()
    reader = Reader(transport, TACC, UC, required=[TACC])
    async with running(reader.feed.run()):
        await asyncio.sleep(1)
        assert not reader.feed.ready
        assert reader.settled == []
        await sent(transport, site("tacc"))
        assert reader.feed.ready
        transport.cut()
        await asyncio.sleep(60)
    assert reader.settled == [False]


@virtual_time
async def test_silent_topics_delay_readiness_by_the_grace_and_no_more() -> None:
    reader = Reader(FragileTransport(), TACC, UC)
    async with running(reader.feed.run()):
        await asyncio.sleep(4.9)
        assert not reader.feed.ready
        await asyncio.sleep(0.2)
        assert reader.feed.ready


@virtual_time
async def test_without_a_broker_the_grace_does_not_begin() -> None:
    transport = FragileTransport()
    transport.refusals = [SessionLostError("refused")] * 20
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(20)
        assert not reader.feed.ready
        assert not reader.feed.connected
        assert reader.feed.last_loss == "refused"
        await asyncio.sleep(60)
        assert reader.feed.ready


@virtual_time
async def test_the_grace_counts_from_a_session_that_lasts() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(4)
        transport.cut()
        await asyncio.sleep(4)
        assert not reader.feed.ready
        await asyncio.sleep(2)
        assert reader.feed.ready


@virtual_time
async def test_losing_the_broker_later_leaves_it_ready_and_its_state_with_its_age() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await sent(transport, site())
        transport.refusals = [SessionLostError("gone")] * 10_000
        transport.cut()
        await asyncio.sleep(3600)
        assert reader.feed.ready
        assert not reader.feed.connected
        assert reader.map.sites["tacc"].stale_at(NOON + 4 * MINUTE)


@virtual_time
async def test_without_topics_it_is_ready_as_soon_as_a_session_stands() -> None:
    reader = Reader(FragileTransport(), wanted=list)
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        assert reader.feed.ready


@virtual_time
async def test_a_new_site_is_followed_and_a_vanished_one_dropped_without_a_restart() -> None:
    transport = FragileTransport()
    wanted = {TACC}
    reader = Reader(transport, wanted=lambda: wanted)
    async with running(reader.feed.run()):
        await sent(transport, site("tacc"))
        await sent(transport, site("uc"), topic=UC)
        wanted = {UC}
        await asyncio.sleep(6)
        assert set(reader.map.sites) == {"uc"}
        await sent(transport, site("tacc", 2))
        assert set(reader.map.sites) == {"uc"}
        assert reader.feed.position(TACC) is None
    assert transport.purposes.count("feed") == 1


@virtual_time
async def test_a_refresh_asks_for_the_topics_at_once() -> None:
    transport = FragileTransport()
    wanted = {TACC}
    reader = Reader(transport, wanted=lambda: wanted)
    await sent(transport, site("uc"), topic=UC)
    async with running(reader.feed.run()):
        await asyncio.sleep(0.1)
        wanted = {TACC, UC}
        reader.feed.refresh()
        await asyncio.sleep(0.1)
        assert reader.generation("uc") == 1


@virtual_time
async def test_a_site_that_vanished_while_there_was_no_broker_is_dropped_when_there_is_one() -> None:
    transport = FragileTransport()
    wanted = {TACC, UC}
    reader = Reader(transport, wanted=lambda: wanted)
    async with running(reader.feed.run()):
        await sent(transport, site("tacc"))
        transport.refusals = [SessionLostError("gone")]
        transport.cut()
        wanted = {UC}
        await asyncio.sleep(5)
    assert not reader.map.sites


@virtual_time
async def test_a_site_that_comes_back_begins_anew() -> None:
    transport = FragileTransport()
    wanted = {TACC}
    reader = Reader(transport, wanted=lambda: wanted)
    async with running(reader.feed.run()):
        await sent(transport, site(generation=9))
        for topics in (set[Topic](), {TACC}):
            wanted = topics
            reader.feed.refresh()
            await asyncio.sleep(1)
    assert reader.generation() == 9
    assert reader.counts() == {"applied": 2}


@virtual_time
async def test_each_outage_is_logged_once_and_so_is_each_recovery() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await asyncio.sleep(1)
            for _ in range(2):
                transport.refusals = [SessionLostError("refused")] * 5
                transport.cut()
                await asyncio.sleep(30)
    outage = ["broker session lost", "broker session begun"]
    assert [line["event"] for line in logs] == ["broker session begun", *outage, *outage]


@virtual_time
async def test_a_mismatch_on_the_broker_is_told_once_and_tried_again_seldom() -> None:
    transport = FragileTransport()
    transport.refusals = [TopologyError("inequivalent arg 'x-max-length'")] * 1000
    reader = Reader(transport)
    with capture_logs() as logs:
        async with running(reader.feed.run()):
            await asyncio.sleep(3600)
    assert [(line["event"], line["log_level"]) for line in logs] == [("broker topology mismatch", "error")]
    assert 1000 - len(transport.refusals) < 3600 / 30


@virtual_time
async def test_attempts_come_slower_until_a_session_was_good() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        transport.refusals = [SessionLostError("refused")] * 1000
        transport.cut()
        await asyncio.sleep(100)
        assert 100 / 3 - 5 < 1000 - len(transport.refusals) < 100 + 5
        transport.refusals.clear()
        await asyncio.sleep(60)
        began = len(transport.purposes)
        transport.cut()
        await asyncio.sleep(0.31)
    assert len(transport.purposes) == began + 1


@pytest.mark.parametrize("snapshot", [site(), flavors()])
def test_a_session_by_which_nothing_comes_although_there_is_something_is_thrown_away(snapshot: Snapshot) -> None:
    @virtual_time
    async def check() -> None:
        transport = FragileTransport()
        topic = topic_of(snapshot)
        await sent(transport, snapshot, topic=topic)
        transport.deafened = {"feed"}
        reader = Reader(transport, topic)
        async with running(reader.feed.run()):
            await asyncio.sleep(DOUBT_SECONDS - 1)
            assert not reader.map.has_synced(topic)
            await asyncio.sleep(3)
            assert reader.map.has_synced(topic)
        assert reader.feed.last_loss == f"messages of {topic.stream} do not come"

    check()


@virtual_time
async def test_a_session_is_kept_where_the_streams_are_as_silent_for_others() -> None:
    transport = FragileTransport()
    await sent(transport, site())
    reader = Reader(transport, TACC, UC)
    async with running(reader.feed.run()):
        await asyncio.sleep(3600)
    assert reader.feed.last_loss is None
    assert transport.purposes.count("feed") == 1


@virtual_time
async def test_nobody_looks_twice_at_what_is_current() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        for minute in range(10):
            await sent(transport, site(generation=minute + 1, follows=minute, observed_at=NOON + minute * MINUTE))
            await asyncio.sleep(60)
    assert "look" not in transport.purposes


@virtual_time
async def test_a_log_that_cannot_be_looked_at_is_no_reason_to_end_a_session() -> None:
    transport = FragileTransport()
    reader = Reader(transport)
    async with running(reader.feed.run()):
        await asyncio.sleep(1)
        transport.refusals = [SessionLostError("refused")] * 1000
        await asyncio.sleep(3600)
        assert reader.feed.connected


@pytest.mark.parametrize("snapshot", [site(), flavors()])
def test_a_snapshot_is_never_younger_than_its_receipt(snapshot: Snapshot) -> None:
    @virtual_time
    async def check() -> None:
        transport = FragileTransport()
        topic = topic_of(snapshot)
        reader = Reader(transport, topic)
        async with running(reader.feed.run()):
            await sent(transport, replace(snapshot, observed_at=NOON + 60 * MINUTE), topic=topic)
        ages = [each.last_updated for each in reader.map.sites.values()]
        ages += [each.last_updated for each in reader.map.flavors.values()]
        assert ages == [NOON + timedelta(seconds=1)]

    check()

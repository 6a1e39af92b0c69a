"""Writer and reader over a transport, whichever it is."""

from shared.availability import Snapshot
from shared.messages import Envelope, encode
from shared.topology import Subject, Topic
from shared.transport import Transport
from tests.eventually import running, until
from tests.replicas import Reader, Writer
from tests.snapshots import node, site

POISON = Envelope(b"poison", {})
NEWER = Envelope(b"", {"cloudEvents:specversion": "1.0", "cloudEvents:type": "reference-api.availability.site.v2"})


async def published(transport: Transport, topic: Topic, *messages: Snapshot | Envelope) -> None:
    async with transport.session("test") as session:
        await session.declare([topic])
        for each in messages:
            await session.publish(topic, each if isinstance(each, Envelope) else encode(each, source="/test"))


def counted(reader: Reader) -> dict[str, int]:
    return {str(fate): count for fate, count in reader.feed.counts.items() if count}


async def test_what_a_poller_publishes_is_what_every_reader_has(transport: Transport, topic: Topic) -> None:
    readers, writer = [Reader(transport, topic) for _ in range(2)], Writer(transport, topic)
    async with running(writer.tokens.run(), *(each.feed.run() for each in readers)):
        await until(lambda: min(each.generation for each in readers) >= 2)
        assert all(each.feed.ready for each in readers)
    assert set(readers[0].map.sites) == set(readers[1].map.sites) == {topic.site_id}


async def test_a_fresh_reader_has_the_state_with_no_writer_alive(transport: Transport, topic: Topic) -> None:
    await published(transport, topic, site(topic.site_id, 1), site(topic.site_id, 2, node("a"), node("b"), follows=1))
    reader = Reader(transport, topic)
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.ready)
    assert set(reader.map.sites[topic.site_id].snapshot.nodes) == {"a", "b"}


async def test_duplicates_late_messages_and_losers_change_nothing(transport: Transport, topic: Topic) -> None:
    reader, site_id = Reader(transport, topic), topic.site_id
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.connected)
        await published(
            transport, topic, site(site_id, 5), site(site_id, 5), site(site_id, 4), site(site_id, 9, follows=4)
        )
        await until(lambda: sum(counted(reader).values()) == 4)
    assert reader.generation == 5
    assert counted(reader) == {"applied": 1, "late": 3}


async def test_poison_and_newer_versions_in_between_change_nothing(transport: Transport, topic: Topic) -> None:
    reader, site_id = Reader(transport, topic), topic.site_id
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.connected)
        await published(transport, topic, site(site_id, 1), POISON, NEWER, site(site_id, 2, follows=1))
        await until(lambda: reader.generation == 2)
    assert counted(reader) == {"applied": 2, "poison": 1, "newer": 1}


async def test_a_fresh_reader_looks_behind_poison(transport: Transport, topic: Topic) -> None:
    site_id = topic.site_id
    await published(transport, topic, POISON, site(site_id, 1), site(site_id, 2, follows=1), POISON, NEWER, POISON)
    reader = Reader(transport, topic)
    async with running(reader.feed.run()):
        await until(lambda: reader.generation)
        assert reader.generation == 2
        await published(transport, topic, site(site_id, 3, follows=2))
        await until(lambda: reader.generation == 3)
    assert counted(reader) == {"applied": 2, "poison": 1}


async def test_nothing_but_poison_leaves_the_site_unknown(transport: Transport, topic: Topic) -> None:
    await published(transport, topic, POISON)
    reader = Reader(transport, topic)
    async with running(reader.feed.run()):
        await until(lambda: counted(reader))
        await published(transport, topic, POISON, POISON)
        await until(lambda: counted(reader) == {"poison": 3})
        assert not reader.map.has_synced(topic)
        await published(transport, topic, site(topic.site_id, 1))
        await until(lambda: reader.map.has_synced(topic))


async def test_a_site_is_followed_and_dropped_while_the_session_lasts(transport: Transport, topic: Topic) -> None:
    flavors = Topic(topic.site_id, Subject.FLAVORS)
    await published(transport, topic, site(topic.site_id, 1))
    reader = Reader(transport, flavors)
    async with running(reader.feed.run()):
        await until(lambda: reader.feed.connected)
        for wanted, synced in ((topic, True), (flavors, False), (topic, True)):
            reader.topic = wanted
            reader.feed.refresh()
            await until(lambda synced=synced: reader.map.has_synced(topic) is synced)  # type: ignore[misc]
        assert reader.feed.last_loss is None

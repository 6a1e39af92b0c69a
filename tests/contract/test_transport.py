"""What a transport promises, whichever it is."""

import asyncio
from datetime import timedelta

import pytest

from shared.messages import Envelope
from shared.topology import Subject, Topic
from shared.transport import Deliveries, Delivery, Offset, Session, SessionLostError, Transport
from tests.eventually import LONG_SECONDS, STEP_SECONDS, until, until_answered

SOON = timedelta(milliseconds=50)
LATER = timedelta(hours=1)
SILENCE_SECONDS = 0.3


def message(text: str) -> Envelope:
    return Envelope(text.encode(), {"cloudEvents:id": text, "cloudEvents:sequence": "7"}, message_id=text)


async def received(deliveries: Deliveries) -> Delivery:
    """The next one, acknowledged."""
    async with asyncio.timeout(LONG_SECONDS):
        delivery = await anext(deliveries)
    await delivery.ack()
    return delivery


async def texts(deliveries: Deliveries, count: int) -> list[str]:
    return [(await received(deliveries)).envelope.body.decode() for _ in range(count)]


async def silent(deliveries: Deliveries) -> bool:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            await anext(deliveries)
    except TimeoutError:
        return True
    return False


async def published(session: Session, topic: Topic, *messages: str) -> None:
    await session.declare([topic])
    for text in messages:
        await session.publish(topic, message(text))


async def test_a_follower_from_last_gets_the_newest_message_and_then_every_later_one(
    transport: Transport, topic: Topic
) -> None:
    async with transport.session("test") as session:
        await published(session, topic, "1", "2", "3")
        deliveries = await session.follow(topic, Offset.LAST)
        assert await texts(deliveries, 1) == ["3"]
        await published(session, topic, "4", "5")
        assert await texts(deliveries, 2) == ["4", "5"]


async def test_a_follower_from_first_gets_everything_that_is_retained_with_rising_offsets(
    transport: Transport, topic: Topic
) -> None:
    async with transport.session("test") as session:
        await published(session, topic, "1", "2", "3")
        deliveries = await session.follow(topic, Offset.FIRST)
        seen = [await received(deliveries) for _ in range(3)]
    assert [(each.offset, each.envelope.body) for each in seen] == [(0, b"1"), (1, b"2"), (2, b"3")]


async def test_an_empty_stream_says_nothing_until_something_is_published(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await session.declare([topic])
        deliveries = await session.follow(topic, Offset.LAST)
        first = asyncio.create_task(received(deliveries))
        assert not (await asyncio.wait({first}, timeout=SILENCE_SECONDS))[0]
        await session.publish(topic, message("1"))
        assert (await first).offset == 0


async def test_what_was_published_outlives_its_session(transport: Transport, topic: Topic) -> None:
    async with transport.session("writer") as session:
        await published(session, topic, "1")
    async with transport.session("reader") as session:
        assert await texts(await session.follow(topic, Offset.LAST), 1) == ["1"]


async def test_every_follower_gets_every_message(transport: Transport, topic: Topic) -> None:
    async with transport.session("one") as one, transport.session("other") as other:
        await published(one, topic, "1")
        followers = [await each.follow(topic, Offset.LAST) for each in (one, other)]
        await published(one, topic, "2")
        assert [await texts(each, 2) for each in followers] == [["1", "2"], ["1", "2"]]


async def test_topics_are_kept_apart(transport: Transport, topic: Topic) -> None:
    flavors = Topic(topic.site_id, Subject.FLAVORS)
    async with transport.session("test") as session:
        await published(session, topic, "site")
        await published(session, flavors, "flavors")
        assert await texts(await session.follow(flavors, Offset.FIRST), 1) == ["flavors"]


async def test_a_message_keeps_its_body_headers_and_properties(transport: Transport, topic: Topic) -> None:
    sent = Envelope(b"\x00\xff", {"text": "é", "number": 7}, message_id="an id", type="a type", content_encoding=None)
    async with transport.session("test") as session:
        await session.declare([topic])
        await session.publish(topic, sent)
        got = (await received(await session.follow(topic, Offset.LAST))).envelope
    assert (got.body, got.headers, got.message_id, got.type) == (
        b"\x00\xff",
        {"text": "é", "number": 7},
        "an id",
        "a type",
    )
    assert (got.content_type, got.content_encoding) == ("application/json", None)


async def test_nothing_comes_before_the_last_delivery_was_acknowledged(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await published(session, topic, "1", "2")
        deliveries = await session.follow(topic, Offset.FIRST)
        first = await anext(deliveries)
        second = asyncio.create_task(received(deliveries))
        assert not (await asyncio.wait({second}, timeout=SILENCE_SECONDS))[0]
        await first.ack()
        assert (await second).envelope.body == b"2"


async def test_a_consumer_can_end_while_its_session_goes_on(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await published(session, topic, "1")
        deliveries = await session.follow(topic, Offset.LAST)
        await received(deliveries)
        await deliveries.cancel()
        await published(session, topic, "2")
        assert await texts(await session.follow(topic, Offset.FIRST), 2) == ["1", "2"]


async def test_a_message_without_a_stream_is_not_taken_for_published_and_ends_the_session(
    transport: Transport, topic: Topic
) -> None:
    async with transport.session("test") as session:
        await session.declare([])
        with pytest.raises(SessionLostError):
            await session.publish(topic, message("1"))
        with pytest.raises(SessionLostError):
            async with asyncio.timeout(LONG_SECONDS):
                await session.wait_lost()


async def test_declaring_twice_changes_nothing(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await published(session, topic, "1")
        await session.declare_tokens([topic])
        await session.schedule(topic, b"", delay=LATER)
        await session.declare([topic])
        await session.declare_tokens([topic])
        assert await session.count_tokens(topic) == 1
        assert await texts(await session.follow(topic, Offset.FIRST), 1) == ["1"]


async def test_a_token_comes_when_it_is_due_and_not_before(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await session.declare_tokens([topic])
        tokens = await session.tokens(topic)
        delay = timedelta(seconds=SILENCE_SECONDS)
        begun = asyncio.get_running_loop().time()
        assert await session.schedule(topic, b"42", delay=delay)
        assert (await received(tokens)).envelope.body == b"42"
        assert asyncio.get_running_loop().time() - begun >= SILENCE_SECONDS - 0.05


async def test_a_second_token_is_refused_while_one_waits(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await session.declare_tokens([topic])
        assert await session.schedule(topic, b"1", delay=LATER)
        assert not await session.schedule(topic, b"2", delay=LATER)
        assert await session.count_tokens(topic) == 1


async def test_of_two_tokens_that_are_due_one_is_left(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await session.declare_tokens([topic])
        for delay in (SOON, SOON, LATER):  # each is taken once the one before is due
            await scheduled(session, topic, delay)
        tokens = await session.tokens(topic)
        await received(tokens)
        assert await silent(tokens)


async def scheduled(session: Session, topic: Topic, delay: timedelta) -> None:
    async with asyncio.timeout(LONG_SECONDS):
        while not await session.schedule(topic, b"1", delay=delay):  # noqa: ASYNC110 - the broker calls nobody
            await asyncio.sleep(STEP_SECONDS)


async def test_a_token_is_counted_while_it_waits_or_is_due_and_not_while_it_is_held(
    transport: Transport, topic: Topic
) -> None:
    async with transport.session("test") as session:
        await session.declare_tokens([topic])
        assert await session.count_tokens(topic) == 0
        await session.schedule(topic, b"", delay=SOON)
        # On its way from where it waited to where it is due it is in neither.
        await until_answered(lambda: session.count_tokens(topic))
        assert await session.count_tokens(topic) <= 1
        await anext(await session.tokens(topic))
        assert await session.count_tokens(topic) == 0


async def test_only_one_of_those_who_compete_gets_the_token(transport: Transport, topic: Topic) -> None:
    async with transport.session("one") as one, transport.session("other") as other:
        await one.declare_tokens([topic])
        waiting = {asyncio.ensure_future(anext(await each.tokens(topic))) for each in (one, other)}
        await one.schedule(topic, b"", delay=SOON)
        done, pending = await asyncio.wait(waiting, timeout=LONG_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        still = await asyncio.wait(pending, timeout=SILENCE_SECONDS)
        assert not still[0]
        for each in pending:
            each.cancel()


async def test_a_token_goes_to_another_as_soon_as_its_holder_is_gone(transport: Transport, topic: Topic) -> None:
    async with transport.session("survivor") as survivor:
        await survivor.declare_tokens([topic])
        async with transport.session("holder") as holder:
            await holder.schedule(topic, b"42", delay=SOON)
            await anext(await holder.tokens(topic))
            tokens = await survivor.tokens(topic)
            assert await silent(tokens)
        assert (await received(tokens)).envelope.body == b"42"


async def test_an_acknowledged_token_never_comes_back(transport: Transport, topic: Topic) -> None:
    async with transport.session("holder") as holder:
        await holder.declare_tokens([topic])
        await holder.schedule(topic, b"", delay=SOON)
        await received(await holder.tokens(topic))
    async with transport.session("other") as other:
        assert await silent(await other.tokens(topic))
        assert await other.count_tokens(topic) == 0


async def test_a_poison_message_can_be_buried(transport: Transport, topic: Topic) -> None:
    async with transport.session("test") as session:
        await session.declare([topic])
        await session.bury(message("poison"))


async def test_a_session_can_be_left_at_any_moment(transport: Transport, topic: Topic) -> None:
    async def busy() -> None:
        async with transport.session("test") as session:
            await published(session, topic, "1")
            deliveries = await session.follow(topic, Offset.FIRST)
            while True:
                await received(deliveries)
                await session.publish(topic, message("again"))

    for steps in range(0, 120, 7):
        task = asyncio.create_task(busy())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=LONG_SECONDS)
        assert task.cancelled()
    await until(lambda: len(asyncio.all_tasks()) == 1)

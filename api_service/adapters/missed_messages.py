"""Telling a stream in which nothing is published from a consumer that hears nothing."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from shared.topology import Topic
from shared.transport import Offset, Session, SessionLostError, Transport

LONGEST_LOOK_SECONDS: Final = 10.0


async def missed(
    transport: Transport, topics: Collection[Topic], position: Callable[[Topic], int | None]
) -> Topic | None:
    """One of `topics` whose stream goes on beyond `position`; None if there is none, or if the log does not tell.

    A broker whose stream changes its leader may leave a consumer attached to what was its replica, and one that is cut
    off from its cluster serves what it knew: no connection is lost, and nothing comes any more. So this looks over a
    session of its own, and waits for what may still be on its way to the other.
    """
    newest: dict[Topic, int] = {}
    try:
        async with (
            asyncio.timeout(LONGEST_LOOK_SECONDS),
            transport.session("look") as session,
            asyncio.TaskGroup() as group,
        ):
            for topic in topics:
                group.create_task(_look(session, topic, newest, silence=transport.silence.total_seconds()))
    except* (SessionLostError, TimeoutError):
        pass  # what was seen until then counts
    reached = {topic: position(topic) for topic in newest}
    return next((topic for topic, known in reached.items() if known is None or known < newest[topic]), None)


async def _look(session: Session, topic: Topic, newest: dict[Topic, int], *, silence: float) -> None:
    """Notes the last offset of the stream, unless it is empty."""
    deliveries = await session.follow(topic, Offset.LAST)
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(silence):
                delivery = await anext(deliveries)
            newest[topic] = delivery.offset
            await delivery.ack()

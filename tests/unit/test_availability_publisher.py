from dataclasses import replace

import pytest

from shared.availability import Snapshot
from shared.embedded import EmbeddedTransport
from shared.messages import decode
from shared.topology import topic_of
from shared.transport import Offset
from sync_service.adapters.availability_publisher import AvailabilityPublisher
from tests.snapshots import flavors, node, site
from tests.threads import CountingThreads

LARGE_SITE = site("tacc", 1, *(node(f"n{number}") for number in range(2001)))
LARGE_FLAVORS = replace(
    flavors(), flavors={f"f{number}": tuple(flavors().flavors["m1.large"]) for number in range(1001)}
)


@pytest.mark.parametrize(("snapshot", "threads"), [(site(), 0), (flavors(), 0), (LARGE_SITE, 1), (LARGE_FLAVORS, 1)])
async def test_a_snapshot_arrives_as_it_was_and_a_large_one_is_encoded_off_the_loop(
    snapshot: Snapshot, threads: int
) -> None:
    counted = CountingThreads.installed()
    topic = topic_of(snapshot)
    async with EmbeddedTransport().session("test") as session:
        await session.declare([topic])
        await AvailabilityPublisher("/replica-1").publish(session, snapshot)
        envelope = (await anext(await session.follow(topic, Offset.LAST))).envelope
    assert decode(envelope) == snapshot
    assert envelope.headers["cloudEvents:source"] == "/replica-1"
    assert counted.used == threads

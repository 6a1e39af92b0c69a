"""Domain -> message -> stream, with the broker's confirmation."""

import asyncio
from typing import Final

from shared.availability import SiteAvailability, Snapshot
from shared.messages import TooLargeMessageError, encode
from shared.topology import topic_of
from shared.transport import Session
from sync_service.domain.ports import UnpublishableError

THREAD_ABOVE: Final = 2000
"""Nodes and reservations, or segments of flavors: encoding more takes 15 ms and would be felt on the event loop."""


class AvailabilityPublisher:
    """Publishes snapshots in the name of one replica."""

    def __init__(self, source: str) -> None:
        """Takes the replica's URI reference, which every message bears."""
        self._source = source

    async def publish(self, session: Session, snapshot: Snapshot) -> None:
        """Returns once the broker has it for good.

        Raises:
            SessionLostError: it may or may not have it.
            UnpublishableError: it is too large.
        """
        try:
            if _weight(snapshot) > THREAD_ABOVE:
                envelope = await asyncio.to_thread(encode, snapshot, source=self._source)
            else:
                envelope = encode(snapshot, source=self._source)
        except TooLargeMessageError as error:
            raise UnpublishableError(f"the site's answer makes {error}: too large to publish") from error
        await session.publish(topic_of(snapshot), envelope)


def _weight(snapshot: Snapshot) -> int:
    if isinstance(snapshot, SiteAvailability):
        return sum(1 + len(node.reservations) for node in snapshot.nodes.values())
    return sum(map(len, snapshot.flavors.values()))

"""Events as clients read them: the lines of each made once, for whoever is told the same."""

from collections import OrderedDict
from collections.abc import Hashable
from functools import partial
from typing import Final, assert_never

from api_service.domain.follower import BehindEvent, Event, InventoryEvent, SiteEvent
from api_service.domain.site_view import NodeView
from api_service.http.bodies import dumps
from api_service.http.costly import CostlyWork
from api_service.http.remembered import Remembered

MAX_KEPT: Final = 256
MAX_KEPT_BYTES: Final = 16 * 1024 * 1024
MAX_LARGE_BYTES: Final = 64 * 1024 * 1024
"""A site of 50 000 nodes with ten bookings each takes 45 MB."""

TOLD_AT_ONCE: Final = 200
"""Nodes whose lines take some 6 ms to make; those of more are made in a thread."""

COMPARED_AT_ONCE: Final = 4000
"""Nodes of which what changed is found in some 6 ms; likewise."""


class EventFrames:
    """Makes the lines of events but for their ids, and keeps those made last."""

    def __init__(self, *, most_readers: int) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        # Who follows has been let in already, so each gets a turn.
        self._large = Remembered(CostlyWork(most_waiting=most_readers), most_bytes=MAX_LARGE_BYTES)

    async def made(self, event: Event) -> bytes:
        """As `of`, in a thread where that takes long."""
        if not isinstance(event, SiteEvent) or _is_small(event):
            return self.of(event)
        return await self._large.get(_key(event), partial(_frame, event), len)

    def of(self, event: Event) -> bytes:
        """All lines but the id, and the empty one that ends it; nothing if the event would tell nothing new."""
        key = _key(event)
        if (frame := self._kept.get(key)) is None:
            frame = _frame(event)
            self._keep(key, frame)
        return frame

    def _keep(self, key: Hashable, frame: bytes) -> None:
        self._kept[key] = frame
        self._bytes += len(frame)
        while len(self._kept) > MAX_KEPT or self._bytes > MAX_KEPT_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])


def _is_small(event: SiteEvent) -> bool:
    return len(event.after.roster.nodes) <= (TOLD_AT_ONCE if event.before is None else COMPARED_AT_ONCE)


def _key(event: Event) -> Hashable:
    if not isinstance(event, SiteEvent):
        return event
    return event.after.site_id, event.before and event.before.position, event.after.position, event.first


def _frame(event: Event) -> bytes:
    match event:
        case InventoryEvent():
            data: dict[str, object] = {"version": event.version, "sites": event.site_ids}
        case BehindEvent():
            data = {"site_id": event.site_id, "stale": True, "nodes": []}
        case SiteEvent():
            nodes = event.nodes()
            if not (nodes or event.first or event.told_otherwise()):
                return b""
            data = {
                "site_id": event.after.site_id,
                "generation": event.after.generation,
                "last_updated": event.after.last_updated,
                "stale": event.after.stale,
                "nodes": [_node(node) for node in nodes],
            }
        case _:
            assert_never(event)
    return b"event: %b\ndata: %b\n" % (event.kind.encode(), dumps(data))


def _node(node: NodeView) -> dict[str, object]:
    return {
        "node_id": node.node_id,
        "cluster_id": node.cluster_id,
        "availability": node.availability,
        "availability_until": node.availability_until,
        "maintenance": node.maintenance,
        "reservations": [{"start": block.start, "end": block.end} for block in node.reservations],
    }

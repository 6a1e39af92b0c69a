"""Events as clients read them: the lines of each made once, for whoever is told the same."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, assert_never

from api_service.domain.follower import BehindEvent, Event, InventoryEvent, SiteEvent
from api_service.domain.site_view import NodeView
from api_service.http.bodies import dumps

MAX_KEPT: Final = 256
MAX_KEPT_BYTES: Final = 16 * 1024 * 1024


class EventFrames:
    """Makes the lines of events but for their ids, and keeps those made last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def of(self, event: Event) -> bytes:
        """All lines but the id, and the empty one that ends it; nothing if the event would tell nothing new."""
        if isinstance(event, SiteEvent):
            before = event.before and event.before.position
            key: Hashable = (event.after.site_id, before, event.after.position, event.first)
        else:
            key = event
        if (frame := self._kept.get(key)) is None:
            frame = _frame(event)
            self._keep(key, frame)
        return frame

    def _keep(self, key: Hashable, frame: bytes) -> None:
        self._kept[key] = frame
        self._bytes += len(frame)
        while len(self._kept) > MAX_KEPT or self._bytes > MAX_KEPT_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])


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

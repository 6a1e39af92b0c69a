"""A client of the live feed that does what its document says and no more, and what it should come to."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import Inventory
from api_service.domain.node_query import match_of
from api_service.http.bodies import dumps

type Whole = dict[str, dict[str, Any]]
"""Site id -> what is told of it, its nodes by cluster and uid."""


@dataclass
class Client:
    """Reads events, and remembers the last id."""

    sites: Whole = field(default_factory=dict)
    version: str | None = None
    last_event_id: str = ""
    led_back: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def read(self, text: str) -> tuple[str, Any] | None:
        """Takes one event, and says its name and data; None of what is none, such as a heartbeat."""
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines() if not line.startswith(":"))
        if "data" not in fields:
            return None
        self._apply(fields["event"], json.loads(fields["data"]))
        self.last_event_id = fields["id"]
        return fields["event"], json.loads(fields["data"])

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "inventory":
            self.version = data["version"]
            self.sites = {site_id: site for site_id, site in self.sites.items() if site_id in data["sites"]}
            return
        nodes = {f"{node['cluster_id']}/{node['node_id']}": node for node in data.pop("nodes")}
        had = self.sites.get(data["site_id"], {"nodes": {}})
        if (had.get("generation") or 0) > (data.get("generation", had.get("generation")) or 0):
            assert kind == "resync"
            self.led_back.append((kind, had, data))
        if kind == "availability":
            assert nodes.keys() <= had["nodes"].keys(), "a change of a node that it was never told of"
            data, nodes = {**had, **data}, {**had["nodes"], **nodes}
        self.sites[data["site_id"]] = {**data, "nodes": nodes}


def whole(
    inventory: Inventory, availability: AvailabilityMap, now: datetime, node_ids: frozenset[str] | None = None
) -> Whole:
    """What one who asks for everything is told, of all nodes or of some; written without regard to the feed."""
    found: Whole = {}
    for site in inventory.sites.values():
        observed = availability.sites.get(site.uid)
        nodes = {}
        for node in site.nodes():
            if node_ids is not None and node.uid not in node_ids:
                continue
            match = match_of(node, availability)
            nodes[f"{node.cluster_id}/{node.uid}"] = {
                "node_id": node.uid,
                "cluster_id": node.cluster_id,
                "availability": match.state_at(now),
                "availability_until": match.until(now),
                "maintenance": match.known.maintenance if match.known else None,
                "reservations": [
                    {"start": block.start, "end": block.end} for block in match.reservations if block.end > now
                ],
            }
        found[site.uid] = {
            "site_id": site.uid,
            "generation": observed.snapshot.generation if observed else None,
            "last_updated": observed.last_updated if observed else None,
            "stale": observed.stale_at(now) if observed else True,
            "nodes": nodes,
        }
    return dict(json.loads(dumps(found)))

"""Small inventories and poll results for tests, made of plain values."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api_service.adapters.written_document import AtHand, WrittenDocument
from api_service.domain.history import History, Version
from api_service.domain.inventory import NODE_OWN_KEYS, OWN_KEYS, Cluster, Flavor, Inventory, Node, Site
from api_service.domain.node_query import FILTERED
from shared.availability import Interval, NodeAvailability, SiteAvailability

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sha(name: str) -> str:
    """A commit's id that is always the same for `name`."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def node_document(uid: str, **fields: Any) -> dict[str, Any]:
    return {
        "uid": uid,
        "type": "node",
        "node_type": "compute_skylake",
        "node_name": f"n-{uid}",
        "architecture": {"platform_type": "x86_64", "smp_size": 2, "smt_size": 48},
        "gpu": {"gpu": False},
        "main_memory": {"ram_size": 2**37, "humanized_ram_size": "128 GiB"},
        "serial": None,
        **fields,
    }


def at_hand() -> AtHand:
    """What one reading keeps at hand."""
    return AtHand([path for path in FILTERED if path[0] not in NODE_OWN_KEYS])


def node_of(site_id: str, cluster_id: str, uid: str, document: Mapping[str, Any], known: AtHand | None = None) -> Node:
    """A node whose file holds `document`; `known` is what others of the same reading have at hand."""
    written = WrittenDocument.of(document, NODE_OWN_KEYS, (known or at_hand()).of(document))
    return Node(site_id, cluster_id, uid, written)


def cluster(site_id: str, uid: str, nodes: Iterable[Mapping[str, Any]], **fields: Any) -> Cluster:
    known = at_hand()
    made = {each["uid"]: node_of(site_id, uid, each["uid"], each, known) for each in nodes}
    written = WrittenDocument.of({"uid": uid, "type": "cluster", **fields}, OWN_KEYS)
    return Cluster(site_id, uid, written, dict(sorted(made.items())))


def site(uid: str, *clusters: Cluster, flavors: Iterable[Mapping[str, Any]] = (), **fields: Any) -> Site:
    document = {"uid": uid, "type": "site", "name": uid.upper(), "site_class": "baremetal", **fields}
    return Site(
        uid,
        WrittenDocument.of(document, OWN_KEYS),
        {each.uid: each for each in sorted(clusters, key=lambda each: each.uid)},
        {each["uid"]: Flavor(uid, each["uid"], WrittenDocument.of(each, OWN_KEYS)) for each in flavors},
    )


def inventory(*sites: Site, version: str | None = None, history: History | None = None, **more: Any) -> Inventory:
    return Inventory(
        version=version,
        committed_at=NOW - HOUR if version else None,
        document={"uid": "testbed", "type": "grid"},
        sites={each.uid: each for each in sorted(sites, key=lambda each: each.uid)},
        history=history or History(),
        **more,
    )


def linear_history(*changes: Iterable[str]) -> History:
    """One commit for each set of changed files, the first the oldest; commit number N is `sha(str(N))`."""
    commits: dict[str, Version] = {}
    changed: dict[tuple[str, str | None], frozenset[str]] = {}
    parent: str | None = None
    for number, files in enumerate(changes):
        uid = sha(str(number))
        commits[uid] = Version(
            uid, (parent,) if parent else (), NOW - 100 * HOUR + number * HOUR, "A. Author", f"Change {number}"
        )
        paths = {""}
        for file in files:
            parts = file.split("/")
            paths |= {"/".join(parts[: end + 1]) for end in range(len(parts))}
        changed[uid, parent] = frozenset(paths) if files else frozenset()
        parent = uid
    return History(head=parent, commits=commits, changed=changed)


def booked(*hours: tuple[float, float], node_id: str = "n", now: datetime = NOW, **more: Any) -> NodeAvailability:
    """A node with bookings from and to hours after `now`."""
    return NodeAvailability(node_id, tuple(Interval(now + a * HOUR, now + b * HOUR) for a, b in hours), **more)


def polled(
    site_id: str, *nodes: NodeAvailability, at: datetime = NOW, generation: int = 1, **more: Any
) -> SiteAvailability:
    """What a poll of `site_id` found at `at`."""
    made = SiteAvailability(
        site_id=site_id,
        generation=generation,
        follows=generation - 1 if generation > 1 else None,
        observed_at=at,
        hosts_observed_at=at,
        poll_interval=timedelta(seconds=60),
        nodes={each.node_id: each for each in nodes},
    )
    return replace(made, **more)

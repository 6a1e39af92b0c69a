"""What is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

from tests.bench.oracle import Oracle, path_of
from tests.bench.world import World

type Answer = Mapping[str, Any]

CONNECTIONS: Final = (1, 8, 64)
NODES: Final = "/sites/site0a/clusters/cluster0/nodes"
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
WANTED: Final = 100
DURATION: Final = timedelta(days=3)


@dataclass(frozen=True)
class Case:
    """A request.

    Attributes:
        name: As people call it.
        path: What is asked.
        right: Whether an answer is right.
        headers: Sent with it.
        known: Whether the client has the answer already.
        naive: Whether the naive service answers it too.
        connections: How many ask at once.
    """

    name: str
    path: str
    right: Callable[[Oracle, Answer], bool] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    known: bool = False
    naive: bool = True
    connections: tuple[int, ...] = CONNECTIONS

    @property
    def status(self) -> int:
        return 304 if self.known else 200


def small(world: World) -> list[Case]:
    """What most requests ask for."""
    place = world.places("site0a", "cluster0")[100]
    path = path_of(place)
    return [
        Case("`/sites`", "/sites", lambda oracle, answer: same(answer, oracle.sites())),
        Case("one node", path, lambda oracle, answer: same(answer, oracle.node(place))),
        Case(
            "one node, known already (304)",
            path,
            lambda oracle, answer: same(answer, oracle.node(place)),
            known=True,
            naive=False,
        ),
        Case(
            "a node's availability",
            f"{path}/availability",
            lambda oracle, answer: same(answer, oracle.availability(place)),
        ),
    ]


def large(world: World) -> list[Case]:
    """Lists."""

    def nodes(oracle: Oracle, answer: Answer) -> bool:
        return same(answer, oracle.nodes("site0a", "cluster0"))

    return [
        Case("313 nodes of a cluster", NODES, nodes, connections=(1, 8)),
        Case("the same, gzip", NODES, nodes, {"Accept-Encoding": "gzip"}, naive=False, connections=(1, 8)),
        Case("the same, zstd", NODES, nodes, {"Accept-Encoding": "zstd"}, naive=False, connections=(1, 8)),
        _search("search: all 500", "", connections=(1, 8)),
    ]


def growing(world: World, began: datetime) -> list[Case]:
    """What looks at the whole inventory, whatever it answers."""
    start = began + timedelta(days=7)
    window = urlencode({"start": f"{start:{TIME}}", "end": f"{start + timedelta(days=2):{TIME}}"})
    facets = "facets=node_type%2Cgpu.gpu_model%2Cstorage_devices.media_type"
    return [
        _search("search: one rack and kind", "node_type=compute_skylake&placement.rack=7"),
        _search("the same, free next week", f"node_type=compute_skylake&placement.rack=7&{window}"),
        _search("search: 10 of all, facets", f"limit=10&{facets}"),
        Case(
            "earliest slot of 100 nodes",
            f"/availability/earliest?count={WANTED}&duration=P3D",
            lambda oracle, answer: oracle.is_earliest(answer, WANTED, DURATION),
            naive=False,
            connections=(1, 8),
        ),
    ]


def _search(name: str, query: str, **more: Any) -> Case:
    path = f"/nodes/search?{query}" if query else "/nodes/search"
    asked = parse_qs(urlsplit(path).query)
    return Case(name, path, lambda oracle, answer: same(answer, oracle.search(asked, query)), **more)


def same(answer: Answer, expected: Answer) -> bool:
    """Whether it says the same as JSON, whatever the order of keys."""
    return bool(answer == orjson.loads(orjson.dumps(expected, option=orjson.OPT_UTC_Z)))

"""A repository of a world with a history as long as that of the real one, packed as a clone is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.world import Place, World
from tests.repositories import DATA, FIRST_COMMIT_AT, GitRepository

COMMITS: Final = 222
CHANGED: Final = 3
"""How many nodes each commit but the first changes."""

IDENTITY: Final = "Carl Committer <carl@testbed.example>"
DAY: Final = 86_400


def repository(world: World, folder: Path) -> Path:
    """Where the inventory is, in `folder`. Nothing but its own folder is checked out."""
    made = GitRepository(folder)
    made.git("fast-import", "--quiet", stdin=b"".join(_stream(world)))
    made.data.mkdir(parents=True)
    return made.data


def _stream(world: World) -> Iterator[bytes]:
    yield from _commit(0, "everything")
    yield _file("chameleoncloud.json", {"uid": "chameleoncloud", "type": "grid"})
    for uid, document in world.sites.items():
        yield _file(f"sites/{uid}/{uid}.json", document)
        for cluster in world.clusters(uid):
            yield _file(f"sites/{uid}/clusters/{cluster}/{cluster}.json", {"uid": cluster, "type": "cluster"})
    for place, document in world.documents.items():
        yield _node(place, document)
    places = list(world.documents)
    for number in range(1, COMMITS):
        yield from _commit(number, f"change {number}")
        for place in (places[number * CHANGED * step % len(places)] for step in range(1, CHANGED + 1)):
            yield _node(place, {**world.documents[place], "changed": number})


def _commit(number: int, message: str) -> Iterator[bytes]:
    at = FIRST_COMMIT_AT + DAY * number
    yield f"commit refs/heads/main\ncommitter {IDENTITY} {at} +0000\ndata {len(message)}\n{message}\n".encode()


def _node(place: Place, document: Mapping[str, Any]) -> bytes:
    return _file(f"sites/{place.site_id}/clusters/{place.cluster_id}/nodes/{place.uid}.json", document)


def _file(path: str, document: Mapping[str, Any]) -> bytes:
    # As the real one's files are written.
    content = json.dumps(document, indent=2).encode()
    return b"M 100644 inline %b/%b\ndata %d\n%b\n" % (str(DATA).encode(), path.encode(), len(content), content)

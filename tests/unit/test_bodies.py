"""The JSON of a node is its file's, and links that are made for all nodes of a cluster at once."""

from typing import Any

import orjson
import pytest
from aiohttp import web

from api_service.http.bodies import Bodies
from api_service.http.links import Links
from api_service.http.routes import routes
from tests.inventories import cluster, inventory, sha, site

VERSION = sha("1")


def links(root_path: str = "") -> Links:
    app = web.Application()
    app.add_routes(routes())
    return Links(app.router, root_path)


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("version", [None, VERSION])
@pytest.mark.parametrize("uid", ["n", "a b", "%00", "%2500", '"', "\\", "é", "🦉", "a?b#c", "x" * 255])
@pytest.mark.parametrize("cluster_id", ["main", "%00", "c;l é"])
def test_a_nodes_links_are_those_of_its_own_ids(
    cluster_id: str, uid: str, version: str | None, *, pinned: bool
) -> None:
    document: dict[str, Any] = {"uid": uid, "a": [1.0, True], "version": "mine", "links": 1, "site_id": "else"}
    made = inventory(site("uc", cluster("uc", cluster_id, [document, {"uid": "other"}])), version=version)
    subject = Bodies(made, links("/root").pinned(VERSION) if pinned else links("/root"))
    for node in made.nodes():
        expected = {**node.written.document(), "version": version, "links": subject.links.node(node, version)}
        assert subject.node_body(node) == subject.node(node).body == orjson.dumps(expected)

"""What differs between two commits."""

from collections.abc import Mapping
from functools import partial

from aiohttp import web

from api_service.domain.differences import differences, holds
from api_service.domain.inventory import Node
from api_service.http.bodies import Bodies, dumps
from api_service.http.costly import BUSY
from api_service.http.openapi import documented
from api_service.http.past import PAST, version_named
from api_service.http.patches import patch_between
from api_service.http.ready import Ready
from api_service.http.representation import bodies_of
from api_service.http.requests import answer_at, ids_of, route_name
from api_service.http.version_bodies import DifferencesBody


@documented(
    returns=DifferencesBody,
    tag="versions",
    errors={404: "No such version, or neither has such a resource.", 503: BUSY},
)
async def get_differences(request: web.Request) -> web.Response:
    """Nodes that came, went or changed from one commit to another: full shas, or at least 7 digits of them.

    Patches are those of RFC 6902, and lead from the fields of a node at the one to those at the other, `version` and
    `links` left aside.
    """
    present, ids, past = bodies_of(request), ids_of(request), request.app[PAST]
    name = route_name(request).removesuffix(".diff")
    asked = {each: ids.pop(each) for each in ("version", "other")}
    versions = [version_named(present.inventory.history, *each) for each in asked.items()]
    before, after = [await past.at(each, present.inventory) for each in versions]
    key = ("diff", *(each.uid for each in versions), *sorted(ids.items()))
    body = await past.remembered.get(key, partial(_body, name, ids, before, after), len)
    return answer_at(before, Ready(body), *asked.values())


def _body(name: str, ids: Mapping[str, str], before: Bodies, after: Bodies) -> bytes:
    found = differences(before.inventory, after.inventory, ids)
    changed = (
        (after, new, patch_between(old.written.document(), new.written.document())) for old, new in found.changed
    )
    # What is there no more has its versions at the commit that still held it.
    links = after.links if holds(after.inventory, ids) else before.links
    versions = str(before.inventory.version), str(after.inventory.version)
    return dumps(
        {
            "from": versions[0],
            "to": versions[1],
            "added": [_item(after, node) for node in found.added],
            "removed": [_item(before, node) for node in found.removed],
            "changed": [_item(bodies, node) | {"patch": patch} for bodies, node, patch in changed if patch],
            "links": links.differences(name, *versions, **ids),
        }
    )


def _item(bodies: Bodies, node: Node) -> dict[str, object]:
    where = {"uid": node.uid, "site_id": node.site_id, "cluster_id": node.cluster_id}
    return where | {"links": bodies.links.only_node(node)}

"""A path that is found at once is the same resource to the router, which tries one after the other."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from api_service.http.known_paths import KnownPaths
from api_service.http.routes import RESOURCES, plain, routes

WORDS = sorted({part for _, path, _ in RESOURCES for part in path.split("/") if not part.startswith("{")} - {""})
ODD = ["", "a", "b.json", ".json", "a%2Fb", "%25", "%7Ba%7D", "é", "a b", "a\nb", "{a}", "..", "c.ics", "versions.json"]
PARTS = st.sampled_from([*WORDS, *ODD, "a", "a"])
LIKELY = st.sampled_from([path for _, path, _ in RESOURCES]).flatmap(
    lambda path: st.tuples(
        *(PARTS if part.startswith("{") else st.one_of(st.just(part), PARTS) for part in path.split("/")[1:])
    )
)
TAILS = st.sampled_from(["", "", "", ".json", "/", ".json/", "//"])
TARGETS = st.tuples(st.one_of(LIKELY, st.lists(PARTS, max_size=9)), TAILS).map(
    lambda made: "/" + "/".join(made[0]) + made[1]
)


def router() -> web.UrlDispatcher:
    app = web.Application()
    app.add_routes(routes())
    return app.router


ROUTER = router()
KNOWN = KnownPaths(plain(ROUTER))


def found(path: str, method: str) -> tuple[Any, Any]:
    """By both: which route, and its ids."""
    request = make_mocked_request(method, path)
    at_once, _ = asyncio.run(KNOWN.resolve(request))
    slowly = asyncio.run(ROUTER.resolve(request))
    return None if at_once is None else (at_once.route, dict(at_once)), (slowly.route, dict(slowly))


@settings(max_examples=150)
@given(TARGETS, st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS"]))
def test_a_path_that_is_found_at_once_is_what_the_router_finds(target: str, method: str) -> None:
    at_once, slowly = found(target, method)
    assert at_once is None or at_once == slowly


@pytest.mark.parametrize(
    ("path", "name", "ids"),
    [
        ("/", "root", {}),
        ("/sites", "sites", {}),
        ("/sites/a", "site", {"site_id": "a"}),
        ("/sites/versions", "sites.versions", {}),
        ("/nodes/search", "search", {}),
        ("/sites/a/clusters/b/nodes/c", "node", {"site_id": "a", "cluster_id": "b", "node_id": "c"}),
        ("/sites/a/clusters/b.json/nodes", "nodes", {"site_id": "a", "cluster_id": "b.json"}),
        (
            "/sites/a/clusters/b/nodes/é/availability",
            "node.availability",
            {"site_id": "a", "cluster_id": "b", "node_id": "é"},
        ),
    ],
)
def test_what_is_asked_for_most_is_found_at_once(path: str, name: str, ids: dict[str, str]) -> None:
    at_once, _ = found(path, "GET")
    assert at_once is not None
    assert (at_once[0].resource.name, at_once[1]) == (name, ids)


@pytest.mark.parametrize(
    "path", ["/sites/", "/sites.json", "/sites/a.json", "/sites/a%2Fb", "/sites/a/clusters/versions", "/sites//status"]
)
def test_what_is_unusual_is_left_to_the_router(path: str) -> None:
    assert found(path, "GET")[0] is None

"""What differs between two commits of a repository, over HTTP."""

import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from tests.component.serving import AiohttpClient, Service
from tests.component.test_inventory_resources import rels
from tests.component.test_time_travel import FOR_EVER, NODE, NODES, serving_of
from tests.repositories import GPU_NODE, HASWELL_NODE, TACC_NODES, GitRepository, change, remove

CLUSTER = "/sites/tacc/clusters/chameleon"
GPU_FILE = f"{TACC_NODES}/{GPU_NODE}.json"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """The sample; then a node's gpu is "new"; then another node, and the site uc, are gone."""
    made = GitRepository.of_sample(tmp_path / "repository")
    made.commit_each(
        lambda data: change(data / GPU_FILE, gpu="new", version="its own"),
        lambda data: remove(data / f"{TACC_NODES}/{HASWELL_NODE}.json", data / "sites/uc"),
    )
    return made


@pytest.fixture
def shas(repository: GitRepository) -> list[str]:
    """The commits, the oldest first."""
    return repository.log("--reverse")


@pytest.fixture
async def service(aiohttp_client: AiohttpClient, repository: GitRepository) -> Service:
    return await serving_of(aiohttp_client, repository.data)


def numbers(body: dict[str, Any]) -> tuple[int, int, int]:
    return len(body["added"]), len(body["removed"]), len(body["changed"])


async def test_it_tells_which_nodes_came_went_and_changed_and_where_they_are(service: Service, shas: list[str]) -> None:
    body = await service.json(f"/versions/{shas[0]}/diff/{shas[2]}")
    assert (body["from"], body["to"]) == (shas[0], shas[2])
    assert numbers(body) == (0, 5, 1)
    assert body["removed"][0] == {
        "uid": HASWELL_NODE,
        "site_id": "tacc",
        "cluster_id": "chameleon",
        "links": [{"rel": "self", "href": f"{NODE}?version={shas[0]}"}],
    }
    back = await service.json(f"/versions/{shas[2]}/diff/{shas[0]}")
    assert (back["added"], numbers(back)) == (body["removed"], (5, 0, 1))
    for item in [*body["removed"], *body["changed"]]:
        assert (await service.json(rels(item)["self"]))["uid"] == item["uid"]


async def test_a_patch_makes_the_older_node_the_newer_one_but_for_version_and_links(
    service: Service, shas: list[str]
) -> None:
    async def node(sha: str) -> dict[str, Any]:
        body = await service.json(f"{NODES}/{GPU_NODE}?version={sha}")
        return {key: value for key, value in body.items() if key not in {"version", "links"}}

    for one, other in ((0, 1), (1, 0), (2, 0)):
        body = await service.json(f"{NODES}/{GPU_NODE}/versions/{shas[one]}/diff/{shas[other]}")
        (changed,) = body["changed"]
        assert {step["path"].split("/")[1] for step in changed["patch"]} == {"gpu"}
        assert jsonpatch.apply_patch(await node(shas[one]), changed["patch"]) == await node(shas[other])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", (0, 5, 1)),
        ("/sites/tacc", (0, 1, 1)),
        ("/sites/uc", (0, 4, 0)),
        ("/sites/kvm", (0, 0, 0)),
        (CLUSTER, (0, 1, 1)),
        (NODE, (0, 1, 0)),
        (f"{NODES}/{GPU_NODE}", (0, 0, 1)),
    ],
)
async def test_below_a_resource_only_its_own_nodes_are_told_and_its_links_answer(
    service: Service, shas: list[str], path: str, expected: tuple[int, int, int]
) -> None:
    href = f"{path}/versions/{shas[0]}/diff/{shas[2]}"
    body = await service.json(href)
    assert numbers(body) == expected
    assert rels(body)["self"] == href
    assert (await service.json(rels(body)["parent"]))["items"]
    for form in (f"{href}.json", f"{href}/", f"{path}/versions/{shas[0][:7]}/diff/{shas[2][:7]}?pretty&branch=x"):
        assert await service.json(form) == body


async def test_a_commit_does_not_differ_from_itself_nor_does_what_was_written_otherwise(
    service: Service, shas: list[str], repository: GitRepository, aiohttp_client: AiohttpClient
) -> None:
    assert numbers(await service.json(f"/versions/{shas[2]}/diff/{shas[2]}")) == (0, 0, 0)
    file = repository.data / GPU_FILE
    document = json.loads(file.read_bytes())
    file.write_text(json.dumps(dict(reversed(document.items())), indent=3))
    sha = repository.commit("the other way round")
    again = await serving_of(aiohttp_client, repository.data)
    assert numbers(await again.json(f"/versions/{shas[2]}/diff/{sha}")) == (0, 0, 0)


async def test_what_neither_commit_holds_and_what_is_no_commit_is_a_404(service: Service, shas: list[str]) -> None:
    for path in ("/sites/nowhere", "/sites/tacc/clusters/none", f"{NODES}/none"):
        assert (await service.json(f"{path}/versions/{shas[0]}/diff/{shas[1]}", status=404))["detail"]
    for wrong in ("HEAD", "HEAD~1", "--help", "main", "0" * 40, shas[0][:6]):
        for name, path in (("version", f"{wrong}/diff/{shas[0]}"), ("other", f"{shas[0]}/diff/{wrong}")):
            body = await service.json(f"/versions/{path}", status=404)
            assert [each["name"] for each in body["errors"]] == [name]


async def test_only_that_of_two_whole_shas_may_be_kept_for_ever(service: Service, shas: list[str]) -> None:
    for one, other, told in (
        (shas[0], shas[1], FOR_EVER),
        (shas[0][:39], shas[1], "public, no-cache"),
        (shas[0], shas[1][:39], "public, no-cache"),
    ):
        response = await service.get(f"/versions/{one}/diff/{other}")
        assert (response.status, response.headers["Cache-Control"]) == (200, told)


async def test_a_branch_can_be_compared_with_what_is_served(
    repository: GitRepository, aiohttp_client: AiohttpClient
) -> None:
    main = repository.head()
    repository.git("checkout", "--quiet", "-b", "testing")
    change(repository.data / GPU_FILE, gpu="tested")
    testing = repository.commit("tested")
    repository.git("checkout", "--quiet", "main")
    service = await serving_of(aiohttp_client, repository.data)
    (changed,) = (await service.json(f"/versions/{main}/diff/{testing}"))["changed"]
    assert changed["patch"] == [{"op": "replace", "path": "/gpu", "value": "tested"}]

"""The commits that changed a resource."""

from dataclasses import replace
from pathlib import Path

import pytest

from api_service.adapters.git_repository import load
from api_service.http.handlers.versions import MAX_LISTED_MESSAGE
from api_service.settings import Settings
from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import example, rels
from tests.inventories import linear_history, sha
from tests.repositories import DATA, GPU_NODE, HASWELL_NODE, TACC_NODES, GitRepository, change, remove, write


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    made.serve(example())
    return made


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("/versions", "3210"),
        ("/sites/versions", "210"),
        ("/sites/uc/versions", "210"),
        ("/sites/tacc/versions", "2"),
        ("/sites/uc/clusters/versions", "21"),
        ("/sites/uc/clusters/main/versions", "21"),
        ("/sites/uc/clusters/main/nodes/versions", "21"),
        ("/sites/uc/clusters/main/nodes/n1/versions", "1"),
        ("/sites/uc/flavors/versions", "2"),
        ("/sites/uc/flavors/m1.tiny/versions", "2"),
        ("/sites/tacc/flavors/versions", ""),
    ],
)
async def test_versions_of_a_resource_are_the_commits_that_touched_its_path(
    service: Service, path: str, numbers: str
) -> None:
    body = await service.json(path)
    assert [item["uid"] for item in body["items"]] == [sha(number) for number in numbers]
    assert body["total"] == len(numbers)
    assert body["version"] == sha("3")


async def test_all_versions_are_told_under_both_names_that_clients_read(service: Service) -> None:
    body = await service.json("/versions")
    assert body["versions"] == body["items"]


async def test_a_version_tells_who_when_and_why_and_never_an_address(service: Service) -> None:
    item = (await service.json("/sites/uc/versions"))["items"][0]
    assert item == {
        "uid": sha("2"),
        "message": "Change 2",
        "subject": "Change 2",
        "date": "Wed, 18 Nov 2026 06:00:00 GMT",
        "author": "A. Author",
        "type": "version",
        "links": [
            {"rel": "self", "href": f"/sites/uc/versions/{sha('2')}"},
            {"rel": "parent", "href": "/sites/uc"},
            {"rel": "diff", "href": f"/sites/uc/versions/{sha('1')}/diff/{sha('2')}"},
        ],
    }


async def test_a_message_is_whole_and_has_its_subject_and_body_beside_it(service: Service) -> None:
    message = "Subject on\ntwo lines\n\nBody.\n\nMore."
    history = linear_history(["sites/uc/uc.json"])
    [commit] = history.commits.values()
    history = replace(history, commits={commit.uid: replace(commit, message=message)})
    service.serve(replace(example(), history=history, version=commit.uid))
    for path in ("/versions", "/sites/uc/versions"):
        [item] = (await service.json(path))["items"]
        assert (item["message"], item["subject"]) == (message, "Subject on two lines")
        alone = await service.json(f"{path}/{commit.uid}")
        assert (alone["message"], alone["subject"], alone["body"]) == (
            message,
            "Subject on two lines",
            "Body.\n\nMore.",
        )


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("/versions", "/"),
        ("/sites/versions", "/"),
        ("/sites/uc/versions", "/sites"),
        ("/sites/uc/clusters/versions", "/sites/uc"),
        ("/sites/uc/clusters/main/versions", "/sites/uc/clusters/main"),
        ("/sites/uc/clusters/main/nodes/versions", "/sites/uc/clusters/main/nodes"),
        ("/sites/uc/clusters/main/nodes/n1/versions", "/sites/uc/clusters/main/nodes/n1"),
        ("/sites/uc/flavors/versions", "/sites/uc"),
        ("/sites/uc/flavors/m1.tiny/versions", "/sites/uc/flavors/m1.tiny"),
    ],
)
async def test_the_parent_of_versions_is_the_one_that_earlier_apis_name(
    service: Service, path: str, parent: str
) -> None:
    assert rels(await service.json(path))["parent"] == parent


# What is not there any more


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """The sample; a node changes; it goes with a flavor; a site and a cluster go; the root changes."""
    made = GitRepository.of_sample(tmp_path / "repository")
    write(made.data / "sites/notes.json", {"uid": "notes"})
    node = made.data / TACC_NODES / f"{HASWELL_NODE}.json"
    made.commit_each(
        lambda data: change(node, gpu="last"),
        lambda data: remove(node, data / "sites/tacc/flavors/m1.xlarge.json"),
        lambda data: remove(data / "sites/uc", data / "sites/kvm/clusters/chameleon"),
        lambda data: change(data / "chameleoncloud.json", more="of it"),
    )
    return made


RETIRED = [
    (f"/{TACC_NODES}/{HASWELL_NODE}", f"{TACC_NODES}/{HASWELL_NODE}.json"),
    ("/sites/tacc/flavors/m1.xlarge", "sites/tacc/flavors/m1.xlarge.json"),
    ("/sites/uc", "sites/uc"),
    ("/sites/uc/clusters", "sites/uc/clusters"),
    ("/sites/uc/clusters/chameleon", "sites/uc/clusters/chameleon"),
    ("/sites/uc/clusters/chameleon/nodes", "sites/uc/clusters/chameleon/nodes"),
    ("/sites/kvm/clusters/chameleon", "sites/kvm/clusters/chameleon"),
]
"""What is gone, and its path in the repository."""


@pytest.fixture
async def real(aiohttp_client: AiohttpClient, repository: GitRepository) -> Service:
    made = await serving(aiohttp_client, settings=Settings.model_validate({"reference": {"ref_dir": repository.data}}))
    made.serve(load(repository.data))
    return made


@pytest.mark.parametrize(("path", "file"), RETIRED)
async def test_what_is_gone_has_the_versions_that_git_lists(
    real: Service, repository: GitRepository, path: str, file: str
) -> None:
    await real.json(path, status=404)
    body = await real.json(f"{path}/versions")
    listed = repository.log("--", str(DATA / file))
    assert [item["uid"] for item in body["items"]] == listed
    for uid in listed:
        assert (await real.json(f"{path}/versions/{uid}"))["uid"] == uid
    assert (await real.json(f"{path}/versions/{repository.head()}"))["uid"] == listed[0]


@pytest.mark.parametrize(("path", "file"), RETIRED)
async def test_what_is_gone_leads_to_the_version_in_which_it_last_was(real: Service, path: str, file: str) -> None:
    body = await real.json(f"{path}/versions")
    last = rels(body)["latest-version"]
    found = await real.json(last)
    uid = last.partition("?version=")[2]
    assert (found["version"], last) == (uid, f"{path}?version={uid}")
    assert uid == body["items"][1]["uid"]
    await real.json(f"{path}?version={body['items'][0]['uid']}", status=404)
    for href in rels(body).values():
        await real.json(href)
    for item in [*body["items"], await real.json(f"{path}/versions/{uid}")]:
        assert rels(item)["parent"] == last
        for href in rels(item).values():
            await real.json(href)
    # It may come back, and its links then lead elsewhere.
    assert "immutable" not in (await real.get(f"{path}/versions/{uid}")).headers["Cache-Control"]


async def test_a_message_is_whole_of_one_version_and_bounded_in_a_list(
    real: Service, repository: GitRepository
) -> None:
    message = "long\n\n" + "x" * MAX_LISTED_MESSAGE
    repository.git("commit", "--quiet", "--allow-empty", "--message", message)
    real.serve(load(repository.data))
    listed = (await real.json("/versions"))["items"][0]
    assert listed["message"] == message[: MAX_LISTED_MESSAGE - 1] + "…"
    assert (await real.json(f"/versions/{listed['uid']}"))["message"] == message


async def test_as_of_a_commit_only_what_was_there_until_then_has_versions(
    real: Service, repository: GitRepository
) -> None:
    node = f"/{TACC_NODES}/{HASWELL_NODE}"
    gone = repository.log("--", str(DATA / TACC_NODES / f"{HASWELL_NODE}.json"))[0]
    assert (await real.json(f"{node}/versions?version={gone}"))["total"] == 3
    write(repository.data / TACC_NODES / "new.json", {"uid": "new"})
    repository.commit("a new node")
    real.serve(load(repository.data))
    await real.json(f"/{TACC_NODES}/new/versions")
    await real.json(f"/{TACC_NODES}/new/versions?version={gone}", status=404)


@pytest.mark.parametrize(
    "path",
    [
        "/sites/never/versions",
        "/sites/notes.json/versions",
        "/sites/notes/versions",
        "/sites/uc/clusters/never/versions",
        "/sites/uc/clusters/chameleon/nodes/never/versions",
        "/sites/tacc/clusters/chameleon/nodes/nodes/versions",
        "/sites/uc/flavors/never/versions",
        "/sites/uc%2Fclusters%2Fchameleon/versions",
        "/sites/tacc/clusters/..%2F..%2Fuc%2Fclusters%2Fchameleon/versions",
        f"/{TACC_NODES}/..%2Fnodes%2F{HASWELL_NODE}/versions",
    ],
)
async def test_what_never_was_is_a_404(real: Service, path: str) -> None:
    await real.json(path, status=404)
    await real.json(f"{path}/{'0' * 40}", status=404)


async def test_a_file_that_cannot_be_served_has_its_versions_and_is_not_gone(
    real: Service, repository: GitRepository
) -> None:
    write(repository.data / TACC_NODES / f"{GPU_NODE}.json", b"{")
    repository.commit("broken")
    real.serve(load(repository.data))
    body = await real.json(f"/{TACC_NODES}/{GPU_NODE}/versions")
    assert body["total"] == 2
    assert "latest-version" not in rels(body)


async def test_a_version_leads_to_what_differs_from_the_one_before_it(service: Service) -> None:
    listed = (await service.json("/sites/uc/clusters/main/versions?limit=1"))["items"][0]
    alone = await service.json(rels(listed)["self"])
    assert rels(listed)["diff"] == rels(alone)["diff"]
    oldest = (await service.json("/versions"))["items"][-1]
    assert "diff" not in rels(oldest)
    assert "diff" not in rels(await service.json(rels(oldest)["self"]))


async def test_the_version_in_force_is_the_newest_change_at_or_before_the_commit(service: Service) -> None:
    for asked, found in (("3", "1"), ("2", "1"), ("1", "1")):
        body = await service.json(f"/sites/uc/clusters/main/nodes/n1/versions/{sha(asked)}")
        assert body["uid"] == sha(found)
    await service.json(f"/sites/uc/clusters/main/nodes/n1/versions/{sha('0')}", status=404)


async def test_of_the_whole_repository_every_commit_is_its_own_version(service: Service) -> None:
    for number in "0123":
        assert (await service.json(f"/versions/{sha(number)}"))["uid"] == sha(number)


async def test_seven_digits_of_a_commit_are_enough_and_six_are_not(service: Service) -> None:
    assert (await service.json(f"/versions/{sha('2')[:7]}"))["uid"] == sha("2")
    assert (await service.json(f"/versions/{sha('2')[:9].upper()}"))["uid"] == sha("2")
    await service.json(f"/versions/{sha('2')[:6]}", status=404)


@pytest.mark.parametrize(
    "version", ["HEAD", "HEAD~1", "a%5E%7Btree%7D", "--help", "0" * 40, "master", "x" * 300, "%00"]
)
async def test_anything_but_a_commit_is_a_404(service: Service, version: str) -> None:
    for path in ("/versions", "/sites/uc/versions", "/sites/uc/clusters/main/nodes/n1/versions"):
        body = await service.json(f"{path}/{version}", status=404)
        assert body["detail"]


async def test_pages_of_versions_are_linked(service: Service) -> None:
    first = await service.json("/versions?limit=3")
    assert first["total"] == 4
    last = await service.json(rels(first)["next"])
    assert [item["uid"] for item in last["items"]] == [sha("0")]
    assert last["versions"] == last["items"]

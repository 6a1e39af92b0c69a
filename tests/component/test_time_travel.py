"""What there was: any commit of a repository, asked for by its sha, a time or a branch."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api_service.adapters.git_repository import load
from api_service.http.past import PAST
from api_service.settings import Settings
from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_git_repository import clone_without
from tests.component.test_inventory_resources import rels
from tests.inventories import booked, polled
from tests.repositories import (
    DATA,
    FIRST_COMMIT_AT,
    GPU_NODE,
    HASWELL_NODE,
    TACC_NODES,
    GitRepository,
    change,
    copy_sample,
    remove,
    write,
)

NODES = f"/{TACC_NODES}"
NODE = f"{NODES}/{HASWELL_NODE}"
FOR_EVER = "public, max-age=31536000, immutable"
FOR_NOW = "public, max-age=10"
PATHS = ("/", "/sites", "/sites/tacc", "/sites/tacc/clusters", NODES, NODE, "/sites/tacc/flavors", "/nodes/search")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """The sample; then a node's gpu is "new"; then the node, and the site uc, are gone. On `testing` it is "tested"."""
    made = GitRepository.of_sample(tmp_path / "repository")
    made.git("checkout", "--quiet", "-b", "testing")
    change(made.data / f"{TACC_NODES}/{HASWELL_NODE}.json", gpu="tested")
    made.commit("tested", at=FIRST_COMMIT_AT + 90)
    made.git("checkout", "--quiet", "main")
    made.commit_each(
        lambda data: change(data / f"{TACC_NODES}/{HASWELL_NODE}.json", gpu="new"),
        lambda data: remove(data / f"{TACC_NODES}/{HASWELL_NODE}.json", data / "sites/uc"),
    )
    return made


@pytest.fixture
def shas(repository: GitRepository) -> list[str]:
    """The commits of `main`, the oldest first."""
    return repository.log("main", "--reverse")


@pytest.fixture
async def service(aiohttp_client: AiohttpClient, repository: GitRepository) -> Service:
    return await serving_of(aiohttp_client, repository.data)


async def serving_of(aiohttp_client: AiohttpClient, ref_dir: Path) -> Service:
    service = await serving(aiohttp_client, settings=Settings.model_validate({"reference": {"ref_dir": ref_dir}}))
    service.serve(load(ref_dir))
    return service


@contextmanager
def counted_loads(service: Service) -> Iterator[list[str]]:
    """The shas of the commits that are loaded meanwhile."""
    past, found = service.app[PAST], list[str]()
    real = past._load

    def counting(version: Any, history: Any) -> Any:
        found.append(version.uid)
        return real(version, history)

    past._load = counting
    yield found
    past._load = real


async def gpu_at(service: Service, query: str) -> object:
    return (await service.json(f"{NODE}?{query}"))["gpu"]


async def test_a_commit_is_served_whole_and_says_which_it_is(service: Service, shas: list[str]) -> None:
    await service.json(NODE, status=404)
    for sha, gpu in zip(shas, ({"gpu": False}, "new"), strict=False):
        for asked in (sha, sha[:7]):
            body = await service.json(f"{NODE}?version={asked}")
            assert (body["version"], body["gpu"]) == (sha, gpu)
    await service.json(f"{NODE}?version={shas[2]}", status=404)
    assert [site["uid"] for site in (await service.json(f"/sites?version={shas[0]}"))["items"]] == [
        "edge", "kvm", "tacc", "uc",
    ]  # fmt: skip
    assert [site["uid"] for site in (await service.json("/sites"))["items"]] == ["edge", "kvm", "tacc"]


async def test_a_time_means_the_newest_commit_until_then(service: Service, shas: list[str]) -> None:
    second = FIRST_COMMIT_AT + 180  # of the second commit; that of the branch is older, the third a minute younger
    later = [(second + 59.9, 1), (second + 60, 2), (9_999_999_999, 2), ("1.770000180e9", 1)]
    for asked, number in [(second - 1, 0), (second - 0.001, 0), (second, 1), *later]:
        assert (await service.json(f"/sites?timestamp={asked}"))["version"] == shas[number], asked
    assert (await service.json("/"))["timestamp"] == str(second + 60)
    date = "2026-02-02T02:43:00Z"
    shifted, before = "2026-02-02T03:43:00%2B01:00", "2026-02-02T02:42:59.9Z"
    for written, number in ((date, 1), (shifted, 1), (before, 0), ("2030-01-01", 2)):
        assert (await service.json(f"/sites?date={written}"))["version"] == shas[number], written


async def test_a_branch_means_its_newest_commit(service: Service, shas: list[str], repository: GitRepository) -> None:
    assert await gpu_at(service, "branch=testing") == "tested"
    body = await service.json(f"{NODE}?branch=testing")
    assert body["version"] == repository.log("-1", "testing")[0]
    assert await service.json(f"{NODE}?version={body['version']}") == body
    assert (await service.json("/sites?branch=main"))["version"] == shas[2]


@pytest.mark.parametrize("path", PATHS)
async def test_all_ways_to_ask_for_a_commit_give_the_same_answer_in_every_form(
    service: Service, shas: list[str], path: str
) -> None:
    expected = await service.json(f"{path}?version={shas[1]}")
    assert expected["version"] == shas[1]
    for query in (f"version={shas[1][:9]}", f"timestamp={FIRST_COMMIT_AT + 180}", "date=2026-02-02T02:43:30Z"):
        for form in (path, f"{path}.json", f"{path}.json/"):
            assert await service.json(f"{form}?{query}") == expected


async def test_links_lead_to_the_same_commit_and_none_to_the_availability_of_now(
    service: Service, shas: list[str]
) -> None:
    timeless = {"/docs", "/ui", "/openapi.json", "/asyncapi.json", "/status"}
    waiting, seen = [f"/?timestamp={FIRST_COMMIT_AT + 60}"], set[str]()
    while waiting:
        body = await service.json(waiting.pop())
        for each in [body, *body.get("items", ())]:
            assert each.get("version", shas[0]) == shas[0]
            new = set(rels(each).values()) - seen - timeless
            assert all(href.endswith(f"?version={shas[0]}") for href in new), new
            assert "availability" not in rels(each)
            seen |= new
            waiting += new
    assert f"{NODE}?version={shas[0]}" in seen
    assert f"/sites/uc/versions/{shas[0]}?version={shas[0]}" in seen
    assert len(seen) > 50


async def test_pages_of_a_branch_that_moves_meanwhile_are_pages_of_one_commit(
    service: Service, repository: GitRepository, shas: list[str]
) -> None:
    first = await service.json(f"{NODES}?branch=main&limit=2&x=%26")
    change(repository.data / f"{TACC_NODES}/{GPU_NODE}.json", gpu="later")
    repository.commit("later")
    service.serve(load(repository.data))
    pages = [first]
    while href := rels(pages[-1]).get("next"):
        pages.append(await service.json(href))
    assert [page["version"] for page in pages] == [shas[2]] * 3
    assert rels(first)["self"] == f"{NODES}?version={shas[2]}&limit=2&x=%26"
    assert rels(pages[-1])["prev"].startswith(f"{NODES}?version={shas[2]}&x=%26&")


@pytest.mark.parametrize(
    "path", [NODES, "/nodes/search", "/nodes/search?availability=available,unknown", "/nodes/availability", "/versions"]
)
async def test_a_commit_between_two_pages_changes_nothing_of_a_list(
    service: Service, repository: GitRepository, shas: list[str], path: str
) -> None:
    before = await service.json(path)
    first = await service.json(path + ("&" if "?" in path else "?") + "limit=2")
    remove(repository.data / f"{TACC_NODES}/{GPU_NODE}.json")
    repository.commit("a node is gone")
    service.serve(load(repository.data))
    assert (await service.json(path))["items"] != before["items"]
    pages = [first]
    while href := rels(pages[-1]).get("next"):
        pages.append(await service.json(href))
    assert len(pages) > 1
    assert {(page["version"], page["total"]) for page in pages} == {(shas[2], before["total"])}
    assert [item for page in pages for item in page["items"]] == before["items"]
    assert (await service.json(rels(pages[-1])["prev"]))["items"] == pages[-2]["items"]


async def test_a_list_that_is_continued_tells_of_nodes_as_they_are_now(
    service: Service, repository: GitRepository
) -> None:
    service.learn(polled("tacc", booked((-1, 1), node_id=GPU_NODE)))
    first = await service.json("/nodes/search?limit=1&site_id=tacc")
    change(repository.data / f"{TACC_NODES}/{GPU_NODE}.json", gpu="changed")
    repository.commit("another commit")
    service.serve(load(repository.data))
    (rest, now) = (rels(first)["next"].replace("limit=1", "limit=9"), f"/nodes/search?uid={GPU_NODE}")
    continued, present = [
        next(item for item in (await service.json(href))["items"] if item["uid"] == GPU_NODE) for href in (rest, now)
    ]
    assert continued["version"] == first["version"]
    assert (continued["gpu"]["gpu"], continued["availability"], present["gpu"]) == (True, "reserved", "changed")
    assert rels(continued) == rels(present) | {"version": f"{rels(present)['versions']}/{continued['version']}"}


async def test_a_list_that_is_continued_may_not_be_kept(service: Service, shas: list[str]) -> None:
    for path in (NODES, "/nodes/search"):
        response = await service.get(f"{path}?continues={shas[1]}&limit=1")
        assert "immutable" not in response.headers["Cache-Control"]


async def test_only_a_commit_can_be_continued_and_not_beside_another(service: Service, shas: list[str]) -> None:
    for path in (NODES, "/nodes/search", "/nodes/availability"):
        for asked, status in (("0" * 40, 404), ("HEAD", 400), ("", 400)):
            body = await service.json(f"{path}?continues={asked}", status=status)
            assert [each["name"] for each in body["errors"]] == ["continues"]
    for path in (NODES, "/nodes/search"):
        body = await service.json(f"{path}?continues={shas[0]}&branch=main", status=400)
        assert [each["name"] for each in body["errors"]] == ["branch", "continues"]


async def test_what_is_not_kept_in_git_is_continued_by_its_offset_alone(
    tmp_path: Path, aiohttp_client: AiohttpClient
) -> None:
    service = await serving_of(aiohttp_client, copy_sample(tmp_path))
    assert rels(await service.json(f"{NODES}?limit=2"))["next"] == f"{NODES}?offset=2&limit=2"


async def test_items_of_a_past_collection_are_what_each_item_answers_alone(service: Service, shas: list[str]) -> None:
    for path in ("/sites", "/sites/tacc/clusters", NODES, "/sites/kvm/flavors", "/versions", "/sites/uc/versions"):
        for item in (await service.json(f"{path}?version={shas[0]}"))["items"]:
            assert await service.json(rels(item)["self"]) == item


async def test_versions_as_of_a_commit_are_those_until_then(service: Service, shas: list[str]) -> None:
    async def versions(path: str, query: str) -> list[str]:
        return [item["uid"] for item in (await service.json(f"{path}?{query}"))["items"]]

    assert await versions("/versions", f"version={shas[1]}") == [shas[1], shas[0]]
    assert await versions(f"{NODE}/versions", f"version={shas[1]}") == [shas[1], shas[0]]
    assert await versions("/sites/uc/versions", f"version={shas[1]}") == [shas[0]]
    assert len(await versions(f"{NODE}/versions", "branch=testing")) == 2
    await service.json(f"/versions/{shas[2]}?version={shas[1]}", status=404)
    assert (await service.json(f"{NODE}/versions/{shas[0]}?version={shas[1]}"))["uid"] == shas[0]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("version=0000000", 404, "there is no version 0000000"),
        ("version=HEAD", 400, "first 7 digits"),
        ("version=HEAD~1", 400, "first 7 digits"),
        ("version=--help", 400, "first 7 digits"),
        ("version=main", 400, "first 7 digits"),
        ("version=", 400, "first 7 digits"),
        ("version=abcdef", 400, "first 7 digits"),
        ("version=0000000%0a", 400, "first 7 digits"),
        ("version=0000000&version=0000000", 400, "once"),
        ("branch=nowhere", 404, "there is no branch 'nowhere'"),
        ("branch=HEAD", 404, "no branch"),
        ("branch=HEAD~1", 404, "no branch"),
        ("branch=--help", 404, "no branch"),
        ("branch=refs/heads/main", 404, "no branch"),
        ("branch=..%2f..%2fHEAD%00", 404, "no branch"),
        ("branch=", 400, "must not be empty"),
        ("branch=" + "x" * 256, 400, "255 characters at most"),
        ("timestamp=0", 404, "as old as 1970-01-01"),
        ("timestamp=-1", 400, "must be at least 0"),
        ("timestamp=1e9", 404, "as old as 2001"),
        ("timestamp=now", 400, "seconds since 1970"),
        ("timestamp=999999999999", 400, "must be at most"),
        ("date=1999-01-01", 404, "as old as 1999"),
        ("date=yesterday", 400, "RFC 3339"),
    ],
)
async def test_what_is_no_commit_is_a_problem_that_names_the_parameter(
    service: Service, query: str, status: int, said: str
) -> None:
    name = query.partition("=")[0]
    for path in ("/", "/sites/tacc/clusters", NODE, "/nodes/search", f"{NODES}/versions"):
        body = await service.json(f"{path}?{query}", status=status)
        assert [each["name"] for each in body["errors"]] == [name]
        assert said in body["errors"][0]["detail"]
        assert body["detail"].startswith(f"{name}: ")


async def test_a_prefix_of_several_commits_is_a_problem(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    service = await serving(aiohttp_client)
    made = load(GitRepository.of_sample(tmp_path).data)
    (version,) = made.history.all()
    twin = version.uid[:-1] + ("0" if version.uid[-1] != "0" else "1")
    object.__setattr__(made.history, "commits", {**made.history.commits, twin: version})
    service.serve(made)
    body = await service.json(f"/sites?version={version.uid[:20]}", status=404)
    assert body["errors"] == [{"name": "version", "detail": f"more than one version begins with {version.uid[:20]}"}]
    assert body["title"] == "Not Found"


async def test_two_ways_at_once_are_refused_by_both_names(service: Service, shas: list[str]) -> None:
    body = await service.json(f"/sites?version={shas[0]}&branch=main", status=400)
    assert [each["name"] for each in body["errors"]] == ["version", "branch"]
    assert "exclude each other" in body["detail"]


@pytest.mark.parametrize("query", ["version=0000000", "timestamp=1770000000", "date=2026-01-01", "branch=main"])
async def test_a_plain_folder_says_that_it_has_no_versions(
    tmp_path: Path, aiohttp_client: AiohttpClient, query: str
) -> None:
    service = await serving_of(aiohttp_client, copy_sample(tmp_path))
    for path in ("/", NODE, "/nodes/search"):
        body = await service.json(f"{path}?{query}", status=404)
        assert [each["name"] for each in body["errors"]] == [query.partition("=")[0]]
        assert "not kept in git" in body["detail"]


async def test_only_answers_to_a_whole_sha_may_be_kept_for_ever(service: Service, shas: list[str]) -> None:
    own = (f"{NODES}/versions/{shas[0]}", f"/versions/{shas[0]}")
    for path in (*PATHS, "/versions", f"{NODE}/versions", f"{NODE}/versions/{shas[0]}", *own):
        response = await service.get(f"{path}?version={shas[1]}")
        assert response.headers["Cache-Control"] == FOR_EVER, path
        for query in (f"version={shas[1][:39]}", f"timestamp={FIRST_COMMIT_AT + 180}", "branch=testing"):
            response = await service.get(f"{path}?{query}")
            told = "public, no-cache" if path == "/nodes/search" else FOR_NOW
            assert (response.status, response.headers["Cache-Control"]) == (200, told), (path, query)
    for path, told in (
        ("/sites", FOR_NOW),
        ("/sites/nowhere?version=" + shas[1], "no-store"),
        ("/sites?version=" + "0" * 40, "no-store"),
        # Their parent is what there is now.
        *((path, FOR_NOW) for path in own),
    ):
        assert (await service.get(path)).headers["Cache-Control"] == told, path


async def test_nothing_of_a_shallow_clone_may_be_kept_for_ever(
    repository: GitRepository, tmp_path: Path, aiohttp_client: AiohttpClient
) -> None:
    clone = GitRepository(tmp_path / "clone", made=True)
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone.folder))
    service = await serving_of(aiohttp_client, clone.data)
    for path in (f"/versions?version={clone.head()}", f"/versions/{clone.head()}"):
        response = await service.get(path)
        assert (response.status, response.headers["Cache-Control"]) == (200, FOR_NOW)


# Availability is of the present


async def test_a_search_of_the_past_finds_hardware_and_knows_no_availability(service: Service, shas: list[str]) -> None:
    service.learn(polled("tacc"))
    body = await service.json(f"/nodes/search?site_id=tacc,uc&arch=x86_64&version={shas[0]}")
    assert (body["total"], body["version"]) == (9, shas[0])
    assert rels(body)["self"] == f"/nodes/search?version={shas[0]}&site_id=tacc%2Cuc&arch=x86_64"
    for item in body["items"]:
        told = {key: item.pop(key) for key in ("availability", "availability_until", "last_updated", "stale")}
        assert told == {"availability": "unknown", "availability_until": None, "last_updated": None, "stale": True}
        where = f"/sites/{item.pop('site_id')}/clusters/{item.pop('cluster_id')}/nodes/{item['uid']}"
        assert await service.json(f"{where}?version={shas[0]}") == item
    assert (await service.json("/nodes/search?site_id=tacc,uc"))["total"] == 5


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("availability=available", ["availability"]),
        ("availability=unknown", ["availability"]),
        ("start=2030-01-01&end=2030-01-02", ["start", "end"]),
        ("start=2030-01-01", ["start"]),
    ],
)
async def test_a_search_of_the_past_by_availability_is_refused(
    service: Service, shas: list[str], query: str, names: list[str]
) -> None:
    for travel in (f"version={shas[0]}", "timestamp=1770000180", "date=2026-02-03", "branch=main"):
        body = await service.json(f"/nodes/search?{query}&{travel}", status=400)
        assert [each["name"] for each in body["errors"]] == names
        assert "present" in body["detail"]
        assert travel.partition("=")[0] in body["detail"]


@pytest.mark.parametrize(
    "path", [f"{NODE}/availability", "/sites/tacc/availability", "/sites/kvm/flavors/m1.large/availability"]
)
async def test_availability_of_the_past_is_refused(service: Service, shas: list[str], path: str) -> None:
    body = await service.json(f"{path}?version={shas[0]}&branch=main", status=400)
    assert [each["name"] for each in body["errors"]] == ["version", "branch"]
    assert "present only" in body["detail"]


@pytest.mark.parametrize("path", ["/nodes/availability", "/availability/earliest", "/availability/capacity"])
async def test_there_are_no_plans_for_the_past(service: Service, shas: list[str], path: str) -> None:
    for query in (f"version={shas[0]}", "timestamp=1770000180", "date=2026-02-03", "branch=main"):
        body = await service.json(f"{path}?{query}", status=400)
        assert [each["name"] for each in body["errors"]] == [query.partition("=")[0]]


# What history holds, and what it costs


async def test_every_commit_answers_every_collection_whatever_it_holds(
    repository: GitRepository, aiohttp_client: AiohttpClient
) -> None:
    data = repository.data
    for content in (b"{", b"\xff", b"[]", b'{"uid": "other"}'):
        for file in (f"{TACC_NODES}/{GPU_NODE}.json", "sites/tacc/tacc.json", "chameleoncloud.json"):
            before = (data / file).read_bytes()
            write(data / file, content)
            repository.commit(f"{file} is {content!r}")
            write(data / file, before)
    shutil.rmtree(data / "sites")
    repository.commit("no site")
    shutil.rmtree(repository.folder / "data")
    write(repository.folder / DATA.parent, b"a file where the folder was")
    repository.commit("no folder")
    (repository.folder / DATA.parent).unlink()
    copy_sample(data)
    repository.commit("all is well")
    service = await serving_of(aiohttp_client, data)
    answers = set()
    for sha in repository.log():
        for path in (*PATHS, "/versions", "/sites/versions", f"{NODE}/versions"):
            response = await service.get(f"{path}?version={sha}")
            answers.add(response.status)
            assert response.status == 200 or path.startswith("/sites/tacc"), (sha, path)
    assert answers == {200, 404}


async def test_a_commit_is_loaded_once_for_all_who_ask_for_it_together(service: Service, shas: list[str]) -> None:
    with counted_loads(service) as loads:
        bodies = await asyncio.gather(*(service.json(f"{path}?version={shas[0]}") for path in PATHS * 3))
        await service.json(f"/versions?version={shas[0]}")
        await service.json(f"/sites?version={shas[2]}")
    assert loads == [shas[0]]
    assert {body["version"] for body in bodies} == {shas[0]}


async def test_another_inventory_begins_with_an_empty_memory(
    service: Service, shas: list[str], repository: GitRepository
) -> None:
    await service.json(f"/versions?version={shas[0]}")
    change(repository.data / "chameleoncloud.json", more="of it")
    repository.commit("newer")
    service.serve(load(repository.data))
    with counted_loads(service) as loads:
        await service.json(f"/sites?version={shas[0]}")
    assert loads == [shas[0]]


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
async def test_of_a_partial_clone_the_past_is_a_503_and_never_a_part_of_it(
    repository: GitRepository, shas: list[str], tmp_path: Path, aiohttp_client: AiohttpClient, left_out: str
) -> None:
    clone = clone_without(repository, tmp_path / "clone", left_out)
    service = await serving_of(aiohttp_client, clone.data)
    first, last = shas[0], shas[-1]
    assert (await service.json(f"/nodes/search?version={last}"))["total"] == 6
    for path in (f"/sites?version={first}", f"/nodes/search?version={first}", f"/versions/{first}/diff/{last}"):
        response = await service.get(path)
        body = await response.json(content_type=None)
        assert (response.status, response.headers["Retry-After"]) == (503, "10"), path
        assert response.headers["Cache-Control"] == "no-store"
        assert "the clone is partial" in body["detail"]
    assert (await service.json("/versions"))["total"] == 3
    listing = await service.get(f"{NODES}/{GPU_NODE}/versions")
    assert listing.status == (503 if left_out == "tree:0" else 200)
    assert (await service.get(f"/sites?version={last}")).headers["Cache-Control"] == FOR_NOW


async def test_a_commit_that_cannot_be_read_any_more_is_a_503_and_read_again_later(
    service: Service, shas: list[str], repository: GitRepository
) -> None:
    found = repository.folder / ".git/objects" / shas[0][:2] / shas[0][2:]
    found.rename(repository.folder / "hidden")
    response = await service.get(f"/sites?version={shas[0]}")
    assert response.status == 503
    assert response.headers["Retry-After"]
    assert "cannot be read" in (await response.json(content_type=None))["detail"]
    (repository.folder / "hidden").rename(found)
    await service.json(f"/sites?version={shas[0]}")

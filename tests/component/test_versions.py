"""The commits that changed a resource."""

import pytest

from tests.component.serving import AiohttpClient, Service, serving
from tests.component.test_inventory_resources import example, rels
from tests.inventories import sha


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
        "date": "Wed, 18 Nov 2026 06:00:00 GMT",
        "author": "A. Author",
        "type": "version",
        "links": [
            {"rel": "self", "href": f"/sites/uc/versions/{sha('2')}"},
            {"rel": "parent", "href": "/sites/uc"},
            {"rel": "diff", "href": f"/sites/uc/versions/{sha('1')}/diff/{sha('2')}"},
        ],
    }


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
    await service.json(f"/versions/{sha('2')[:6]}", status=404)


@pytest.mark.parametrize(
    "version", ["HEAD", "HEAD~1", "a%5E%7Btree%7D", "--help", "0" * 40, "master", "x" * 300, "%00", sha("2").upper()]
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

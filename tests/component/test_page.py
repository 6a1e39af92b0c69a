"""The page's files: what is served, how much of it, and what it may do. `make test-ui` tells what it does."""

import gzip
import re
from pathlib import Path

import pytest
from yarl import URL

from api_service.http.handlers.page import ASSETS, FOLDER
from tests.component.serving import AiohttpClient, Service, serving

OURS = [
    file for file in sorted(FOLDER.iterdir()) if file.suffix in {".js", ".css", ".html"} and "uPlot" not in file.name
]
MOST_BYTES = 200_000


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    return await serving(aiohttp_client)


async def loaded(service: Service, page: str) -> list[str]:
    """What the page names, as a browser resolves it."""
    text = await (await service.get(page)).text()
    names = re.findall(r'(?:href|src)="([^"]+)"', text)
    return [service.client.make_url(page).join(URL(name)).path for name in names]


@pytest.mark.parametrize("page", ["/ui", "/ui/"])
async def test_the_page_finds_its_files_from_where_it_is(page: str, service: Service) -> None:
    paths = await loaded(service, page)
    assert "/ui/assets/main.js" in paths
    for path in paths:
        assert (await service.get(path)).status in {200, 503}, path


async def test_a_page_may_load_nothing_but_its_own_files_and_make_no_markup_of_text(service: Service) -> None:
    policy = (await service.get("/ui")).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


async def test_each_file_has_its_type_and_anything_else_leads_nowhere(service: Service) -> None:
    for name, media_type in ASSETS.items():
        response = await service.get(f"/ui/assets/{name}")
        assert (response.status, response.headers["Content-Type"]) == (200, media_type)
    for name in ("index.html", "LICENSE.uPlot", "..%2f..%2froutes.py", "nothing.js"):
        assert (await service.get(f"/ui/assets/{name}")).status == 404


def test_all_of_it_is_small() -> None:
    assert sum(len(gzip.compress(file.read_bytes())) for file in FOLDER.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_file_of_the_page_is_short_and_names_no_place_elsewhere(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 250
    assert max(map(len, text.splitlines())) <= 120
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) == []
    assert [each for each in re.findall(r"https?://[^\s\"')]+", text) if "www.w3.org" not in each] == []
    assert re.findall(r"""(?:href|src)=["']/""", text) == []


def test_modules_import_what_there_is() -> None:
    for file in OURS:
        for name in re.findall(r'from "\./([^"]+)"', file.read_text()):
            assert name in ASSETS, (file.name, name)


async def test_all_modules_are_asked_for_at_once(service: Service) -> None:
    modules = {f"/ui/assets/{name}" for name in ASSETS if name.endswith(".js")}
    assert modules <= set(await loaded(service, "/ui"))

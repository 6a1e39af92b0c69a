"""A page to look at: hardware, what is free when, and how the service is. Its files ask the same API as anybody."""

from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from api_service.http.caching import Answer
from api_service.http.ready import Ready
from shared.availability import utc_now

FOLDER: Final = Path(__file__).parent.parent / "static" / "ui"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
ASSETS: Final = {file.name: TYPES[file.suffix] for file in sorted(FOLDER.iterdir()) if file.suffix in TYPES}
"""What the page may load, with the media type of each; a name that is not here leads nowhere."""

BEGUN: Final = utc_now()
"""As far as anybody knows the files were never others."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""No script or style but from these files, and no text that becomes markup: the inventory's texts are anybody's."""


async def get_page(request: web.Request) -> web.Response:
    """The page; what it loads it names relative to itself, so that it works wherever it is mounted."""
    response = Answer(_page("assets" if request.path.endswith("/") else "ui/assets"), modified=BEGUN)
    response.headers.update({"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})
    return response


async def get_page_asset(request: web.Request) -> web.Response:
    """One of the page's files."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    return Answer(_asset(name), modified=BEGUN)


@cache
def _page(assets: str) -> Ready:
    page = (FOLDER / "index.html").read_text().replace("{assets}", assets)
    return Ready(page.encode(), "text/html; charset=utf-8", lasting=True)


@cache
def _asset(name: str) -> Ready:
    return Ready((FOLDER / name).read_bytes(), ASSETS[name], lasting=True)

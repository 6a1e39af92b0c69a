"""A page to look at: hardware, what is free when, and how the service is. Its files ask the same API as anybody."""

from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(__file__).parent.parent / "static" / "ui"
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS: Final = {file.name: TYPES[file.suffix] for file in sorted(FOLDER.iterdir()) if file.suffix in TYPES}
"""What the page may load, with the media type of each; a name that is not here leads nowhere."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""No script or style but from these files, and no text that becomes markup: the inventory's texts are anybody's."""


async def get_page(request: web.Request) -> web.Response:
    """The page; what it loads it names relative to itself, so that it works wherever it is mounted."""
    assets = "assets" if request.path.endswith("/") else "ui/assets"
    page = _file("index.html").decode().replace("{assets}", assets)
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(text=page, content_type="text/html", headers=headers)


async def get_page_asset(request: web.Request) -> web.Response:
    """One of the page's files."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    return web.Response(body=_file(name), content_type=ASSETS[name], charset="utf-8")


@cache
def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()

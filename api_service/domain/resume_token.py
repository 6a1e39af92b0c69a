"""How far a client of the live feed is, as the text that it gives back when it comes again, to whichever replica."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from api_service.domain.site_view import EPOCH, MILLISECOND, Position
from shared.availability import MAX_GENERATION

MAX_LENGTH: Final = 4000
"""Characters, about 80 sites: a client sends them in one header, of which an HTTP server takes 8190 bytes."""

_TOKEN: Final = re.compile(r"(?P<version>-|[0-9a-f]{7,64});(?P<sites>[!-~]*)", re.ASCII)
_SITE: Final = re.compile(
    r"(?P<site_id>[^=,;]+)=(?P<generation>-|\d{1,15})\.(?P<as_of>\d{1,15})\.(?P<digest>[0-9a-f]{12})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """What a client has seen; by default nothing.

    Attributes:
        version: The inventory's commit; None without git, or if none was seen.
        positions: By site id.
    """

    version: str | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "ResumeToken":
        """What `str` made; of anything else, nothing: whoever sends it has to be told everything."""
        found = _TOKEN.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if found is None:
            return cls()
        sites = [_SITE.fullmatch(each) for each in found["sites"].split(",")] if found["sites"] else []
        positions = {unquote(each["site_id"]): _position(each) for each in sites if each}
        if len(positions) != len(sites) or None in positions.values():
            return cls()
        version = None if found["version"] == "-" else found["version"]
        return cls(version, {site_id: each for site_id, each in positions.items() if each})

    def __str__(self) -> str:
        """One line; sites for which `MAX_LENGTH` has no room are left out, and are told whole when it comes back."""
        head = f"{self.version or '-'};"
        sites: list[str] = []
        room = MAX_LENGTH - len(head)
        for site_id, position in self.positions.items():
            site = f"{_quoted(site_id)}={position.text}"
            if len(site) < room:
                room -= len(site) + 1
                sites.append(site)
        return head + ",".join(sites)


@lru_cache(maxsize=1000)
def _quoted(site_id: str) -> str:
    return quote(site_id, safe="")


def _position(found: re.Match[str]) -> Position | None:
    generation = None if found["generation"] == "-" else int(found["generation"])
    if int(found["as_of"]) > MAX_GENERATION or (generation or 0) > MAX_GENERATION:
        return None
    as_of: datetime = EPOCH + int(found["as_of"]) * MILLISECOND
    return Position(generation, as_of, found["digest"])

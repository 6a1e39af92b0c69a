"""No connection has the event loop to itself, however many requests it sends at once."""

import asyncio
import time
from typing import Final

from aiohttp import web
from aiohttp.web_urldispatcher import Domain, MatchedSubAppResource, UrlMappingMatchInfo

TURN_SECONDS: Final = 0.005
"""How long requests are answered one after the other before the loop does all else that waits."""


class EarlyResource(MatchedSubAppResource):
    """A resource that the router asks before it goes through a path; others of this kind are for the names of hosts."""

    def __init__(self) -> None:
        super().__init__(Domain("unused.invalid"), web.Application())


class FairTurns(EarlyResource):
    """To be registered first: every request passes it.

    aiohttp answers the requests that wait on a connection one after the other, and lets the event loop go on only if
    one of them waits for something: thousands of them in one packet took a minute of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._began: float | None = None

    async def resolve(self, _request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Nothing, for the others; later, once answering has taken its time in this turn of the loop."""
        now = time.perf_counter()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)
        elif now - self._began > TURN_SECONDS:
            await asyncio.sleep(0)
        return None, set()

    def _end(self) -> None:
        self._began = None

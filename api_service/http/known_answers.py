"""What is answered without being made: an answer that is kept goes to whoever asks for it, past everything else."""

import time
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from api_service.http.caching import told_again
from api_service.http.kept_answers import Kept, KeptAnswers, asked_by
from api_service.http.middlewares import Reception
from shared.fairness import EarlyResource

KEPT: Final = web.RequestKey("kept", Kept)
"""The answer to a request that was answered before."""


class KnownAnswers(EarlyResource):
    """Every path as far as an answer is kept to what is asked; it leaves others to the router.

    A kept answer tells what its making would tell, and what each answer has of its own is put on it here. So it needs
    no resource to be found and no middleware to be called, which together cost as much as writing a small answer.
    """

    def __init__(self, kept: KeptAnswers, reception: Reception) -> None:
        """To be registered before what finds resources."""
        super().__init__()
        self._kept = kept
        self._reception = reception

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Leads to the answer that is kept, if there is one."""
        kept = self._kept.get(asked) if (asked := asked_by(request)) else None
        if kept is None:
            return None, set()
        request[KEPT] = kept
        return _Found(kept.route, self._tell), set()

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        response = told_again(request, request[KEPT])
        self._reception.finish(request, response, self._reception.marks(request), began)
        return response


class _Found(UrlMappingMatchInfo):
    """What aiohttp's application does next: it calls the handler, and no middleware of its own."""

    def __init__(self, route: web.AbstractRoute, handler: Handler) -> None:
        super().__init__({}, route)
        self._handler = handler

    @property
    def handler(self) -> Handler:
        return self._handler

    def add_app(self, app: web.Application) -> None:
        """Does not, since those of an application would be called."""

"""Which bodies are served: those of the current snapshot, made before it is."""

from datetime import datetime
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.inventory import Inventory, InventoryStore
from api_service.http.bodies import Bodies
from api_service.http.caching import Answer
from api_service.http.links import Links
from api_service.http.problems import NoInventoryError
from api_service.http.ready import Ready


def json_response(body: bytes, *, modified: datetime | None = None, good_until: datetime | None = None) -> web.Response:
    """A good answer that may be another at the next moment.

    Args:
        body: JSON.
        modified: When what is known last changed; None for the newest of all that is known.
        good_until: As for `Answer`.
    """
    return Answer(Ready(body), modified=modified, good_until=good_until)


class Representations:
    """The bodies of the snapshot that is being served."""

    def __init__(self, store: InventoryStore, links: Links) -> None:
        self._store = store
        self._links = links
        self._bodies = Bodies(store.current, links, lasting=True)
        self._prepared = self._bodies

    def prepare(self, inventory: Inventory) -> None:
        """Makes the bodies of what is about to be served; may be called in another thread."""
        bodies = Bodies(inventory, self._links, lasting=True)
        bodies.index_filters()
        bodies.make_all()
        self._prepared = bodies

    @property
    def current(self) -> Bodies:
        """To be asked for once per request: everything in one answer comes from one snapshot."""
        if self._bodies.inventory is not self._store.current:
            prepared = self._prepared.inventory is self._store.current
            self._bodies = self._prepared if prepared else Bodies(self._store.current, self._links, lasting=True)
        return self._bodies


REPRESENTATIONS: Final = web.AppKey("representations", Representations)


def bodies_of(request: web.Request) -> Bodies:
    """The bodies of the snapshot that is being served.

    Raises:
        NoInventoryError: nothing usable is.
    """
    if absence := request.app[keys.INVENTORY].absence:
        raise NoInventoryError(absence)
    return request.app[REPRESENTATIONS].current

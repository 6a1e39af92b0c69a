"""Finished answers, kept for as long as neither what they are made of nor the clock makes them others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import hdrs, web

from api_service import keys
from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import Inventory, InventoryStore

MOST_BYTES: Final = 16 * 1024 * 1024
"""What all that is kept may take, what was asked included."""

BYTES_BESIDE_A_BODY: Final = 1500
"""What one takes besides: its headers twice, the greater part; 1200 were measured, what was asked included."""

type Asked = tuple[str, ...]
"""All of a request that its answer depends on, but for what the client has already and who it is."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer is made of; to be asked for before it is made.

    Attributes:
        inventory: The snapshot that was served.
        revision: That of the availability map.
    """

    inventory: Inventory
    revision: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is told to whoever asks the same.

    Attributes:
        route: What was asked for.
        headers: All but those that every answer has.
        headers_alone: Those of it that tell nothing of a body that is not sent.
        body: In the coding that they tell of.
        shared: Whether the body is in memory anyhow, for as long as its inventory is served.
        unchanged_since: As for `finished`.
        revision: Of the availability map; None if the answer tells nothing of it.
        made_at: From when on it holds.
        good_until: From when on time alone may make it another.
    """

    route: web.AbstractRoute
    headers: Mapping[str, str]
    headers_alone: Mapping[str, str]
    body: bytes
    shared: bool
    unchanged_since: datetime | None
    revision: int | None
    made_at: datetime
    good_until: datetime

    @property
    def tag(self) -> str:
        """Its entity tag."""
        return self.headers[hdrs.ETAG]


class KeptAnswers:
    """Answers by what was asked, all of one inventory; those that were kept first go first. Single-threaded."""

    def __init__(
        self, inventory: InventoryStore, known: AvailabilityMap, clock: keys.Clock, most_bytes: int = MOST_BYTES
    ) -> None:
        self._inventory = inventory
        self._known = known
        self._clock = clock
        self._most_bytes = most_bytes
        self._kept: dict[Asked, Kept] = {}
        self._bytes = 0
        # What is kept would hold on to a whole inventory.
        inventory.listeners.append(self.forget)

    @property
    def basis(self) -> Basis:
        """What an answer would be made of now."""
        return Basis(self._inventory.current, self._known.revision)

    def get(self, asked: Asked) -> Kept | None:
        """The answer, if there is one that would be made again as it is: never once a state may have changed."""
        kept = self._kept.get(asked)
        if kept is None or (kept.revision is not None and kept.revision != self._known.revision):
            return None
        return kept if kept.made_at <= self._clock() < kept.good_until else None

    def keep(self, asked: Asked, kept: Kept, basis: Basis) -> None:
        """Keeps it instead of the one before, unless another inventory is served since it was begun.

        Nor if it is so large that all others would have to go.
        """
        self._drop(asked)
        if basis.inventory is not self._inventory.current or _weight(asked, kept) > self._most_bytes:
            return
        self._kept[asked] = kept
        self._bytes += _weight(asked, kept)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def forget(self) -> None:
        """Keeps none of them any more."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, asked: Asked) -> None:
        if (kept := self._kept.pop(asked, None)) is not None:
            self._bytes -= _weight(asked, kept)


def asked_by(request: web.Request) -> Asked | None:
    """What a GET asks for; None of other methods, whose answers are not kept."""
    if request.method != hdrs.METH_GET:
        return None
    return request.raw_path, *request.headers.getall(hdrs.ACCEPT_ENCODING, ())


def _weight(asked: Asked, kept: Kept) -> int:
    return sum(map(len, asked)) + BYTES_BESIDE_A_BODY + (0 if kept.shared else len(kept.body))


KEPT_ANSWERS: Final = web.AppKey("kept_answers", KeptAnswers)

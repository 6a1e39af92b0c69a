"""A file's JSON object, kept as text: there are many, and few are looked into at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import orjson

from api_service.domain.inventory import Document, Path
from api_service.domain.node_fields import values_at

_NOTHING: Final[Mapping[Path, Sequence[Any]]] = {}


class WrittenDocument:
    """What `Written` of the domain says, and which keys of the file are not in it, since they are ours."""

    __slots__ = ("__weakref__", "at_hand", "shadowed", "text")

    def __init__(self, text: bytes, at_hand: Mapping[Path, Sequence[Any]], shadowed: frozenset[str]) -> None:
        self.text = text
        self.at_hand = at_hand
        self.shadowed = shadowed

    @classmethod
    def of(cls, document: Document, own: frozenset[str], at_hand: Mapping[Path, Sequence[Any]] = _NOTHING) -> Self:
        """Of `document` all but `own`."""
        shadowed = frozenset[str]()
        if not own.isdisjoint(document):
            shadowed = own & document.keys()
            document = {key: value for key, value in document.items() if key not in shadowed}
        # A copy: what orjson makes holds on to several times the memory that it needs.
        return cls(bytes(memoryview(orjson.dumps(document))), at_hand, shadowed)

    def document(self) -> Document:
        """The object."""
        found: Document = orjson.loads(self.text)
        return found


class AtHand:
    """The values of many documents at some paths; where all of them are equal, they are kept once."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._known: dict[bytes, Mapping[Path, Sequence[Any]]] = {}

    def of(self, document: Document) -> Mapping[Path, Sequence[Any]]:
        """Those of one document, by path."""
        values = [list(values_at(document, *path)) for path in self._paths]
        # As it is written, since Python takes 1, 1.0 and true for equal, and no order of keys for another.
        key = orjson.dumps(values)
        if (known := self._known.get(key)) is None:
            known = self._known[key] = dict(zip(self._paths, values, strict=True))
        return known

"""A file's JSON object, kept as text: there are many, and few are looked into at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from weakref import WeakValueDictionary

import orjson

from api_service.domain.inventory import Document, Path
from api_service.domain.node_fields import values_at

_NOTHING: Final[Mapping[Path, Sequence[Any]]] = {}


class WrittenDocument:
    """What `Written` of the domain says.

    Attributes:
        shadowed: Keys of the file that are not in it, since they are ours.
        content: What names the file's content, as `File` has it.
    """

    __slots__ = ("__weakref__", "at_hand", "content", "shadowed", "text")

    def __init__(
        self,
        text: bytes,
        at_hand: Mapping[Path, Sequence[Any]],
        shadowed: frozenset[str],
        content: str | None,
    ) -> None:
        self.text = text
        self.at_hand = at_hand
        self.shadowed = shadowed
        self.content = content

    @classmethod
    def of(
        cls,
        document: Document,
        own: frozenset[str],
        at_hand: Mapping[Path, Sequence[Any]] = _NOTHING,
        content: str | None = None,
    ) -> Self:
        """Of `document` all but `own`."""
        shadowed = frozenset[str]()
        if not own.isdisjoint(document):
            shadowed = own & document.keys()
            document = {key: value for key, value in document.items() if key not in shadowed}
        # A copy: what orjson makes holds on to several times the memory that it needs.
        return cls(bytes(memoryview(orjson.dumps(document))), at_hand, shadowed, content)

    def document(self) -> Document:
        """The object."""
        found: Document = orjson.loads(self.text)
        return found


type Name = tuple[str, str, frozenset[str]]
"""What names the content of a file, the file's name without `.json`, and which keys are ours."""

SHARED: Final = WeakValueDictionary[Name, WrittenDocument]()
"""Those that any inventory holds: commits have most of their files in common. What none holds any more is forgotten."""


class AtHand:
    """The values of many documents at some paths; of documents that say the same of them, they are kept once."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._keys = list(dict.fromkeys(path[0] for path in paths))
        self._known: dict[bytes, Mapping[Path, Sequence[Any]]] = {}

    def of(self, document: Document) -> Mapping[Path, Sequence[Any]]:
        """Those of one document, by path."""
        # As it is written, since Python takes 1, 1.0 and true for equal, and no order of keys for another.
        told = orjson.dumps({key: document[key] for key in self._keys if key in document})
        if (known := self._known.get(told)) is None:
            known = self._known[told] = {path: list(values_at(document, *path)) for path in self._paths}
        return known

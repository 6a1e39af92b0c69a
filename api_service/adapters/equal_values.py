"""Nodes of a kind have most of their hardware in common: what is equal is kept once."""

from hashlib import blake2b
from typing import Any, Final

import orjson

_DIGEST_BYTES: Final = 16


class EqualValues:
    """The values of many documents, which nobody changes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def share[D: dict[str, Any]](self, document: D) -> D:
        """The same document; objects and lists at its top that equal those of an earlier one are those."""
        for key, value in document.items():
            if isinstance(value, dict | list):
                # As it is written, since Python takes 1, 1.0 and true for equal, and no order of keys for another.
                digest = blake2b(orjson.dumps(value), digest_size=_DIGEST_BYTES).digest()
                document[key] = self._known.setdefault(digest, value)
        return document

"""Content codings: which a client takes, and the bytes in each (RFC 9110, section 12.5.3)."""

import re
import sys
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

IDENTITY: Final = "identity"
GZIP: Final = "gzip"
ZSTD: Final = "zstd"

COMPRESSED: Final = (ZSTD, GZIP)
"""The codings that save bytes, that which is preferred first."""

NONE_IS_LEFT: Final = f"the answer is there as {', '.join(COMPRESSED)} and {IDENTITY}, and Accept-Encoding refuses all"

# One level each for everything, so that one tag never stands for two sequences of bytes. On 750 kB of nodes zstd takes
# 0.7 ms and leaves 5 %, gzip 7 ms and 7 %; what higher levels save is less than what they take.
_LEVELS: Final = {ZSTD: 3, GZIP: 6}
_WITH_A_GZIP_HEADER: Final = 31

_OTHER_NAMES: Final = {"x-gzip": GZIP}
_LEAST: Final = 0.0001
_MAX_ELEMENTS: Final = 100
_MAX_REMEMBERED_CHARACTERS: Final = 200
_ELEMENT: Final = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)


def compressed(coding: str, body: bytes) -> bytes:
    """`body` in one of `COMPRESSED`: always the same bytes; other threads run meanwhile."""
    if coding == ZSTD:
        return zstd.compress(body, _LEVELS[ZSTD])
    return zlib.compress(body, _LEVELS[GZIP], _WITH_A_GZIP_HEADER)


def accepted(values: Sequence[str]) -> tuple[str, ...]:
    """The codings that a client takes, that which it likes best first; empty if it refuses all there are.

    Args:
        values: Of its `Accept-Encoding`, one a line. Without any, `identity` alone is safe. What is not of the form
            that a coding has is passed over, and so is whatever follows the first hundred.
    """
    if not values:
        return (IDENTITY,)
    header = ",".join(values)
    # Clients are of few kinds, but a header is theirs to make up.
    return _remembered(header) if len(header) <= _MAX_REMEMBERED_CHARACTERS else _accepted(header)


def _accepted(header: str) -> tuple[str, ...]:
    weights: dict[str, float] = {}
    for element in header.split(",", _MAX_ELEMENTS)[:_MAX_ELEMENTS]:
        if found := _ELEMENT.fullmatch(element):
            name = found[1].lower()
            weights[_OTHER_NAMES.get(name, name)] = float(found[2] or 1)
    others = weights.get("*")
    liked = {coding: weights.get(coding, others or 0.0) for coding in COMPRESSED}
    # What is not compressed is taken where nothing else is, unless it is refused.
    liked[IDENTITY] = weights.get(IDENTITY, _LEAST if others is None else others)
    # Sorting leaves what is liked equally in our order.
    return tuple(sorted((coding for coding in liked if liked[coding]), key=lambda coding: -liked[coding]))


_remembered: Final = lru_cache(maxsize=256)(_accepted)

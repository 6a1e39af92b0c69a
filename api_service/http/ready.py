"""Bodies that are ready to be sent, with what never changes about them."""

from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256
from typing import Final

from aiohttp import hdrs

from api_service.http.encodings import COMPRESSED, IDENTITY, compressed

JSON: Final = "application/json"

LONG: Final = 32 * 1024
"""Bytes above which compressing holds up other requests, so that a thread does it."""

VERY_LONG: Final = 256 * 1024
"""Bytes above which that is true of a digest too."""

DIGEST_DIGITS: Final = 32
"""Of a tag. SHA-256, which processors do by themselves, is the fastest that Python has."""


class Keep(Enum):
    """How long a cache may give an answer without asking again."""

    ASK = auto()
    """Not at all. Whatever tells a state: the next moment it may be another."""

    WHILE_SERVED = auto()
    """As long as another commit may go unnoticed. The inventory of now."""

    FOR_EVER = auto()
    """There will never be another."""


class Ready:
    """A body as bytes, and its other forms, each made once.

    Attributes:
        body: The bytes as they are.
        content_type: What they are.
        keep: How long they stay true.
        forms: The same in other codings, as far as they are kept; None if they are not to be.
    """

    __slots__ = ("_digest", "_headers", "body", "content_type", "forms", "keep")

    def __init__(self, body: bytes, content_type: str = JSON, *, keep: Keep = Keep.ASK, lasting: bool = False) -> None:
        """Makes nothing yet.

        Args:
            body: As above.
            content_type: As above.
            keep: As above.
            lasting: Whether it will be asked for again, so that its forms are kept.
        """
        self.body = body
        self.content_type = content_type
        self.keep = keep
        self.forms: dict[str, bytes] | None = {} if lasting else None
        self._digest: str | None = None
        self._headers: dict[str, Mapping[str, str]] = {}

    def headers(self, coding: str) -> Mapping[str, str]:
        """What is told of the body in `coding` whoever asks for it, and whenever."""
        if (told := self._headers.get(coding)) is None:
            told = self._headers[coding] = {
                hdrs.ETAG: self.tag(coding),
                hdrs.VARY: hdrs.ACCEPT_ENCODING,
                # A part of a form would have to be cut from the very same bytes.
                hdrs.ACCEPT_RANGES: "none",
                **({} if coding == IDENTITY else {hdrs.CONTENT_ENCODING: coding}),
            }
        return told

    def tag(self, coding: str) -> str:
        """The strong entity tag of the body in `coding`: the same for the same bytes in every process."""
        if self._digest is None:
            self._digest = sha256(self.body).hexdigest()[:DIGEST_DIGITS]
        return f'"{self._digest}"' if coding == IDENTITY else f'"{self._digest}-{coding}"'

    @property
    def takes_long(self) -> bool:
        """Whether the digest is still to be made, and better in a thread."""
        return self._digest is None and len(self.body) > VERY_LONG

    def prepare(self) -> None:
        """Makes what would need a thread once it is asked for."""
        if self.forms is not None and len(self.body) > LONG:
            self.forms |= {coding: compressed(coding, self.body) for coding in COMPRESSED}
            self.tag(IDENTITY)

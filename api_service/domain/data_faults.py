"""What may be wrong with files of the repository, and which uids cannot be served."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_UID_LENGTH: Final = 255

RESERVED_UIDS: Final = frozenset({"versions"})
"""Names that mean something else where a uid would stand in a URL."""


class FaultKind(StrEnum):
    """What is wrong with a file of the repository."""

    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    NO_UID = "no-uid"
    WRONG_UID = "wrong-uid"
    UNUSABLE_UID = "unusable-uid"
    UNUSABLE_VALUE = "unusable-value"
    TOO_LARGE = "too-large"
    MISSING = "missing"
    MISPLACED = "misplaced"
    SHADOWED_KEY = "shadowed-key"
    NOT_POLLABLE = "not-pollable"
    UNREADABLE = "unreadable"


def why_unusable(uid: str) -> str | None:
    """Why `uid` cannot stand in a URL; None if it can."""
    if not uid or len(uid) > MAX_UID_LENGTH:
        return f"a uid has 1 to {MAX_UID_LENGTH} characters"
    if not uid.isprintable() and any(unicodedata.category(character) == "Cc" for character in uid):
        return "the uid holds a control character"
    if "/" in uid or uid in {".", ".."} or uid.endswith(".json") or uid in RESERVED_UIDS:
        return "the uid would mean something else in a URL"
    return None


@dataclass(frozen=True, slots=True)
class DataFault:
    """One fault of one file: told by `/status`, counted, logged once.

    Attributes:
        path: Relative to the inventory's folder, with `/`.
        left_out: False only where the file is served all the same (`SHADOWED_KEY`, `NOT_POLLABLE`).
    """

    path: str
    kind: FaultKind
    detail: str
    left_out: bool = True

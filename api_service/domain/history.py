"""Which commits changed which paths: the versions of every resource, computed from one pass over the history."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

VERSION_ID: Final = re.compile(r"[0-9a-f]{7,40}")
"""A full sha or a prefix of one; nothing else is ever looked up."""


class NoSuchVersionError(Exception):
    """A version that the served history does not hold. Its text is a sentence for the client."""


@dataclass(frozen=True, slots=True)
class Version:
    """One commit.

    Attributes:
        uid: The full sha.
        committed_at: The committer's date, aware UTC.
        author: The author's name, without an address.
        subject: The first line of the message; `body` is the rest, stripped.
    """

    uid: str
    parents: tuple[str, ...]
    committed_at: datetime
    author: str
    subject: str
    body: str = ""


@dataclass(frozen=True)
class History:
    """The commits reachable from `head`, and what each changed.

    Attributes:
        head: The newest commit's sha; None without git.
        commits: By sha.
        changed: (commit, parent or None) -> the paths, folders included, in which the two differ. Paths are
            relative to the inventory's folder; that folder itself is the path "".
    """

    head: str | None = None
    commits: Mapping[str, Version] = field(default_factory=dict, repr=False)
    changed: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict, repr=False)

"""Which commits changed which paths: the versions of every resource, computed from one pass over the history.

Paths are relative to the inventory's folder, use `/`, and do not end in one; that folder itself is the path "".
"""

import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Final

VERSION_ID: Final = re.compile(r"[0-9a-f]{7,40}")
"""A full sha or a prefix of one; nothing else is ever looked up."""

ROOT_PATH: Final = ""
"""The inventory's folder."""

_MAX_REMEMBERED_PATHS: Final = 4096


class NoSuchVersionError(Exception):
    """A version that the served history does not hold. Its text is a sentence for the client."""


@dataclass(frozen=True, slots=True)
class Version:
    """One commit.

    Attributes:
        uid: The full sha.
        parents: The shas of the parents that are known; in a shallow clone the oldest commits have none.
        committed_at: The committer's date, aware UTC.
        author: The author's name, without an address.
        subject: The message's first paragraph on one line, as git's `%s`; `body` is the rest, stripped.
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
        commits: By sha. It may hold more than `head` reaches, so that the history as of an older commit is
            `replace(history, head=older)`; every answer is limited to what `head` reaches.
        changed: (commit, parent, or None for a commit without one) -> the paths, folders included, in which
            the two differ.
        branches: The newest commit's sha, one of `commits`, by the name of a branch.
    """

    head: str | None = None
    commits: Mapping[str, Version] = field(default_factory=dict, repr=False)
    changed: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict, repr=False)
    branches: Mapping[str, str] = field(default_factory=dict, repr=False)

    def all(self) -> tuple[Version, ...]:
        """Every commit, newest first, as `git log` lists them."""
        return self._all

    def versions(self, path: str) -> tuple[Version, ...]:
        """The commits that touched `path`, newest first: exactly what `git log -- path` lists."""
        if (found := self._remembered.get(path)) is None:
            found = tuple(self._touching(path, self.head))
            if len(self._remembered) < _MAX_REMEMBERED_PATHS:
                self._remembered[path] = found
        return found

    def resolve(self, v: str) -> Version:
        """The commit whose sha is `v`, or alone begins with it.

        Raises:
            NoSuchVersionError: if there is none, or several, or `v` is not of the form `VERSION_ID`.
        """
        return self._one_of(self._uids, v)

    def known(self, v: str) -> Version:
        """As `resolve`, but any commit that `head` or a branch reaches.

        Raises:
            NoSuchVersionError: as `resolve`.
        """
        return self._one_of(self._known_uids, v)

    def newest_at(self, moment: datetime) -> Version:
        """The commit that `head` reaches with the latest committer's date that is not after `moment`, aware UTC.

        Raises:
            NoSuchVersionError: if all are later.
        """
        times, versions = self._by_time
        if not (count := bisect_right(times, moment)):
            raise NoSuchVersionError(f"there is no version as old as {moment.isoformat()}")
        return versions[count - 1]

    def of_branch(self, name: str) -> Version:
        """The newest commit of a branch.

        Raises:
            NoSuchVersionError: if there is no such branch.
        """
        try:
            return self.commits[self.branches[name]]
        except KeyError:
            raise NoSuchVersionError(f"there is no branch {name!r:.300}") from None

    def in_force(self, path: str | None, v: str) -> Version:
        """The version of `path` that `v` saw: the newest commit touching it that is `v` or an ancestor of `v`.

        It is what `git log -1 v -- path` lists. Without a path it is about the whole repository, so it is `v`.

        Raises:
            NoSuchVersionError: if `v` is unknown, or nothing had touched `path` by then.
        """
        version = self.resolve(v)
        if path is None:
            return version
        found = next(self._touching(path, version.uid), None) if path in self._ever_changed else None
        if found is None:
            raise NoSuchVersionError(f"this did not exist yet at version {version.uid}")
        return found

    @cached_property
    def _all(self) -> tuple[Version, ...]:
        return tuple(self._touching(None, self.head))

    @cached_property
    def _uids(self) -> tuple[str, ...]:
        return tuple(sorted(each.uid for each in self._all))

    @cached_property
    def _known_uids(self) -> tuple[str, ...]:
        return tuple(sorted(self.commits))

    @cached_property
    def _by_time(self) -> tuple[Sequence[datetime], Sequence[Version]]:
        # Of two equally new the one that is listed first counts as the newer.
        versions = sorted(self._all, key=lambda each: each.committed_at, reverse=True)[::-1]
        return [each.committed_at for each in versions], versions

    @cached_property
    def _remembered(self) -> dict[str, tuple[Version, ...]]:
        return {}

    @cached_property
    def _ever_changed(self) -> frozenset[str]:
        return frozenset[str]().union(*self.changed.values())

    def _one_of(self, uids: Sequence[str], v: str) -> Version:
        if not VERSION_ID.fullmatch(v):
            raise NoSuchVersionError(f"{v!r:.60} is not a version: 7 to 40 hexadecimal digits in lower case are")
        at = bisect_left(uids, v)
        match [uid for uid in uids[at : at + 2] if uid.startswith(v)]:
            case [uid]:
                return self.commits[uid]
            case []:
                raise NoSuchVersionError(f"there is no version {v}")
            case _:
                raise NoSuchVersionError(f"more than one version begins with {v}")

    def _touching(self, path: str | None, start: str | None) -> Iterator[Version]:
        """Walks as `git log start -- path` does: newest first, and of two equally new the one met first."""
        queue: list[tuple[float, int, str]] = []
        met: set[str] = set()

        def meet(uids: Iterable[str]) -> None:
            for uid in uids:
                if uid not in met:
                    met.add(uid)
                    heapq.heappush(queue, (-self.commits[uid].committed_at.timestamp(), len(met), uid))

        meet(() if start is None else (start,))
        while queue:
            commit = self.commits[heapq.heappop(queue)[-1]]
            touched, parents = self._simplified(commit, path)
            if touched:
                yield commit
            meet(parents)

    def _simplified(self, commit: Version, path: str | None) -> tuple[bool, tuple[str, ...]]:
        """Whether `commit` touched `path`, and the parents from which its content there came.

        Of a merge, a side that already had the same content explains it all, so the others are not followed.
        """
        if path is None:
            return True, commit.parents
        if not commit.parents:
            return path in self.changed[commit.uid, None], ()
        same = (parent for parent in commit.parents if path not in self.changed[commit.uid, parent])
        followed = tuple(islice(same, 1))
        return not followed, followed or commit.parents


def sites_path() -> str:
    """The folder of all sites."""
    return "sites"


def site_path(site_id: str) -> str:
    """The folder of a site."""
    return f"sites/{site_id}"


def clusters_path(site_id: str) -> str:
    """The folder of a site's clusters."""
    return f"{site_path(site_id)}/clusters"


def cluster_path(site_id: str, cluster_id: str) -> str:
    """The folder of a cluster."""
    return f"{clusters_path(site_id)}/{cluster_id}"


def nodes_path(site_id: str, cluster_id: str) -> str:
    """The folder of a cluster's nodes."""
    return f"{cluster_path(site_id, cluster_id)}/nodes"


def node_path(site_id: str, cluster_id: str, node_id: str) -> str:
    """The file of a node."""
    return f"{nodes_path(site_id, cluster_id)}/{node_id}.json"


def flavors_path(site_id: str) -> str:
    """The folder of a site's flavors."""
    return f"{site_path(site_id)}/flavors"


def flavor_path(site_id: str, flavor_id: str) -> str:
    """The file of a flavor."""
    return f"{flavors_path(site_id)}/{flavor_id}.json"

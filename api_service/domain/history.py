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
from itertools import accumulate, islice
from typing import Final

VERSION_ID: Final = re.compile(r"[0-9a-f]{7,40}")
"""A full sha or a prefix of one; nothing else is ever looked up."""

ROOT_PATH: Final = ""
"""The inventory's folder."""

_MAX_REMEMBERED_PATHS: Final = 4096
_MAX_LOOKED_AT: Final = 10
"""Versions of what went, each of which costs a walk through the history; mostly the second is the one."""


class NoSuchVersionError(Exception):
    """A version that the served history does not hold. Its text is a sentence for the client."""


class HistoryUnreadableError(Exception):
    """A part of the history that the answer depends on cannot be read. Its text is a sentence for the client."""


@dataclass(frozen=True, slots=True)
class Version:
    """One commit.

    Attributes:
        uid: The full sha.
        parents: The shas of the parents that are known; in a shallow clone the oldest commits have none.
        committed_at: The committer's date, aware UTC.
        author: The author's name, without an address.
        message: Whole, without the blank around it.
        first_parent_cut: The commit has a first parent that is not known, so that it is not in `parents`.
    """

    uid: str
    parents: tuple[str, ...]
    committed_at: datetime
    author: str
    message: str
    first_parent_cut: bool = False

    @property
    def subject(self) -> str:
        """The message's first paragraph on one line, as git's `%s`."""
        return self.message.partition("\n\n")[0].replace("\n", " ")

    @property
    def body(self) -> str:
        """The rest of the message, stripped."""
        return self.message.partition("\n\n")[2].strip()


@dataclass(frozen=True)
class History:
    """The commits reachable from `head`, and what each changed.

    Attributes:
        head: The newest commit's sha; None without git.
        commits: By sha. It may hold more than `head` reaches, so that the history as of an older commit is
            `replace(history, head=older)`; every answer is limited to what `head` reaches.
        changed: (commit, parent, or None for a commit without one) -> the paths, folders included, in which
            the two differ. Those that could not be compared are not in it.
        branches: The newest commit's sha, one of `commits`, by the name of a branch.
        removed: The same pairs -> those of their paths that the commit does not have; only where there are any.
    """

    head: str | None = None
    commits: Mapping[str, Version] = field(default_factory=dict, repr=False)
    changed: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict, repr=False)
    branches: Mapping[str, str] = field(default_factory=dict, repr=False)
    removed: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict, repr=False)

    @cached_property
    def whole(self) -> bool:
        """Whether it is known of every commit what it changed."""
        return all(edge in self.changed for commit in self.commits.values() for edge in _edges(commit))

    def all(self) -> tuple[Version, ...]:
        """Every commit, newest first, as `git log` lists them."""
        return self._all

    def versions(self, path: str) -> tuple[Version, ...]:
        """The commits that touched `path`, newest first: exactly what `git log -- path` lists.

        Raises:
            HistoryUnreadableError: it is not known what some commit changed.
        """
        if self.whole and path not in self._ever_changed:
            return ()
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

    def at(self, moment: datetime) -> Version:
        """The commit that the branch of `head` was at, `moment` being aware UTC: `git log -1 --first-parent --until`.

        A commit came to the branch with the merge that brought it, so only first parents are followed. Clocks differ: a
        commit counts from its own date or that of an earlier-dated one after it, whichever is earlier.

        Raises:
            NoSuchVersionError: if all are later.
        """
        times, versions = self._mainline
        if not (count := bisect_right(times, moment)):
            raise NoSuchVersionError(f"there is no version as old as {moment.isoformat()}")
        return versions[count - 1]

    def last_with(self, *paths: str) -> Version | None:
        """The newest version of any of `paths` that has them all; None if there is none, or if `head` has them all.

        Raises:
            HistoryUnreadableError: as `versions`.
        """
        if self.head is None or self._has_all(self.head, paths):
            return None
        versions = {each for path in paths for each in self.versions(path)}
        newest_first = islice(sorted(versions, key=lambda each: self._places[each.uid]), _MAX_LOOKED_AT)
        return next((each for each in newest_first if self._has_all(each.uid, paths)), None)

    def before(self, path: str | None, version: Version) -> Version | None:
        """The version of `path` that `version`, which is one, came after; of its ancestors, whatever `head` is."""
        return next(islice(self._touching(path, version.uid), 1, None), None)

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
            HistoryUnreadableError: as `versions`.
        """
        version = self.resolve(v)
        if path is None:
            return version
        may_exist = path in self._ever_changed or not self.whole
        found = next(self._touching(path, version.uid), None) if may_exist else None
        if found is None:
            raise NoSuchVersionError(f"this did not exist yet at version {version.uid}")
        return found

    @cached_property
    def _all(self) -> tuple[Version, ...]:
        return tuple(self._touching(None, self.head))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {each.uid: place for place, each in enumerate(self._all)}

    @cached_property
    def _uids(self) -> tuple[str, ...]:
        return tuple(sorted(each.uid for each in self._all))

    @cached_property
    def _known_uids(self) -> tuple[str, ...]:
        return tuple(sorted(self.commits))

    @cached_property
    def _mainline(self) -> tuple[Sequence[datetime], Sequence[Version]]:
        """The first parents of `head`, the oldest first, and from when on each counts; those times never decrease."""
        versions: list[Version] = []
        following = self.head
        while following is not None:
            versions.append(commit := self.commits[following])
            following = commit.parents[0] if commit.parents and not commit.first_parent_cut else None
        times = list(accumulate((each.committed_at for each in versions), min))
        return times[::-1], versions[::-1]

    @cached_property
    def _remembered(self) -> dict[str, tuple[Version, ...]]:
        return {}

    @cached_property
    def _ever_changed(self) -> frozenset[str]:
        return frozenset[str]().union(*self.changed.values())

    def _one_of(self, uids: Sequence[str], v: str) -> Version:
        v = v.lower()
        if not VERSION_ID.fullmatch(v):
            raise NoSuchVersionError(f"{v!r:.60} is not a version: 7 to 40 hexadecimal digits are")
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
            return path in self._changes((commit.uid, None)), ()
        same = (parent for parent in commit.parents if path not in self._changes((commit.uid, parent)))
        followed = tuple(islice(same, 1))
        return not followed, followed or commit.parents

    def _changes(self, edge: tuple[str, str | None]) -> frozenset[str]:
        if (found := self.changed.get(edge)) is None:
            raise HistoryUnreadableError(
                f"what commit {edge[0]} changed cannot be read: the server's clone of the repository lacks it"
            )
        return found

    def _has_all(self, v: str, paths: Iterable[str]) -> bool:
        newest = ((path, next(self._touching(path, v), None)) for path in paths)
        return all(found is not None and not self._removes(found, path) for path, found in newest)

    def _removes(self, version: Version, path: str) -> bool:
        """Whether `path`, which `version` touched, is not there any more after it."""
        return any(path in self.removed.get(edge, ()) for edge in _edges(version))


def _edges(commit: Version) -> Iterator[tuple[str, str | None]]:
    return ((commit.uid, parent) for parent in commit.parents or (None,))


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


def own_files(ids: Mapping[str, str]) -> list[str]:
    """The file of each resource on the way to the one that `ids` name, the outermost first."""
    files = []
    if site_id := ids.get("site_id"):
        files.append(f"{site_path(site_id)}/{site_id}.json")
        if cluster_id := ids.get("cluster_id"):
            files.append(f"{cluster_path(site_id, cluster_id)}/{cluster_id}.json")
            if node_id := ids.get("node_id"):
                files.append(node_path(site_id, cluster_id, node_id))
        if flavor_id := ids.get("flavor_id"):
            files.append(flavor_path(site_id, flavor_id))
    return files

"""What each commit of a repository changed in the folder that holds the inventory."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from api_service.adapters.git_objects import Commit, Entry, GitObjects, RepositoryError
from api_service.domain.history import History, Version

MAX_COMMITS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Tracked:
    """A folder that a repository's newest commit holds; `prefix` is its path there, "" for all of it."""

    objects: GitObjects
    head: Commit
    prefix: str


def history_of(tracked: Tracked, most: int) -> History:
    """Every commit that the newest one and the branches reach, `most` in all; the oldest are cut off.

    A commit whose folders cannot be read, as in a clone without them, is known all the same; what it changed is not.
    """
    found = _Pass(tracked, most)
    head = tracked.head.version.uid
    found.add(head)
    branches = {}
    for name, tip in tracked.objects.branches().items():
        try:
            found.add(tip)
        except RepositoryError:
            continue  # what is served does not need it
        if tip in found.versions:
            branches[name] = tip
    return History(head, found.versions, found.changed, branches, found.removed)


class _Pass:
    """A pass over the commits that some newest ones reach, `most` in all."""

    def __init__(self, tracked: Tracked, most: int) -> None:
        self._tracked = tracked
        self._most = most
        self._places: dict[str, Entry | None] = {}
        self.versions: dict[str, Version] = {}
        self.changed: dict[tuple[str, str | None], frozenset[str]] = {}
        self.removed: dict[tuple[str, str | None], frozenset[str]] = {}

    def add(self, tip: str) -> None:
        """Adds what `tip` reaches, or, if it raises RepositoryError, nothing."""
        commits = self._reachable(tip)
        for uid, commit in commits.items():
            with suppress(RepositoryError):
                self._places[uid] = self._tracked.objects.find(commit.top, self._tracked.prefix)
        for uid, (version, _) in commits.items():
            parents = tuple(each for each in version.parents if each in commits or each in self.versions)
            cut = parents[:1] != version.parents[:1]
            self.versions[uid] = replace(version, parents=parents, first_parent_cut=cut)
            for parent in parents or (None,):
                with suppress(RepositoryError):
                    self._compare(uid, parent)

    def _compare(self, uid: str, parent: str | None) -> None:
        if uid not in self._places or (parent is not None and parent not in self._places):
            return
        before = None if parent is None else self._places[parent]
        paths, missing = self._tracked.objects.differing(self._places[uid], before)
        self.changed[uid, parent] = paths
        if missing:
            self.removed[uid, parent] = missing

    def _reachable(self, tip: str) -> dict[str, Commit]:
        found: dict[str, Commit] = {}
        waiting = deque([tip])
        while waiting and len(self.versions) + len(found) < self._most:
            uid = waiting.popleft()
            if uid not in found and uid not in self.versions:
                found[uid] = self._tracked.objects.commit(uid)
                waiting.extend(found[uid].version.parents)
        return found

"""What each commit of a repository changed in the folder that holds the inventory."""

from collections import deque
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
    """Every commit that the newest one and the branches reach, `most` in all; the oldest are cut off."""
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
    return History(head, found.versions, found.changed, branches)


class _Pass:
    """A pass over the commits that some newest ones reach, `most` in all."""

    def __init__(self, tracked: Tracked, most: int) -> None:
        self._tracked = tracked
        self._most = most
        self._places: dict[str, Entry | None] = {}
        self.versions: dict[str, Version] = {}
        self.changed: dict[tuple[str, str | None], frozenset[str]] = {}

    def add(self, tip: str) -> None:
        """Adds what `tip` reaches, or, if it raises RepositoryError, nothing."""
        objects = self._tracked.objects
        commits = self._reachable(tip)
        places = {uid: objects.find(commit.top, self._tracked.prefix) for uid, commit in commits.items()}
        versions, changed = {}, {}
        for uid, (version, _) in commits.items():
            parents = tuple(each for each in version.parents if each in commits or each in self.versions)
            versions[uid] = replace(version, parents=parents)
            for parent in parents or (None,):
                before = (places.get(parent) or self._places.get(parent)) if parent else None
                changed[uid, parent] = objects.differing(places[uid], before)
        self._places |= places
        self.versions |= versions
        self.changed |= changed

    def _reachable(self, tip: str) -> dict[str, Commit]:
        found: dict[str, Commit] = {}
        waiting = deque([tip])
        while waiting and len(self.versions) + len(found) < self._most:
            uid = waiting.popleft()
            if uid not in found and uid not in self.versions:
                found[uid] = self._tracked.objects.commit(uid)
                waiting.extend(found[uid].version.parents)
        return found

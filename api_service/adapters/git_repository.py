"""An inventory in a git repository: the folder of a commit, and what each commit before it changed.

Content comes from commits only, never from the work tree.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from api_service.adapters import json_repository
from api_service.adapters.git_objects import Commit, Entry, GitObjects, RepositoryError, entry_name
from api_service.adapters.json_repository import File, Folder, Unusable, read_inventory
from api_service.adapters.plain_folder import fingerprint, read_plain_folder
from api_service.domain.history import History, Version
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryUnreadableError

MAX_COMMITS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Revision:
    """What there is to load: as long as two are equal, loading gives the same.

    Attributes:
        version: The sha of the commit; None for a plain folder.
    """

    version: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Tracked:
    """A folder that a repository's newest commit holds; `prefix` is its path there, "" for all of it."""

    objects: GitObjects
    head: Commit
    prefix: str


def probe(ref_dir: Path) -> Revision:
    """What `load` would load, found out cheaply.

    Raises:
        InventoryRefusedError: as `load`.
    """
    with _located(ref_dir) as (top, tracked):
        if tracked is None:
            return Revision(None, fingerprint(top))
        shallow, branches = tracked.objects.shallow, tracked.objects.branches()
        return Revision(tracked.head.version.uid, f"{tracked.prefix} {shallow=} {branches}")


def load(ref_dir: Path, *, most_commits: int = MAX_COMMITS) -> Inventory:
    """The inventory in `ref_dir`: of the newest commit if a repository tracks that folder, else of its files.

    Of a history longer than `most_commits` the oldest are cut off, and the inventory counts as shallow.

    Raises:
        InventoryUnreadableError: if the folder or its repository cannot be read.
        InventoryRefusedError: if it holds too much.
    """
    with _located(ref_dir) as (top, tracked):
        if tracked is None:
            return read_plain_folder(top)
        history = _history(tracked, most_commits)
        inventory = _inventory(tracked, tracked.head, history)
        return replace(inventory, shallow=tracked.objects.shallow or len(history.commits) >= most_commits)


def load_at(ref_dir: Path, version: Version, history: History) -> Inventory:
    """The inventory in `ref_dir` as of `version`, which is one of `history`; that is shared, not computed again.

    Raises:
        InventoryUnreadableError: if the folder, its repository or the commit cannot be read.
        InventoryRefusedError: if it holds too much, or has no commits.
    """
    with _located(ref_dir) as (_, tracked):
        if tracked is None:
            raise InventoryRefusedError("a plain folder has no versions")
        commit = tracked.objects.commit(version.uid)
        inventory = _inventory(tracked, commit, replace(history, head=version.uid))
        return replace(inventory, shallow=tracked.objects.shallow)


@contextmanager
def _located(ref_dir: Path) -> Iterator[tuple[Path, _Tracked | None]]:
    """The folder without symbolic links, which may lead elsewhere the next time, and where git has it."""
    try:
        top = Path(os.path.realpath(ref_dir, strict=True))
        yield top, _tracked(top)
    except RepositoryError as error:
        raise InventoryUnreadableError(f"the repository cannot be read: {error.strerror}") from error
    except FileNotFoundError as error:
        raise InventoryUnreadableError("the inventory's folder does not exist") from error
    except OSError as error:
        raise InventoryUnreadableError(f"the inventory's folder cannot be read: {error.strerror}") from error


def _tracked(top: Path) -> _Tracked | None:
    """None if no repository contains `top`, or its newest commit does not hold it, or there is none yet."""
    objects = GitObjects.around(top)
    if objects is None or objects.head is None or not top.is_relative_to(objects.top):
        return None
    head = objects.commit(objects.head)
    prefix = "/".join(entry_name(os.fsencode(name)) for name in top.relative_to(objects.top).parts)
    found = objects.find(head.top, prefix)
    return _Tracked(objects, head, prefix) if found and found.is_folder else None


def _inventory(tracked: _Tracked, commit: Commit, history: History) -> Inventory:
    found = tracked.objects.find(commit.top, tracked.prefix)
    entry = _entry(tracked.objects, found) if found else None
    inventory = read_inventory(entry if isinstance(entry, Folder) else Folder(lambda: ()))
    return replace(inventory, version=commit.version.uid, committed_at=commit.version.committed_at, history=history)


def _entry(objects: GitObjects, found: Entry) -> json_repository.Entry:
    if found.is_folder:
        return Folder(lambda: ((name, _entry(objects, each)) for name, each in objects.folder(found.uid).items()))
    if not found.is_file:
        return Unusable("a symbolic link or a submodule, which is not followed")
    try:
        return File(objects.size(found.uid), partial(objects.content, found.uid), content=objects.name_of(found.uid))
    except RepositoryError as error:
        return Unusable(f"cannot be read: {error.strerror}")


def _history(tracked: _Tracked, most: int) -> History:
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

    def __init__(self, tracked: _Tracked, most: int) -> None:
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

"""An inventory in a git repository: the folder of a commit, and what each commit before it changed.

Content comes from commits only, never from the work tree.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from api_service.adapters import entries
from api_service.adapters.entries import File, Folder, Unusable, reason_of
from api_service.adapters.git_history import MAX_COMMITS, Tracked, history_of
from api_service.adapters.git_objects import Commit, Entry, GitObjects, RepositoryError, entry_name
from api_service.adapters.json_repository import read_part
from api_service.adapters.pieces import Part, ReaderLostError, Sizes
from api_service.adapters.plain_folder import fingerprint, read_plain_folder
from api_service.adapters.reading_apart import Place, ReadingApart
from api_service.adapters.written_document import SHARED
from api_service.domain.history import History, Version
from api_service.domain.inventory import (
    NODE_OWN_KEYS,
    OWN_KEYS,
    Inventory,
    InventoryRefusedError,
    InventoryUnreadableError,
)

MANY_FILES: Final = 5000
"""It takes as long to start another process as to read a thousand."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What there is to load: as long as two are equal, loading gives the same.

    Attributes:
        version: The sha of the commit; None for a plain folder.
    """

    version: str | None
    fingerprint: str


def probe(ref_dir: Path) -> Revision:
    """What `load` would load, found out cheaply.

    Raises:
        InventoryRefusedError: as `load`.
    """
    with _located(ref_dir) as (top, tracked):
        if tracked is None:
            return Revision(None, fingerprint(top))
        shallow, branches = tracked.objects.shallow, tracked.objects.branches()
        # What was left out of a partial clone may come later, without another commit.
        packs = sorted(tracked.objects.packs) if tracked.objects.partial else None
        return Revision(tracked.head.version.uid, f"{tracked.prefix} {shallow=} {packs=} {branches}")


def begin(ref_dir: Path, *, many_files: int = MANY_FILES) -> ReadingApart | None:
    """Begins to read what `load` will be asked for, if a process of its own is to do that; raises nothing."""
    with suppress(InventoryRefusedError), _located(ref_dir) as (_, tracked):
        if tracked is not None:
            return _begun(tracked, many_files)
    return None


def load(
    ref_dir: Path,
    *,
    most_commits: int = MAX_COMMITS,
    many_files: int = MANY_FILES,
    early: ReadingApart | None = None,
) -> Inventory:
    """The inventory in `ref_dir`: of the newest commit if a repository tracks that folder, else of its files.

    Args:
        ref_dir: Where it is.
        most_commits: Of a longer history the oldest are cut off, and the inventory counts as shallow.
        many_files: A process of its own reads more than these, unless they have been read before.
        early: What has begun to read; of use if the newest commit is still the one it reads.

    Raises:
        InventoryUnreadableError: if the folder or its repository cannot be read.
        InventoryRefusedError: if it holds too much.
    """
    with _located(ref_dir) as (top, tracked):
        if tracked is None:
            return read_plain_folder(top)
        apart = _begun(tracked, many_files, early)
        with closing(apart) if apart else nullcontext():
            history = history_of(tracked, most_commits)
            inventory = _of_newest(tracked, apart)
        shallow = tracked.objects.shallow or len(history.commits) >= most_commits
        partial = tracked.objects.partial or not history.whole
        return replace(inventory, history=history, shallow=shallow, partial=partial)


def load_at(ref_dir: Path, version: Version, history: History) -> Inventory:
    """The inventory in `ref_dir` as of `version`, which is one of `history`; that is shared, not computed again.

    Raises:
        InventoryUnreadableError: if the folder, its repository or the commit cannot be read.
        InventoryRefusedError: if it holds too much, or has no commits.
    """
    with _located(ref_dir) as (_, tracked):
        if tracked is None:
            raise InventoryRefusedError("a plain folder has no versions")
        inventory = _inventory(tracked.objects, tracked.objects.commit(version.uid), tracked.prefix)
        shallow, partial = tracked.objects.shallow, tracked.objects.partial
        return replace(inventory, history=replace(history, head=version.uid), shallow=shallow, partial=partial)


def read_at(place: Place, part: Part) -> tuple[Inventory, Sizes]:
    """As `read_part`, of a commit. For the process that reads it.

    Raises:
        InventoryRefusedError: if they are too many, or too large.
        RepositoryError: if the commit cannot be read.
    """
    objects = GitObjects(place.repository)
    return _part(objects, objects.commit(place.commit), place.prefix, part)


@contextmanager
def _located(ref_dir: Path) -> Iterator[tuple[Path, Tracked | None]]:
    """The folder without symbolic links, which may lead elsewhere the next time, and where git has it."""
    try:
        top = Path(os.path.realpath(ref_dir, strict=True))
        tracked = _tracked(top)
        try:
            yield top, tracked
        except RepositoryError as error:
            hint = (
                "; the clone is partial (--filter), and a whole one has it"
                if tracked and tracked.objects.partial
                else ""
            )
            raise InventoryUnreadableError(f"the repository cannot be read: {error}{hint}") from error
        finally:
            if tracked:
                tracked.objects.close()
    except RepositoryError as error:
        raise InventoryUnreadableError(f"the repository cannot be read: {error}") from error
    except FileNotFoundError as error:
        raise InventoryUnreadableError("the inventory's folder does not exist") from error
    except OSError as error:
        raise InventoryUnreadableError(f"the inventory's folder cannot be read: {reason_of(error)}") from error


def _tracked(top: Path) -> Tracked | None:
    """None if no repository contains `top`, or its newest commit does not hold it, or there is none yet."""
    objects = GitObjects.around(top)
    if objects is None or objects.head is None or not top.is_relative_to(objects.top):
        return None
    head = objects.commit(objects.head)
    prefix = "/".join(entry_name(os.fsencode(name)) for name in top.relative_to(objects.top).parts)
    found = objects.find(head.top, prefix)
    return Tracked(objects, head, prefix) if found and found.is_folder else None


def _begun(tracked: Tracked, many_files: int, early: ReadingApart | None = None) -> ReadingApart | None:
    """Begins to read the files of the newest commit apart, unless that has begun, or is not worth it."""
    place = Place(tracked.objects.path, tracked.head.version.uid, tracked.prefix)
    if early is not None and early.place == place:
        return early
    return ReadingApart(place) if _are_more(tracked, many_files) else None


def _of_newest(tracked: Tracked, apart: ReadingApart | None) -> Inventory:
    if apart is not None:
        with suppress(ReaderLostError):
            return apart.inventory()
        _tell_lost(tracked.head.version.uid)
    return _inventory(tracked.objects, tracked.head, tracked.prefix)


def _tell_lost(version: str) -> None:
    # That other process has nothing to tell, and would take half as long again to begin.
    import structlog  # noqa: PLC0415

    structlog.get_logger().warning("the process that reads the inventory ended", version=version)


def _are_more(tracked: Tracked, many_files: int) -> bool:
    """Whether there are more files than so many that nobody holds yet."""
    with suppress(RepositoryError):  # who reads them will say what is wrong
        return _unread(tracked, many_files) > many_files
    return False


def _unread(tracked: Tracked, most: int) -> int:
    """How many there are; no more than it takes to be more than `most`."""
    found = tracked.objects.find(tracked.head.top, tracked.prefix)
    pending, unread = [found] if found else [], 0
    while pending and unread <= most:
        for name, entry in tracked.objects.folder(pending.pop().uid).items():
            if entry.is_folder:
                pending.append(entry)
            elif name.endswith(".json"):
                content, stem = tracked.objects.name_of(entry.uid), name.removesuffix(".json")
                unread += not any((content, stem, own) in SHARED for own in (NODE_OWN_KEYS, OWN_KEYS))
    return unread


def _inventory(objects: GitObjects, commit: Commit, prefix: str) -> Inventory:
    return _part(objects, commit, prefix, Part())[0]


def _part(objects: GitObjects, commit: Commit, prefix: str, part: Part) -> tuple[Inventory, Sizes]:
    place = objects.find(commit.top, prefix)
    entry = _entry(objects, place) if place else None
    inventory, sizes = read_part(entry if isinstance(entry, Folder) else Folder(lambda: ()), part)
    return replace(inventory, version=commit.version.uid, committed_at=commit.version.committed_at), sizes


def _entry(objects: GitObjects, found: Entry) -> entries.Entry:
    if found.is_folder:
        return Folder(lambda: ((name, _entry(objects, each)) for name, each in objects.folder(found.uid).items()))
    if not found.is_file:
        return Unusable("a symbolic link or a submodule, which is not followed")
    name = objects.name_of(found.uid)
    return File(partial(objects.size, found.uid), partial(objects.content, found.uid), content=name)

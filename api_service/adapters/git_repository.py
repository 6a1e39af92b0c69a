"""An inventory in a git repository: the tree of a commit, and what each commit before it changed.

pygit2 reads the objects itself: no hook, filter or program that the repository's configuration names is run,
and nothing is fetched. Content comes from commits only, never from the work tree.
"""

import os
from collections import deque
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from errno import EIO
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import ConfigLevel, FileMode

from api_service.adapters.json_repository import Entry, File, Folder, Unusable, read_inventory
from api_service.adapters.plain_folder import fingerprint, read_plain_folder
from api_service.domain.history import ROOT_PATH, History, Version
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryUnreadableError

MAX_COMMITS: Final = 100_000

_MAX_MESSAGE_BYTES: Final = 64 * 1024
_LAST_SECOND: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())

# Settings of the whole library. A mounted volume has another owner, and nothing that a repository configures is
# ever run; the configuration of whoever runs the service has no say either.
pygit2.settings.owner_validation = False
pygit2.settings.search_path[ConfigLevel.GLOBAL] = ""
pygit2.settings.search_path[ConfigLevel.XDG] = ""
pygit2.settings.search_path[ConfigLevel.SYSTEM] = ""


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

    repository: pygit2.Repository
    head: pygit2.Commit
    prefix: str


def probe(ref_dir: Path) -> Revision:
    """What `load` would load, found out cheaply.

    Raises:
        InventoryRefusedError: as `load`.
    """
    with _located(ref_dir) as (top, tracked):
        if tracked is None:
            return Revision(None, fingerprint(top))
        shallow = tracked.repository.is_shallow
        return Revision(str(tracked.head.id), f"{tracked.prefix} {shallow=}")


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
        return replace(inventory, shallow=inventory.shallow or len(history.commits) >= most_commits)


def load_at(ref_dir: Path, version: Version, history: History) -> Inventory:
    """The inventory in `ref_dir` as of `version`, which is one of `history`; that is shared, not computed again.

    Raises:
        InventoryUnreadableError: if the folder, its repository or the commit cannot be read.
        InventoryRefusedError: if it holds too much, or has no commits.
    """
    with _located(ref_dir) as (_, tracked):
        if tracked is None:
            raise InventoryRefusedError("a plain folder has no versions")
        commit = tracked.repository[version.uid].peel(pygit2.Commit)
        return _inventory(tracked, commit, replace(history, head=version.uid))


@contextmanager
def _located(ref_dir: Path) -> Iterator[tuple[Path, _Tracked | None]]:
    """The folder without symbolic links, which may lead elsewhere the next time, and where git has it."""
    try:
        top = Path(os.path.realpath(ref_dir, strict=True))
        yield top, _tracked(top)
    except FileNotFoundError as error:
        raise InventoryUnreadableError("the inventory's folder does not exist") from error
    except OSError as error:
        raise InventoryUnreadableError(f"the inventory's folder cannot be read: {error.strerror or error}") from error
    # pygit2 says that an object is missing, or a name is no name, with the errors of a dictionary.
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise InventoryUnreadableError(f"the repository cannot be read: {error}") from error


def _tracked(top: Path) -> _Tracked | None:
    """None if no repository contains `top`, or its newest commit does not hold it, or there is none yet."""
    found = pygit2.discover_repository(str(top))
    if found is None:
        return None
    repository = pygit2.Repository(found)
    base = Path(os.path.realpath(repository.workdir or repository.path))
    if repository.head_is_unborn or not top.is_relative_to(base):
        return None
    head = repository.head.peel(pygit2.Commit)
    prefix = "/".join(top.relative_to(base).parts)
    return _Tracked(repository, head, prefix) if isinstance(_at(head, prefix), pygit2.Tree) else None


def _at(commit: pygit2.Commit, prefix: str) -> pygit2.Object | None:
    if prefix == ROOT_PATH:
        return commit.tree
    try:
        return commit.tree[prefix]
    except KeyError:
        return None


def _inventory(tracked: _Tracked, commit: pygit2.Commit, history: History) -> Inventory:
    tree = _at(commit, tracked.prefix)
    top = _folder(tracked.repository, tree) if isinstance(tree, pygit2.Tree) else Folder(lambda: ())
    return replace(
        read_inventory(top),
        version=str(commit.id),
        committed_at=_committed_at(commit),
        history=history,
        shallow=tracked.repository.is_shallow,
    )


def _folder(repository: pygit2.Repository, tree: pygit2.Tree) -> Folder:
    return Folder(lambda: ((_name(each.raw_name or b""), _entry(repository, each)) for each in tree))


def _entry(repository: pygit2.Repository, found: pygit2.Object) -> Entry:
    if isinstance(found, pygit2.Tree):
        return _folder(repository, found)
    if found.filemode not in {FileMode.BLOB, FileMode.BLOB_EXECUTABLE}:
        return Unusable("a symbolic link or a submodule, which is not followed")
    try:
        _, size = repository.odb.read_header(found.id)
    except (pygit2.GitError, KeyError):
        return Unusable("its content is missing from the repository")
    return File(size, partial(_content, repository, found.id))


def _content(repository: pygit2.Repository, blob: pygit2.Oid) -> bytes:
    try:
        _, content = repository.odb.read(blob)
    except (pygit2.GitError, KeyError) as error:
        raise OSError(EIO, "damaged in the repository") from error
    return content


def _history(tracked: _Tracked, most: int) -> History:
    commits = _reachable(tracked, most)
    places = {uid: _at(commit, tracked.prefix) for uid, commit in commits.items()}
    versions = {uid: _version(commit, commits) for uid, commit in commits.items()}
    lineage = cache(_lineage)
    changed: dict[tuple[str, str | None], frozenset[str]] = {}
    for uid, version in versions.items():
        for parent in version.parents or (None,):
            before = places[parent] if parent else None
            changed[uid, parent] = frozenset().union(*map(lineage, _differing(places[uid], before)))
    return History(str(tracked.head.id), versions, changed)


def _reachable(tracked: _Tracked, most: int) -> dict[str, pygit2.Commit]:
    found: dict[str, pygit2.Commit] = {}
    waiting = deque([tracked.head])
    while waiting and len(found) < most:
        commit = waiting.popleft()
        if str(commit.id) not in found:
            found[str(commit.id)] = commit
            waiting.extend(commit.parents)
    return found


def _differing(one: pygit2.Object | None, other: pygit2.Object | None) -> Iterator[bytes]:
    """The paths of the files in which two places differ; b"" for the places themselves."""
    if one == other:
        return
    yield b""
    match one, other:
        case (pygit2.Tree() as tree, pygit2.Tree() as another):
            diff = tree.diff_to_tree(another)
        case (pygit2.Tree() as tree, _) | (_, pygit2.Tree() as tree):
            diff = tree.diff_to_tree()
        case _:
            return
    for delta in diff.deltas:
        yield delta.new_file.raw_path


def _lineage(raw_path: bytes) -> frozenset[str]:
    """A path and all the folders it is in."""
    return frozenset({ROOT_PATH, *accumulate(_name(raw_path).split("/"), "{}/{}".format)})


def _version(commit: pygit2.Commit, known: Container[str]) -> Version:
    parents = tuple(uid for uid in map(str, commit.parent_ids) if uid in known)
    lines = _text(commit.raw_message[:_MAX_MESSAGE_BYTES]).split("\n")
    paragraph, _, body = "\n".join(map(str.rstrip, lines)).strip("\n").partition("\n\n")
    author = _text(commit.author.raw_name)
    return Version(str(commit.id), parents, _committed_at(commit), author, paragraph.replace("\n", " "), body.strip())


def _committed_at(commit: pygit2.Commit) -> datetime:
    return datetime.fromtimestamp(min(max(commit.commit_time, 0), _LAST_SECOND), UTC)


def _text(written: bytes) -> str:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")


def _name(written: bytes) -> str:
    """As `plain_folder` does: what is not UTF-8 could not be told in JSON."""
    return written.decode(errors="backslashreplace")

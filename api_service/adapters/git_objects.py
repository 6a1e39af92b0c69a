"""The objects of a git repository: commits, folders and contents.

pygit2 reads them itself: no hook, filter or program that the repository's configuration names is run, and nothing
is fetched.
"""

import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

import pygit2
from pygit2.enums import ConfigLevel, RepositoryOpenFlag

from api_service.domain.history import ROOT_PATH, Version

# Settings of the whole library. A mounted volume has another owner, and nothing that a repository configures is
# ever run; the configuration of whoever runs the service has no say either.
pygit2.settings.owner_validation = False
pygit2.settings.search_path[ConfigLevel.GLOBAL] = ""
pygit2.settings.search_path[ConfigLevel.XDG] = ""
pygit2.settings.search_path[ConfigLevel.SYSTEM] = ""
# What is read is inflated, which has a checksum; to hash it besides takes half as long again. git does not either.
pygit2.settings.enable_strict_hash_verification(False)  # noqa: FBT003 - it has no name

MAX_BRANCHES: Final = 1000

_BRANCHES: Final = (b"refs/heads/", b"refs/remotes/origin/")
_MAX_OBJECT_BYTES: Final = 64 * 1024 * 1024
_MAX_MESSAGE_BYTES: Final = 64 * 1024
_REMEMBERED_FOLDERS: Final = 32
_LAST_SECOND: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_TREE_ENTRY: Final = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_PROMISOR: Final = re.compile(r"remote\..*\.promisor", re.DOTALL)
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FOLDER_MODE: Final = 0o040000
_FILE_TYPE, _TYPE_BITS = 0o100000, 0o170000


class RepositoryError(Exception):
    """A repository or one of its objects cannot be read; the text says why.

    No OSError: one of those is about a single file, whose fault it is, and this is about the whole commit.
    """


class Entry(NamedTuple):
    """What a folder holds under a name."""

    mode: int
    uid: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode == _FOLDER_MODE

    @property
    def is_file(self) -> bool:
        """Whether it is a plain file; else it is a folder, a symbolic link or a submodule."""
        return self.mode & _TYPE_BITS == _FILE_TYPE


type _Written = tuple[bytes, bytes]
"""An entry as git has it: its mode in octal digits, and its uid."""


class Difference(NamedTuple):
    """Where two entries differ.

    Attributes:
        paths: All of them.
        missing: Those that the first one does not have.
    """

    paths: frozenset[str]
    missing: frozenset[str]


class Commit(NamedTuple):
    """A commit and its top folder."""

    version: Version
    top: Entry


class GitObjects:
    """A repository, whose folder is `path`. Every method may raise RepositoryError."""

    def __init__(self, folder: str) -> None:
        with _TRANSLATED:
            self._repository = pygit2.Repository(folder)
        common = Path(folder, "commondir")
        shared = Path(folder, common.read_text().strip()) if common.exists() else Path(folder)
        self.path = folder
        self._loose = str(shared / "objects")
        self._folders: dict[str, Mapping[bytes, _Written]] = {}

    @classmethod
    def around(cls, folder: Path) -> Self | None:
        """The innermost repository that contains `folder`, a path without symbolic links; None if there is none.

        A `.git` that cannot be used is an error. libgit2 passes over it: a folder with a history would look like one
        without, or like a part of a repository further up.
        """
        with _TRANSLATED:
            found = pygit2.discover_repository(str(folder))
        marker = _marker_above(folder)
        if marker is not None and not (found and _is_between(Path(found), marker.parent, folder)):
            found = _opened(marker).path
        return None if found is None else cls(found)

    def close(self) -> None:
        """Lets go of its files, and of what is kept of them in memory."""
        self._repository.free()

    @property
    def top(self) -> Path:
        """Where the top folder of every commit is in the file system, without symbolic links."""
        return Path(os.path.realpath(self._repository.workdir or self._repository.path))

    @property
    def shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return self._repository.is_shallow

    @property
    def partial(self) -> bool:
        """Whether files or folders may have been left out when it was cloned (`--filter`), for git to fetch later."""
        with _TRANSLATED:
            return any(
                _PROMISOR.fullmatch(each.name) and (each.value is None or each.value.lower() in _TRUE)
                for each in self._repository.config
            )

    @property
    def packs(self) -> frozenset[str]:
        """The names of the files that hold packed objects: others once git has fetched what was left out."""
        try:
            return frozenset(each.name for each in Path(self._loose, "pack").iterdir())
        except OSError:
            return frozenset()

    @property
    def head(self) -> str | None:
        """The sha of the newest commit; None before the first."""
        with _TRANSLATED:
            return None if self._repository.head_is_unborn else str(self._repository.head.target)

    def branches(self) -> Mapping[str, str]:
        """The sha of the newest commit of each branch: the local ones, then those of `origin` whose names are free.

        A branch that cannot be told, or leads nowhere, is left out, and so are those beyond the first `MAX_BRANCHES`.
        """
        with _TRANSLATED:
            names = sorted(self._repository.raw_listall_references())
        found: dict[str, str] = {}
        for folder in _BRANCHES:
            for written in names:
                name = written.removeprefix(folder)
                if name in {written, b"HEAD"} or len(found) >= MAX_BRANCHES:
                    continue
                with suppress(RepositoryError, UnicodeDecodeError):
                    found.setdefault(name.decode(), self._newest(written.decode()))
        return found

    def _newest(self, reference: str) -> str:
        with _TRANSLATED:
            return str(self._repository.lookup_reference(reference).resolve().target)

    def commit(self, uid: str) -> Commit:
        """The commit `uid`; the oldest ones of a shallow clone have no parents."""
        self._require_whole(uid)
        with _Translated(uid):
            found = self._repository[uid].peel(pygit2.Commit)
            lines = _text(found.raw_message[:_MAX_MESSAGE_BYTES]).split("\n")
            author, committed_at = _text(found.author.raw_name), min(max(found.commit_time, 0), _LAST_SECOND)
        message = "\n".join(map(str.rstrip, lines)).strip("\n")
        parents, when = tuple(map(str, found.parent_ids)), datetime.fromtimestamp(committed_at, UTC)
        version = Version(uid, parents, when, author, message)
        return Commit(version, Entry(_FOLDER_MODE, str(found.tree_id)))

    def find(self, top: Entry, path: str) -> Entry | None:
        """What is at `path` below `top`."""
        found: Entry | None = top
        for name in path.split("/") if path else ():
            found = self.folder(found.uid).get(name) if found and found.is_folder else None
        return found

    def folder(self, uid: str) -> Mapping[str, Entry]:
        """What is in a folder, by name."""
        return {entry_name(name): _entry(written) for name, written in self._written(uid).items()}

    def _written(self, uid: str) -> Mapping[bytes, _Written]:
        """The same as git has it. The last few are remembered: a history asks for each several times."""
        if uid not in self._folders:
            found = _TREE_ENTRY.findall(self.content(uid))
            self._folders[uid] = {name: (mode, sha) for mode, name, sha in found}
            if len(self._folders) > _REMEMBERED_FOLDERS:
                del self._folders[next(iter(self._folders))]
        return self._folders[uid]

    def name_of(self, uid: str) -> str:
        """What names an object among those of all repositories, of which one may be damaged and another not."""
        return f"{self._loose}/{uid}"

    def size(self, uid: str) -> int:
        """How many bytes a file has."""
        with _Translated(uid):
            return self._repository.odb.read_header(uid)[1]

    def content(self, uid: str) -> bytes:
        """What is in a file, or the raw form of another object."""
        self._require_whole(uid)
        with _Translated(uid):
            return self._repository.odb.read(uid)[1]

    def differing(self, one: Entry | None, other: Entry | None) -> Difference:
        """Where two entries differ, folders included; the path "" stands for the two themselves."""
        found, missing = set(), set()
        pending = [(ROOT_PATH, one, other)]
        while pending:
            path, one, other = pending.pop()
            if one == other:
                continue
            found.add(path)
            if one is None:
                missing.add(path)
            # Compared as they are written: nearly all are equal, of which nothing has to be made.
            ours, theirs = (self._written(each.uid) if each and each.is_folder else {} for each in (one, other))
            for written in {name for name, _ in ours.items() ^ theirs.items()}:
                name = entry_name(written)
                below = f"{path}/{name}" if path else name
                one, other = (_entry(each[written]) if written in each else None for each in (ours, theirs))
                pending.append((below, one, other))
        return Difference(frozenset(found), frozenset(missing))

    def _require_whole(self, uid: str) -> None:
        # From a loose object that was cut short libgit2 never returns, and stops the whole process (its issue 7342);
        # one that is longer than it says is written beyond its end (7177).
        path = f"{self._loose}/{uid[:2]}/{uid[2:]}"
        if not os.access(path, os.F_OK):
            return  # in a pack, or nowhere: so are most, and an exception would take ten times as long
        try:
            unpacked = zlib.decompressobj()
            header, _, body = unpacked.decompress(Path(path).read_bytes(), _MAX_OBJECT_BYTES).partition(b"\0")
        except FileNotFoundError:
            return  # packed meanwhile
        except (OSError, zlib.error) as error:
            raise RepositoryError(f"object {uid} cannot be read: {error}") from error
        if not unpacked.eof or header.partition(b" ")[2] != b"%d" % len(body):
            raise RepositoryError(f"object {uid} is damaged or too large")


def _entry(written: _Written) -> Entry:
    mode, sha = written
    return Entry(int(mode, 8), sha.hex())


def entry_name(written: bytes) -> str:
    """A file's name as it is told: what is not UTF-8 could not be told in JSON."""
    return written.decode(errors="backslashreplace")


class _Translated:
    """Makes what pygit2 raises a RepositoryError; a generator would take ten times as long, twice a file."""

    __slots__ = ("_uid",)

    def __init__(self, uid: str | None = None) -> None:
        self._uid = uid

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        # pygit2 says that an object is missing, or a name is no name, with the errors of a dictionary.
        if isinstance(error, KeyError) and self._uid is not None:
            raise RepositoryError(f"object {self._uid} is missing or not readable") from error
        # What the operating system refuses libgit2 comes as an OSError with a text alone: neither number nor strerror.
        if isinstance(error, pygit2.GitError | KeyError | ValueError | OSError):
            raise RepositoryError(str(error) or type(error).__name__) from error


_TRANSLATED: Final = _Translated()


def _marker_above(folder: Path) -> Path | None:
    """The innermost `.git` in `folder` or above it, of whatever kind, on its file system; None if there is none."""
    device = folder.stat().st_dev
    for place in (folder, *folder.parents):
        marker = place / ".git"
        if place.stat().st_dev != device:
            return None
        with suppress(FileNotFoundError, NotADirectoryError):
            marker.lstat()
            return marker
    return None


def _is_between(repository: Path, outer: Path, folder: Path) -> bool:
    """Whether a bare repository that contains `folder` lies deeper than `outer`."""
    found = Path(os.path.realpath(repository))
    return folder.is_relative_to(found) and found.is_relative_to(outer) and found != outer


def _opened(marker: Path) -> pygit2.Repository:
    try:
        marker.stat()
    except OSError as error:
        raise RepositoryError(f"{marker} leads nowhere ({error.strerror})") from error
    needed = os.R_OK | (os.X_OK if marker.is_dir() else 0)
    if not os.access(marker, needed, effective_ids=os.access in os.supports_effective_ids):
        raise RepositoryError(f"{marker} may not be {'entered' if marker.is_dir() else 'read'} by this service")
    try:
        with _TRANSLATED:
            return pygit2.Repository(str(marker.parent), RepositoryOpenFlag.NO_SEARCH)
    except RepositoryError as error:
        raise RepositoryError(f"{marker} leads to no git repository that can be used: {error}") from error


def _text(written: bytes) -> str:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")

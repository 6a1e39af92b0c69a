"""A folder of JSON files -> Inventory, wherever the folder is: in a file system or in a commit.

A file that cannot be served is left out, a site's or a cluster's with all that is below it, and told as a fault.
Ignored without a word: whatever begins with a dot, and files that do not end in `.json`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from api_service.adapters.entries import Entry, File, Folder, Unusable, reason_of
from api_service.adapters.json_document import MAX_FILE_BYTES, UnusableDocumentError, parse_document
from api_service.adapters.pieces import Part, Sizes
from api_service.adapters.written_document import SHARED, AtHand, WrittenDocument
from api_service.domain import history
from api_service.domain.data_faults import DataFault, FaultKind
from api_service.domain.inventory import (
    NODE_OWN_KEYS,
    OWN_KEYS,
    ROOT_OWN_KEYS,
    Cluster,
    Document,
    Flavor,
    Inventory,
    InventoryRefusedError,
    Node,
    Site,
)
from api_service.domain.node_query import FILTERED
from shared.topology import SITE_ID

MAX_ENTRIES: Final = 200_000
MAX_TOTAL_BYTES: Final = 1024**3

_SUFFIX: Final = ".json"


def read_inventory(top: Folder) -> Inventory:
    """What `top` holds, without version or history.

    Raises:
        InventoryRefusedError: if it holds more than `MAX_ENTRIES` or `MAX_TOTAL_BYTES`.
        OSError: if `top` itself cannot be listed; what cannot be read below it is a fault.
    """
    return read_part(top, Part())[0]


def read_part(top: Folder, part: Part) -> tuple[Inventory, Sizes]:
    """The same with the nodes of `part` alone, and how much was read; raises as `read_inventory`."""
    reading = _Reading(part)
    inventory = reading.inventory(top)
    return inventory, Sizes(reading.node_bytes, reading.total - reading.node_bytes)


@dataclass(slots=True)
class _Level:
    """What belongs into one folder: its files by stem, and its folders by name."""

    path: str
    files: dict[str, File] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """One pass over the files."""

    part: Part
    faults: dict[tuple[str, FaultKind], DataFault] = field(default_factory=dict)
    at_hand: AtHand = field(default_factory=lambda: AtHand([path for path in FILTERED if path[0] not in NODE_OWN_KEYS]))
    clusters: int = 0
    entries: int = 0
    total: int = 0
    node_bytes: int = 0

    def inventory(self, top: Folder) -> Inventory:
        level = self._sorted_out(history.ROOT_PATH, top.entries(), files=None, folders={"sites"})
        document = self._root(level)
        folders = self._folders(level, "sites")
        sites = {uid: site for uid, folder in folders if (site := self._site(uid, folder))}
        faults = tuple(self.faults[key] for key in sorted(self.faults))
        return Inventory(document=document, sites=sites, faults=faults)

    def _root(self, level: _Level) -> Document:
        match list(level.files.items()):
            case [(stem, file)]:
                root = self._document(stem + _SUFFIX, stem, file, ROOT_OWN_KEYS)
                return root.document() if root else {}
            case []:
                self._fault(history.ROOT_PATH, FaultKind.MISSING, "there is no root file")
            case several:
                for stem, _ in several:
                    self._fault(stem + _SUFFIX, FaultKind.MISPLACED, "one of several, so that none is the root file")
        return {}

    def _site(self, uid: str, folder: Folder) -> Site | None:
        level = self._listed(history.site_path(uid), folder, files={uid}, folders={"clusters", "flavors"})
        written = self._own_document(level, uid)
        if written is None:
            return None
        if not SITE_ID.fullmatch(uid):
            detail = f"an id that does not match {SITE_ID.pattern} cannot be polled, so that its nodes stay unknown"
            self._fault(f"{level.path}/{uid}{_SUFFIX}", FaultKind.NOT_POLLABLE, detail, left_out=False)
        folders = self._folders(level, "clusters")
        clusters = {each: cluster for each, below in folders if (cluster := self._cluster(uid, each, below))}
        flavors = {each: Flavor(uid, each, found) for each, found in self._documents(level, "flavors", OWN_KEYS)}
        return Site(uid, written, clusters, flavors)

    def _cluster(self, site_id: str, uid: str, folder: Folder) -> Cluster | None:
        others = self.clusters % self.part.of != self.part.number
        # Whatever becomes of it here: all that read have to count alike.
        self.clusters += 1
        level = self._listed(history.cluster_path(site_id, uid), folder, files={uid}, folders={"nodes"})
        written = self._own_document(level, uid)
        if written is None:
            return None
        before = self.total
        documents = self._documents(level, "nodes", NODE_OWN_KEYS, others=others)
        nodes = {each: Node(site_id, uid, each, found) for each, found in documents}
        self.node_bytes += self.total - before
        return self.part.found(Cluster(site_id, uid, written, nodes))

    def _own_document(self, level: _Level, uid: str) -> WrittenDocument | None:
        path = f"{level.path}/{uid}{_SUFFIX}"
        if uid in level.files:
            return self._document(path, uid, level.files[uid], OWN_KEYS)
        # An empty folder is what git does not keep either.
        if (level.files or level.folders) and not any(path == faulty for faulty, _ in self.faults):
            self._fault(path, FaultKind.MISSING, "missing, so that the folder is left out")
        return None

    def _folders(self, parent: _Level, name: str) -> Iterator[tuple[str, Folder]]:
        """The folders that a collection of folders holds, sorted."""
        if name in parent.folders:
            level = self._listed(_joined(parent.path, name), parent.folders[name], files=(), folders=None)
            for each in sorted(level.folders):
                yield each, level.folders[each]

    def _documents(
        self, parent: _Level, name: str, own: frozenset[str], *, others: bool = False
    ) -> Iterator[tuple[str, WrittenDocument]]:
        """The documents that a collection of files holds, sorted; those of `others` are counted only."""
        if name in parent.folders:
            level = self._listed(_joined(parent.path, name), parent.folders[name], files=None, folders=())
            for stem in () if others else sorted(level.files):
                document = self._document(f"{level.path}/{stem}{_SUFFIX}", stem, level.files[stem], own)
                if document is not None:
                    yield stem, document

    def _listed(
        self, path: str, folder: Folder, *, files: Collection[str] | None, folders: Collection[str] | None
    ) -> _Level:
        try:
            return self._sorted_out(path, folder.entries(), files=files, folders=folders)
        except OSError as error:
            self._fault(path, FaultKind.UNREADABLE, f"cannot be listed: {reason_of(error)}")
            return _Level(path)

    def _sorted_out(
        self,
        path: str,
        entries: Iterable[tuple[str, Entry]],
        *,
        files: Collection[str] | None,
        folders: Collection[str] | None,
    ) -> _Level:
        """Keeps what belongs here, by stem and by name; None means any."""
        level = _Level(path)
        for name, entry in entries:
            self._count(entries=1)
            stem, is_json = name.removesuffix(_SUFFIX), name.endswith(_SUFFIX)
            if name.startswith("."):
                continue
            if isinstance(entry, Unusable):
                self._fault(_joined(path, name), FaultKind.UNREADABLE, entry.why)
            elif isinstance(entry, Folder) and (folders is None or name in folders):
                level.folders[name] = entry
            elif isinstance(entry, File) and is_json and (files is None or stem in files):
                level.files[stem] = entry
            elif isinstance(entry, Folder) or is_json or name in (folders or ()):
                self._fault(_joined(path, name), FaultKind.MISPLACED, "does not belong here")
        return level

    def _document(self, path: str, stem: str, file: File, own: frozenset[str]) -> WrittenDocument | None:
        try:
            written = self._written(file, stem, own)
        except UnusableDocumentError as error:
            self._fault(path, error.kind, str(error))
            return None
        except OSError as error:
            self._fault(path, FaultKind.UNREADABLE, f"cannot be read: {reason_of(error)}")
            return None
        if written.shadowed:
            detail = f"its own {', '.join(sorted(written.shadowed))} give way to ours"
            self._fault(path, FaultKind.SHADOWED_KEY, detail, left_out=False)
        return written

    def _written(self, file: File, stem: str, own: frozenset[str]) -> WrittenDocument:
        if file.content is None:
            return self._read(file, stem, own)
        name = file.content, stem, own
        if (known := SHARED.get(name)) is None:
            known = SHARED[name] = self._read(file, stem, own)
        return known

    def _read(self, file: File, stem: str, own: frozenset[str]) -> WrittenDocument:
        document = parse_document(self._content(file), stem)
        at_hand = self.at_hand.of(document) if own is NODE_OWN_KEYS else {}
        return WrittenDocument.of(document, own, at_hand, file.content)

    def _content(self, file: File) -> bytes:
        size = file.size()
        if size > MAX_FILE_BYTES:
            raise UnusableDocumentError(FaultKind.TOO_LARGE, f"larger than {MAX_FILE_BYTES} bytes")
        self._count(size=size)
        return file.read()

    def _count(self, *, entries: int = 0, size: int = 0) -> None:
        self.entries += entries
        self.total += size
        if self.entries > MAX_ENTRIES or self.total > MAX_TOTAL_BYTES:
            raise too_much()

    def _fault(self, path: str, kind: FaultKind, detail: str, *, left_out: bool = True) -> None:
        self.faults[path, kind] = DataFault(path, kind, detail, left_out)


def too_much() -> InventoryRefusedError:
    """Why an inventory beyond the bounds is refused."""
    return InventoryRefusedError(f"it holds more than {MAX_ENTRIES} files or {MAX_TOTAL_BYTES} bytes")


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name

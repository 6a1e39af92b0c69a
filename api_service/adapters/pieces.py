"""What processes that read tell the one that serves: nodes, piece by piece, and at last the rest."""

import os
import pickle
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import batched
from typing import Any, BinaryIO, Final, cast

from api_service.adapters.git_objects import RepositoryError
from api_service.adapters.written_document import SHARED, WrittenDocument
from api_service.domain.inventory import NODE_OWN_KEYS, Cluster, Inventory, InventoryRefusedError, Node, Path

NODES_AT_ONCE: Final = 500
"""Of one piece: to unpack it holds the interpreter for a millisecond or two."""

_UNREADABLE: Final = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, ValueError)
"""What pickle says of what is cut short, or was never written by it."""


class ReaderLostError(Exception):
    """A process could not begin, or ended before it had told everything."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which nodes are read by one of several that read everything else: those of every cluster whose turn it is.

    Attributes:
        number: From 0 on.
        of: How many there are.
        found: Given each cluster once it is read; what it gives is kept instead.
    """

    number: int = 0
    of: int = 1
    found: Callable[[Cluster], Cluster] = lambda cluster: cluster


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bytes were read of nodes, and of all else."""

    nodes: int
    others: int


type Record = tuple[str, bytes, Mapping[Path, Sequence[Any]], frozenset[str], str | None]
"""A node's uid, and all that its document has."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some nodes of a cluster."""

    site_id: str
    cluster_id: str
    nodes: Sequence[Record]


type Rest = tuple[Inventory, Sizes]
"""All but nodes, and how many bytes were read."""

type Told = Piece | Rest | Exception
"""Pieces, and at last the rest, or why there is none."""


def tell(read: Callable[[Callable[[Cluster], Cluster]], Rest], pipe: int) -> None:
    """Writes what `read` reads, which gives each cluster once it has it, and keeps what it gets for it.

    Args:
        read: As above.
        pipe: A descriptor. While it takes nothing, reading goes on.
    """
    outbox = _Outbox(pipe)

    def found(cluster: Cluster) -> Cluster:
        for nodes in batched(cluster.nodes.values(), NODES_AT_ONCE):
            outbox.put(Piece(cluster.site_id, cluster.uid, [_record(node) for node in nodes]))
        return replace(cluster, nodes={})

    told: Told
    try:
        told = read(found)
    except (InventoryRefusedError, RepositoryError, OSError) as error:
        told = error
    outbox.put(told)
    outbox.empty()


class _Outbox:
    """What is to be written to a pipe, as soon as that takes it.

    A thread that writes would do it too, but let the one that reads wait at each file.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._waiting: deque[memoryview] = deque()

    def put(self, told: Told) -> None:
        """Writes as much as is taken now."""
        self._waiting.append(memoryview(pickle.dumps(told, protocol=pickle.HIGHEST_PROTOCOL)))
        os.set_blocking(self._pipe, False)
        with suppress(BlockingIOError):
            self._write()

    def empty(self) -> None:
        """Writes all of it."""
        os.set_blocking(self._pipe, True)
        self._write()

    def _write(self) -> None:
        while self._waiting:
            rest = self._waiting[0][os.write(self._pipe, self._waiting[0]) :]
            if rest:
                self._waiting[0] = rest
            else:
                self._waiting.popleft()


def _record(node: Node) -> Record:
    written = cast("WrittenDocument", node.written)
    return node.uid, written.text, written.at_hand, written.shadowed, written.content


type Nodes = dict[tuple[str, str], dict[str, Node]]
"""By site and cluster, and by uid."""


def all_of(stream: BinaryIO) -> tuple[Nodes, Rest]:
    """All that `tell` wrote.

    Raises:
        ReaderLostError: it is not all.
        InventoryRefusedError: that was told.
        RepositoryError: likewise.
        OSError: likewise.
    """
    nodes: Nodes = {}
    while True:
        told = _read(stream)
        match told:
            case Piece(site_id, cluster_id):
                of_cluster = nodes.setdefault((site_id, cluster_id), {})
                of_cluster.update((record[0], _node(site_id, cluster_id, record)) for record in told.nodes)
            case Exception():
                raise told
            case rest:
                return nodes, rest


def _node(site_id: str, cluster_id: str, record: Record) -> Node:
    uid, text, at_hand, shadowed, content = record
    written = WrittenDocument(text, at_hand, shadowed, content)
    if content is not None:
        written = SHARED.setdefault((content, uid, NODE_OWN_KEYS), written)
    return Node(site_id, cluster_id, uid, written)


def _read(stream: BinaryIO) -> Told:
    try:
        told: Told = pickle.load(stream)  # noqa: S301 - a process of ours wrote it
    except _UNREADABLE as error:
        raise ReaderLostError from error
    return told

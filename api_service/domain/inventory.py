"""The hardware of a testbed at one commit: sites, clusters, nodes and flavors, immutable."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from api_service.domain.data_faults import DataFault
from api_service.domain.history import History

type Document = Mapping[str, Any]
"""A JSON object; nobody changes it."""

type Path = tuple[str, ...]
"""Keys, the outermost first."""

OWN_KEYS: Final = frozenset({"version", "links"})
"""Top-level keys of every resource that are ours: a document's own give way."""

ROOT_OWN_KEYS: Final = OWN_KEYS | {"timestamp"}
"""Top-level keys of the root resource that are ours."""

NODE_OWN_KEYS: Final = OWN_KEYS | {
    "site_id", "cluster_id", "availability", "availability_now", "availability_until", "last_updated", "stale",
}  # fmt: skip
"""Top-level keys of a node that are ours, even where we say nothing: a file must not pass a node off as free."""


class NotInInventoryError(Exception):
    """An id that the served commit does not hold. Its text is a sentence for the client."""


class InventoryRefusedError(Exception):
    """A commit that cannot be served; the one before stays. Its text says why."""


class InventoryUnreadableError(InventoryRefusedError):
    """Nothing could be read this time; the same commit may well be readable at the next look."""


class Written(Protocol):
    """A file's JSON object without keys that are ours, kept as text: as objects it would take four times as much."""

    @property
    def text(self) -> bytes:
        """Compact JSON; at least its uid is in it."""

    @property
    def at_hand(self) -> Mapping[Path, Sequence[Any]]:
        """The values at some paths, as `values_at` has them: to index those takes no look at the object."""

    def document(self) -> Document:
        """The object; made each time, which takes some 6 µs for a node's."""


@dataclass(frozen=True, slots=True)
class Node:
    """One bare-metal node."""

    site_id: str
    cluster_id: str
    uid: str
    written: Written = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of a site and its nodes by uid, sorted."""

    site_id: str
    uid: str
    written: Written = field(repr=False)
    nodes: Mapping[str, Node] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Flavor:
    """A virtual machine's size at a site."""

    site_id: str
    uid: str
    written: Written = field(repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """A site, its clusters and flavors by uid, sorted."""

    uid: str
    written: Written = field(repr=False)
    clusters: Mapping[str, Cluster] = field(repr=False)
    flavors: Mapping[str, Flavor] = field(repr=False)

    def nodes(self) -> Iterator[Node]:
        """Every node of the site, cluster by cluster."""
        for cluster in self.clusters.values():
            yield from cluster.nodes.values()


@dataclass(frozen=True)
class Inventory:
    """Everything that one commit, or one plain folder, holds.

    Attributes:
        version: The sha of the commit; None without git.
        committed_at: When it was committed; None without git.
        document: The root file's object without keys that are ours; empty if it is unusable.
        sites: By uid, sorted.
        history: The commits behind it; empty without git.
        faults: What is wrong with its files.
        shallow: The repository is a shallow clone, so versions are missing.
        partial: The repository is a partial clone, so files of older commits may be missing.
    """

    version: str | None = None
    committed_at: datetime | None = None
    document: Document = field(default_factory=dict, repr=False)
    sites: Mapping[str, Site] = field(default_factory=dict, repr=False)
    history: History = field(default_factory=History, repr=False)
    faults: tuple[DataFault, ...] = field(default=(), repr=False)
    shallow: bool = False
    partial: bool = False

    @property
    def usable(self) -> bool:
        """Whether there is anything to serve."""
        return bool(self.sites)

    def site(self, site_id: str) -> Site:
        """Raises NotInInventoryError."""
        try:
            return self.sites[site_id]
        except KeyError:
            raise NotInInventoryError(f"there is no site {site_id!r:.300}") from None

    def cluster(self, site_id: str, cluster_id: str) -> Cluster:
        """Raises NotInInventoryError."""
        try:
            return self.site(site_id).clusters[cluster_id]
        except KeyError:
            raise NotInInventoryError(f"site {site_id} has no cluster {cluster_id!r:.300}") from None

    def node(self, site_id: str, cluster_id: str, node_id: str) -> Node:
        """Raises NotInInventoryError."""
        try:
            return self.cluster(site_id, cluster_id).nodes[node_id]
        except KeyError:
            raise NotInInventoryError(f"cluster {cluster_id} of site {site_id} has no node {node_id!r:.300}") from None

    def flavor(self, site_id: str, flavor_id: str) -> Flavor:
        """Raises NotInInventoryError."""
        try:
            return self.site(site_id).flavors[flavor_id]
        except KeyError:
            raise NotInInventoryError(f"site {site_id} has no flavor {flavor_id!r:.300}") from None

    def require(self, ids: Mapping[str, str]) -> None:
        """Raises NotInInventoryError unless it holds the site, cluster, node or flavor that `ids` name."""
        match ids:
            case {"site_id": site_id, "cluster_id": cluster_id, "node_id": node_id}:
                self.node(site_id, cluster_id, node_id)
            case {"site_id": site_id, "cluster_id": cluster_id}:
                self.cluster(site_id, cluster_id)
            case {"site_id": site_id, "flavor_id": flavor_id}:
                self.flavor(site_id, flavor_id)
            case {"site_id": site_id}:
                self.site(site_id)
            case _:
                pass

    def written(self) -> Iterator[Written]:
        """Every document but the root's."""
        for site in self.sites.values():
            yield site.written
            yield from (each.written for each in site.clusters.values())
            yield from (each.written for each in site.flavors.values())
            yield from (each.written for each in site.nodes())

    def nodes(self) -> Iterator[Node]:
        """Every node, site by site."""
        for site in self.sites.values():
            yield from site.nodes()


class InventoryStore:
    """The inventory that is being served, and why a newer one is not. Single-threaded.

    Attributes:
        current: What is served; empty at first. It is replaced whole, never changed.
        refusal: Why the newest commit is not served; None while it is.
        refused_version: That commit; None for a plain folder, or if it is not even known.
        loads: How often another inventory began to be served.
        refusals: How often one was refused.
        loaded_at: When `current` began to be served, aware UTC; None before the first.
        listeners: Called after each time that another inventory began to be served; must not raise or block.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self.current = Inventory()
        self.refusal: str | None = None
        self.refused_version: str | None = None
        self.loads = 0
        self.refusals = 0
        self.loaded_at: datetime | None = None
        self.listeners: list[Callable[[], None]] = []

    @property
    def loaded(self) -> bool:
        """Whether a usable inventory is being served."""
        return self.current.usable

    @property
    def absence(self) -> str | None:
        """Why nothing usable is served, as a sentence; None if something is.

        It is not the same as a testbed without nodes: what a client would learn from an empty answer is wrong.
        """
        if self.loaded:
            return None
        if self.loads == 0:
            return self.refusal or "no inventory is loaded yet"
        return self.refusal or "the inventory has no site that can be served"

    def replace(self, inventory: Inventory) -> bool:
        """Serves `inventory`, unless a better one is served already. Says whether it is served now.

        While nothing usable is served, it serves what there is.
        """
        if self.loaded and (reason := _why_refused(inventory, self.current)):
            self.refuse(reason, inventory.version)
            return False
        self.current = inventory
        self.refusal = self.refused_version = None
        self.loads += 1
        self.loaded_at = self._clock()
        for listener in self.listeners:
            listener()
        return True

    def refuse(self, reason: str, version: str | None) -> bool:
        """Keeps what is served. Says whether this is news: the same refusal over again is not."""
        if (self.refusal, self.refused_version) == (reason, version):
            return False
        self.refusal, self.refused_version = reason, version
        self.refusals += 1
        return True


def _why_refused(inventory: Inventory, served: Inventory) -> str | None:
    if served.version is not None and inventory.version is None:
        # Its files may still lie there, as somebody left them.
        return "the newest commit does not hold the inventory's folder"
    if not inventory.document:
        return "its root file is unusable"
    if not inventory.usable:
        return "it has no usable site"
    return None

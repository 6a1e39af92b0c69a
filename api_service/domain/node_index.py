"""The nodes of one inventory by the values of their fields: a filter costs what it finds, not what there is."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from api_service.domain.inventory import NODE_OWN_KEYS, Node, Path
from api_service.domain.node_fields import field_values, names_in, texts_in
from api_service.domain.row_sets import bits, kept, rows_of


class FieldIndex:
    """Which nodes, by their rows, have what at one path; one with several values is found by each of them.

    Attributes:
        known: Whether any node has the field at all, if only as null.
        objects: Whether any has an object there, which has fields of its own.
        texts: Rows by text.
        numbers: Rows by number.
        flags: Rows by truth value.
        filled: Rows with anything but nulls, empty texts, empty lists and empty objects.
    """

    def __init__(self, told: Iterable[tuple[Sequence[Any], Sequence[int]]], size: int) -> None:
        """Takes what there is.

        Args:
            told: Values, and the rows of nodes that have all of these and no others; each row once.
            size: How many rows there are.
        """
        self.known = self.objects = False
        self.filled = 0
        texts: dict[str, list[int]] = {}
        numbers: dict[float, list[int]] = {}
        flags: dict[bool, list[int]] = {}
        filled: list[int] = []
        for values, rows in told:
            for value in values:
                self.known = True
                match value:
                    case bool():
                        _add(flags, value, rows)
                    case int() | float():
                        _add(numbers, value, rows)
                    case str():
                        _add(texts, value, rows)
                    case dict():
                        self.objects = True
                    case _:  # null
                        pass
            if any(value not in (None, "", {}) for value in values):
                filled.extend(rows)
        self.texts = {value: kept(rows, size) for value, rows in texts.items()}
        self.numbers = {value: kept(rows, size) for value, rows in numbers.items()}
        self.flags = {value: kept(rows, size) for value, rows in flags.items()}
        self.filled = bits([kept(filled, size)])

    @property
    def distinct(self) -> int:
        """How many values there are, each counted once."""
        return len(self.texts) + len(self.numbers) + len(self.flags)

    @cached_property
    def sorted_texts(self) -> list[str]:
        """Each text once, by code points."""
        return sorted(self.texts)

    @cached_property
    def sorted_numbers(self) -> list[float]:
        """Each number once."""
        return sorted(self.numbers)


class NodeIndex:
    """Every node of an inventory in the order of a search, with an index of each field that was ever asked for.

    Several threads may ask at once. To index a field takes ten microseconds a node, once; next to nothing if its values
    are at hand.

    Attributes:
        nodes: Sorted by uid, then site and cluster: the same order on every replica.
        everything: All rows.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = tuple(sorted(nodes, key=attrgetter("uid", "site_id", "cluster_id")))
        self.everything = (1 << len(self.nodes)) - 1
        self._fields: dict[Path, FieldIndex] = {}

    def field(self, path: Path) -> FieldIndex:
        """What the nodes have at `path`; kept if any has the field, so that clients cannot fill the memory."""
        if (found := self._fields.get(path)) is None:
            found = FieldIndex((), len(self.nodes)) if self._is_nowhere(path) else self._indexed(path)
            if found.known:
                self._fields[path] = found
        return found

    def prepare(self, paths: Iterable[Path]) -> None:
        """Indexes fields that will be asked for, and keeps what is found, even where no node has one."""
        for path in paths:
            self._fields[path] = self._indexed(path)

    def _is_nowhere(self, path: Path) -> bool:
        """Whether it is known already that no node has the field: so it is once somebody was told which there are.

        To look for one that is misspelt is to make the object of every node, and nobody keeps what was not found.
        """
        # An empty key at the top has no part in the names of what is below.
        if "names" not in vars(self) or not all(path) or path[0] in NODE_OWN_KEYS:
            return False
        return ".".join(path) not in self.names

    def _indexed(self, path: Path) -> FieldIndex:
        each = self._kinds
        if path[0] not in NODE_OWN_KEYS and not all(path in node.written.at_hand for node, _ in each):
            each = [(node, (row,)) for row, node in enumerate(self.nodes)]
        return FieldIndex(((list(field_values(node, path)), rows) for node, rows in each), len(self.nodes))

    @cached_property
    def _kinds(self) -> Sequence[tuple[Node, Sequence[int]]]:
        """One of all the nodes of a cluster that have the same values at hand, and the rows of all of them."""
        kinds: dict[tuple[str, str, int], tuple[Node, list[int]]] = {}
        for row, node in enumerate(self.nodes):
            kind = node.site_id, node.cluster_id, id(node.written.at_hand)
            kinds.setdefault(kind, (node, []))[1].append(row)
        return list(kinds.values())

    def has(self, path: Path) -> bool:
        """Whether the field is indexed."""
        return path in self._fields

    @property
    def has_words(self) -> bool:
        """Whether the texts of all nodes have been gathered: `with_words` does it the first time."""
        return "_texts" in vars(self)

    def nodes_in(self, rows: int) -> Iterator[Node]:
        """The nodes of a set of rows, in order."""
        return map(self.nodes.__getitem__, rows_of(rows))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every field of any node, as a client writes it."""
        return frozenset(names_in(node.written.document() for node in self.nodes))

    def with_words(self, words: Sequence[str], rows: int) -> int:
        """Of `rows` those whose nodes hold each of the words, which have no case."""
        found = [row for row in rows_of(rows) if all(word in self._texts[row] for word in words)]
        return bits([kept(found, len(self.nodes))])

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        # A line each: no word goes from one text over into the next.
        return tuple(
            "\n".join([node.site_id, node.cluster_id, *texts_in(node.written.document())]).casefold()
            for node in self.nodes
        )


def _add[V](rows_by_value: dict[V, list[int]], value: V, rows: Sequence[int]) -> None:
    found = rows_by_value.setdefault(value, [])
    # Of several equal values of one node, one.
    if not found or found[-1] != rows[-1]:
        found.extend(rows)

"""How many nodes have which value of a field."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from api_service.domain.node_conditions import UnfitConditionError, check_valued
from api_service.domain.node_fields import path_of
from api_service.domain.node_index import FieldIndex, NodeIndex
from api_service.domain.row_sets import Counting, Rows, bits

MAX_VALUES: Final = 1000
"""Of one field."""

type Facet = Mapping[str, int]
"""Counts by value, the commonest first."""


def facets(index: NodeIndex, rows: int, names: Sequence[str]) -> dict[str, Facet]:
    """How many nodes of `rows` have each value, field by field.

    A node with several values counts for each, one without any for none. Values are named as JSON writes them, texts
    without quotes; those that are named alike (`48` and `"48"`) are one.

    Args:
        index: Of all nodes.
        rows: Those that count.
        names: Fields as clients name them.

    Raises:
        UnknownFieldsError: no node has a field.
        UnfitConditionError: one holds fields of its own, or the nodes have too many values of it.
    """
    paths = {name: path_of(name) for name in names}
    check_valued(index, "facets", paths)
    counting = Counting(rows, len(index.nodes))
    return {name: _facet(name, index.field(path), counting) for name, path in paths.items()}


def sorted_counts(counts: Iterable[tuple[str, int]]) -> Facet:
    """The commonest first; those that are equally common as text sorts."""
    return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))


def _facet(name: str, field: FieldIndex, counting: Counting) -> Facet:
    by_label: dict[str, Rows] = {}
    for value, rows in chain(field.texts.items(), field.numbers.items(), field.flags.items()):
        label = value if isinstance(value, str) else json.dumps(value)
        by_label[label] = bits([by_label[label], rows]) if label in by_label else rows
    counts = [(label, count) for label, rows in by_label.items() if (count := counting.shared_with(rows))]
    if len(counts) > MAX_VALUES:
        detail = f"{name} has {len(counts)} values among these nodes; {MAX_VALUES} may be counted"
        raise UnfitConditionError("facets", detail)
    return sorted_counts(counts)

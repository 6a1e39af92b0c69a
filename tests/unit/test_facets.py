"""How many nodes have which value."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.facets import MAX_VALUES, facets
from api_service.domain.node_conditions import UnfitConditionError, UnknownFieldsError
from api_service.domain.node_fields import values_at
from api_service.domain.row_sets import bits, kept
from tests.unit.test_node_conditions import VALUES, index_of


def test_the_commonest_value_comes_first_and_a_node_counts_once_for_each_of_its_values() -> None:
    subject = index_of("b", "b", ["a", "c", "a"], "c", "c", None, ...)
    assert list(facets(subject, subject.everything, ["f"])["f"].items()) == [("c", 3), ("b", 2), ("a", 1)]


def test_values_are_named_as_json_has_them_and_those_named_alike_are_one() -> None:
    subject = index_of(48, "48", [48, "48"], True, "true", 2.5, False)
    assert facets(subject, subject.everything, ["f"])["f"] == {"48": 3, "true": 2, "2.5": 1, "false": 1}


def test_only_the_chosen_nodes_count() -> None:
    subject = index_of("a", "b", "a")
    assert facets(subject, 0b110, ["f"]) == {"f": {"a": 1, "b": 1}}
    assert facets(subject, 0, ["f"]) == {"f": {}}


def test_a_field_with_too_many_values_is_refused() -> None:
    subject = index_of(*map(str, range(MAX_VALUES + 1)))
    with pytest.raises(UnfitConditionError, match=f"f has {MAX_VALUES + 1} values"):
        facets(subject, subject.everything, ["f"])
    assert len(facets(subject, subject.everything >> 1, ["f"])["f"]) == MAX_VALUES


def test_fields_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(UnknownFieldsError):
        facets(index_of(1), 1, ["g"])
    with pytest.raises(UnfitConditionError, match="fields of its own"):
        facets(index_of({"g": 1}), 1, ["f"])


@given(st.lists(VALUES, min_size=1, max_size=40), st.data())
def test_counts_are_those_of_going_through_all_nodes(values: list[Any], data: st.DataObject) -> None:
    subject = index_of({"g": 0}, *values)
    size = len(subject.nodes)
    chosen = data.draw(st.frozensets(st.integers(0, size - 1)))
    expected: Counter[str] = Counter()
    for row in chosen:
        found = [value for value in values_at(subject.nodes[row].written.document(), "f", "g") if value is not None]
        expected.update({value if isinstance(value, str) else json.dumps(value) for value in found})
    assert facets(subject, bits([kept(sorted(chosen), size)]), ["f.g"])["f.g"] == expected

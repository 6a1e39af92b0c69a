"""A document that is kept as text is what was read, without the keys that are ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.adapters.written_document import AtHand, WrittenDocument
from api_service.domain.node_fields import values_at
from tests.unit.test_json_document import VALUES, written

OWN = frozenset({"version", "links"})
DOCUMENTS = st.dictionaries(st.text() | st.sampled_from(["version", "links", "a"]), VALUES).map(
    lambda made: {"uid": "n", **made}
)
PATHS = [("a",), ("a", "b"), ("c", "count")]


@given(DOCUMENTS)
def test_it_is_what_was_read_in_the_same_order_but_for_the_keys_that_are_ours(document: dict[str, Any]) -> None:
    found = WrittenDocument.of(document, OWN)
    expected = {key: value for key, value in document.items() if key not in OWN}
    assert written(found.document()) == written(expected)
    assert json.loads(found.text) == expected
    assert found.shadowed == OWN & document.keys()


def test_it_is_kept_without_spaces() -> None:
    assert WrittenDocument.of({"uid": "n", "é": [1, 2.5]}, OWN).text == '{"uid":"n","é":[1,2.5]}'.encode()


def test_who_changes_an_object_changes_nothing_for_others() -> None:
    subject = WrittenDocument.of({"uid": "n", "a": [1]}, OWN)
    subject.document()["a"].append(2)
    assert subject.document() == {"uid": "n", "a": [1]}


@given(st.lists(DOCUMENTS, max_size=5))
def test_what_is_at_hand_are_the_values_at_the_paths(documents: list[dict[str, Any]]) -> None:
    subject = AtHand(PATHS)
    for document in documents:
        found = subject.of(document)
        assert list(found) == PATHS
        assert written(list(found.values())) == written([list(values_at(document, *path)) for path in PATHS])


def test_equal_values_of_documents_are_kept_once_and_those_that_only_python_calls_equal_are_not() -> None:
    subject = AtHand([("a",)])
    first, same, *others = (
        subject.of(each) for each in ({"a": 1}, {"a": 1, "b": 2}, {"a": 1.0}, {"a": True}, {"a": "1"})
    )
    assert first is same
    assert [written(each["a",]) for each in others] == ["[1.0]", "[true]", '["1"]']


@pytest.mark.parametrize("other", [{"b": 2, "c": 1}, {"b": 1, "c": 2.0}])
def test_objects_at_hand_are_equal_only_in_the_same_order(other: dict[str, Any]) -> None:
    subject = AtHand([("a",)])
    assert subject.of({"a": {"c": 1, "b": 2}}) is not subject.of({"a": other})

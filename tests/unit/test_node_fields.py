"""Fields of a node by dotted path."""

from typing import Any

import pytest

from api_service.domain.node_fields import (
    distinct_values,
    field_values,
    names_in,
    path_of,
    selected,
    texts_in,
    values_at,
)
from tests.inventories import node_of


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"a": 1}, ("a",), [1]),
        ({"a": {"b": None}}, ("a", "b"), [None]),
        ({"a": [1, [2, 3]]}, ("a",), [1, 2, 3]),
        ({"a": [{"b": 1}, {"c": 2}, 3, {"b": [4]}]}, ("a", "b"), [1, 4]),
        ({"a": []}, ("a",), [None]),
        ({"a": []}, ("a", "b"), []),
        ({"a": 1}, ("a", "b"), []),
        ({}, ("a",), []),
        ({"a": {"b": 1}}, ("a",), [{"b": 1}]),
    ],
)
def test_a_list_on_the_way_means_any_of_its_elements(document: Any, path: tuple[str, ...], expected: list[Any]) -> None:
    assert list(values_at(document, *path)) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": [{"b": 1}, 2]}, [2]),
        ({"a": []}, [0]),
        ({"a": {"b": 1}}, []),
        ({"a": [{"count": 7}, {"count": 8}]}, [7, 8]),
        ({"a": {"count": 7}}, [7]),
        ({}, []),
    ],
)
def test_count_after_a_list_is_its_length_unless_its_elements_say_otherwise(document: Any, expected: list[int]) -> None:
    assert list(values_at(document, "a", "count")) == expected


def test_where_a_node_is_does_not_come_from_its_file() -> None:
    own = {"site_id": "else", "cluster_id": {"x": 1}, "availability": "available", "links": 1}
    node = node_of("uc", "main", "n", own)
    assert list(field_values(node, ("site_id",))) == ["uc"]
    assert list(field_values(node, ("cluster_id",))) == ["main"]
    for path in (("availability",), ("links",), ("cluster_id", "x"), ("version",)):
        assert list(field_values(node, path)) == []


def test_distinct_values_are_sorted_and_tell_true_from_one() -> None:
    node = node_of("uc", "main", "n", {"a": ["x", 2, True, 1, 1.0, None, {"b": 1}, "x"]})
    found = distinct_values(node, ("a",))
    assert [(type(value), value) for value in found] == [(bool, True), (int, 1), (float, 1.0), (int, 2), (str, "x")]


def test_every_field_has_a_name_and_so_has_the_length_of_a_list() -> None:
    document = {"a": {"b": [{"c": 1}, {"d": None}]}, "uid": "n"}
    assert names_in([document]) == {"a", "a.b", "a.b.count", "a.b.c", "a.b.d", "uid"}


def test_all_texts_of_a_node_are_found_but_not_the_names_of_its_fields() -> None:
    document = {"a": {"b": ["x", {"c": "y"}, 1, None]}, "uid": "n"}
    assert sorted(texts_in(document)) == ["n", "x", "y"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], {"a": {"b": 1, "c": [{"d": 2, "e": 3}, {"e": 4}, 5]}}),
        (["a.b"], {"a": {"b": 1}}),
        (["a.c.d"], {"a": {"c": [{"d": 2}, {}]}}),
        (["a.b", "a.c.e"], {"a": {"b": 1, "c": [{"e": 3}, {"e": 4}]}}),
        (["a", "a.b"], {"a": {"b": 1, "c": [{"d": 2, "e": 3}, {"e": 4}, 5]}}),
        (["f.g"], {}),
        (["f"], {"f": None}),
        (["none"], {}),
    ],
)
def test_a_selection_keeps_the_shape_of_what_is_selected(names: list[str], expected: Any) -> None:
    document = {"a": {"b": 1, "c": [{"d": 2, "e": 3}, {"e": 4}, 5]}, "f": None}
    assert selected(document, [tuple(name.split(".")) for name in names]) == expected


def test_names_of_filters_stand_for_their_fields() -> None:
    assert path_of("arch") == ("architecture", "platform_type")
    assert path_of("gpu") == ("gpu", "gpu")
    assert path_of("gpu.gpu_model") == ("gpu", "gpu_model")

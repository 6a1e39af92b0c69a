"""Conditions of any field, asked of an index; a brute-force reading of the rules is the oracle."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api_service.domain.inventory import Node
from api_service.domain.node_conditions import (
    Condition,
    Suffix,
    UnfitConditionError,
    UnknownFieldsError,
    check_known,
    check_valued,
    flag_of,
    number_of,
)
from api_service.domain.node_fields import values_at
from api_service.domain.node_index import NodeIndex
from tests.inventories import node_of

CASES = settings(max_examples=300)


def index_of(*values: Any) -> NodeIndex:
    """A node for each value of its field `f`; of `...` one without it."""
    documents = [{} if value is ... else {"f": value} for value in values]
    return NodeIndex(node_of("uc", "main", f"{number:03}", document) for number, document in enumerate(documents))


def found(index: NodeIndex, name: str, *values: str) -> list[int]:
    return [int(node.uid) for node in index.nodes_in(Condition.of(name, values).rows(index))]


@pytest.mark.parametrize(
    ("values", "name", "asked", "expected"),
    [
        # numbers are compared with numbers, texts with texts, whatever they look like
        ([48, "48", 48.0, "048", True, ..., None], "f", ["48"], [0, 1, 2]),
        ([1, True, "1", "true"], "f", ["1"], [0, 1, 2]),
        ([True, False, "yes", ...], "f", ["yes"], [0, 2]),
        ([True, False, ...], "f__n", ["Off"], [0, 2]),
        ([1, True, "true", False, "True"], "f", ["true"], [1, 2]),
        ([1, True, "true", False], "f", ["TRUE"], [1]),
        ([2.5, "2.5", "2.50"], "f", ["2.50"], [0, 2]),
        ([2_400_000_000, 1], "f", ["2.4e9"], [0]),
        ([137_438_953_472, 137_438_953_473], "f", ["137438953472.0"], [0]),
        ([4, "4", "4.0"], "f", ["4.0"], [0, 2]),
        (["a", "b", ["b", "c"], "A"], "f", ["b"], [1, 2]),
        (["a", "b", "c"], "f", ["a", "c"], [0, 2]),
        (["", "x", None], "f", [""], [0]),
        # __n: no element equals any of the values
        (["a", "b", ["b", "c"], ..., None, []], "f__n", ["b"], [0, 3, 4, 5]),
        ([1, 2, 3, "2"], "f__n", ["2", "3"], [0]),
        # texts, whatever their case
        (["AMD EPYC 7763", "Intel", ["x", "epyc"], 7, ...], "f__ic", ["ePyC"], [0, 2]),
        (["AMD EPYC", "Intel", "amd"], "f__isw", ["AMD"], [0, 2]),
        (["AMD", "Intel", "IBM"], "f__ic", ["amd", "ibm"], [0, 2]),
        # order
        ([1, 2, 3, "4", True, ..., [0, 9]], "f__gt", ["2"], [2, 6]),
        ([1, 2, 3, "4"], "f__gte", ["2"], [1, 2]),
        ([1, 2, 3, [0, 9]], "f__lt", ["2"], [0, 3]),
        ([1, 2, 3], "f__lte", ["2.5"], [0, 1]),
        ([-1, 0, 1], "f__lt", ["-0.5"], [0]),
        (["2024-08-09", "2018-02-08", None], "f__gte", ["2024-01-01"], [0]),
        (["a", "b", 3], "f__lt", ["b"], [0]),
        # emptiness
        ([1, 0, False, "", None, [], {}, ..., [None], {"x": None}], "f__empty", ["true"], [3, 4, 5, 6, 7, 8]),
        ([1, 0, False, "", None, [], {}, ..., [None], {"x": None}], "f__empty", ["False"], [0, 1, 2, 9]),
        ([1, None], "f__empty", ["1"], [1]),
        ([1, None], "f__empty", ["no"], [0]),
        # a list's length
        ([[1, 2], [3], [], ...], "f.count__gte", ["2"], [0]),
        ([[1, 2], [3], [], ...], "f.count", ["0"], [2]),
    ],
)
def test_a_condition_finds_just_the_nodes_that_fulfil_it(
    values: list[Any], name: str, asked: list[str], expected: list[int]
) -> None:
    assert found(index_of(*values), name, *asked) == expected


@pytest.mark.parametrize(
    ("values", "name", "asked", "told"),
    [
        ([48], "f", "lots", 'numbers such as 48, with which "lots"'),
        ([48], "f", '"48"', "numbers such as 48, with which"),
        ([True], "f", "perhaps", 'truth values such as true, with which "perhaps"'),
        ([True], "f__n", "2", "the number 2 cannot"),
        (["48"], "f__gte", "48", 'text such as "48", with which the number 48 cannot'),
        ([48], "f__gte", "many", "cannot be compared"),
        ([True], "f__lt", "2", "truth values"),
        ([48], "f__ic", "4", "numbers such as 48"),
        ([{"x": 1}], "f", "1", "fields of its own"),
        ([1], "f__empty", "maybe", "true or false"),
    ],
)
def test_what_cannot_be_compared_is_explained(values: list[Any], name: str, asked: str, told: str) -> None:
    with pytest.raises(UnfitConditionError, match=told) as caught:
        found(index_of(*values), name, asked)
    assert caught.value.name == name


def test_a_field_that_holds_only_nulls_is_known_and_equals_nothing() -> None:
    subject = index_of(None, ...)
    assert found(subject, "f", "x") == []
    assert found(subject, "f__gt", "1") == []
    assert found(subject, "f__ic", "x") == []
    assert found(subject, "f__n", "x") == [0, 1]


@pytest.mark.parametrize(
    "name", ["g", "f.g", "g__empty", "f__contains", "__n", "", "links", "availability", "f__n__gt"]
)
def test_a_field_that_no_node_has_is_never_silently_left_out(name: str) -> None:
    with pytest.raises(UnknownFieldsError) as caught:
        found(index_of(1), name, "true")
    assert caught.value.asked == ((name, name),)


def test_fields_are_checked_before_their_values_are_asked_for() -> None:
    subject = index_of({"x": 1})
    check_known(subject, "fields", {"f": ("f",)})
    check_valued(subject, "sort", {"f.x": ("f", "x")})
    with pytest.raises(UnfitConditionError, match="f holds fields of its own"):
        check_valued(subject, "sort", {"f": ("f",)})
    with pytest.raises(UnknownFieldsError) as caught:
        check_known(subject, "fields", {"f": ("f",), "g": ("g",), "h": ("h",)})
    assert caught.value.asked == (("fields", "g"), ("fields", "h"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("48", 48), ("-1", -1), ("2.5", 2.5), ("1e3", 1000), ("1e+3", 1000), ("1e 3", 1000), ("1e-3", 0.001),
        ("+1", 1), (" 1", 1), ("1.", 1), ("1 ", 1), ("4.0", 4), ("9007199254740993.0", 2**53 + 1), ("-0.0", 0),
        ("", None), (" ", None), ("1_000", None), ("٣", None), ("nan", None), ("1e999", None), ("1\n", None),
        ("0x10", None), (".", None), ("1 000", None), ("--1", None), ("9" * 41, None), (str(2**63), 2**63),
    ],
)  # fmt: skip
def test_only_what_a_client_would_write_as_a_number_is_one(text: str, number: float | None) -> None:
    found = number_of(text)
    assert found == number
    assert number is None or type(found) is type(number)


@pytest.mark.parametrize(
    ("flag", "words"),
    [(True, "1 t T true True TRUE y yes Yes on"), (False, "0 f F false False n no NO off"), (None, "2 tru ja 1.0 -1")],
)
def test_a_flag_is_written_in_any_of_the_usual_words(flag: bool | None, words: str) -> None:
    assert {flag_of(word) for word in words.split()} == {flag}
    assert flag_of("") is None


SCALARS = st.sampled_from([None, True, False, 0, 1, 2.5, "", "1", "2.5", "true", "AMD", "amd epyc", "b"])
VALUES = st.one_of(
    st.just(...), SCALARS, st.lists(SCALARS, max_size=3), st.fixed_dictionaries({"g": SCALARS}),
    st.lists(st.fixed_dictionaries({"g": SCALARS}), max_size=2),
)  # fmt: skip
ASKED = st.sampled_from(["1", "1.0", "2.5", "true", "False", "on", "AMD", "amd", "b", "0", ""])


def equal(value: Any, text: str) -> bool:
    match value:
        case bool():
            return text.lower() in ({"true", "1", "on"} if value else {"false", "0", "off"})
        case int() | float():
            return number_of(text) == value
        case _:
            return bool(value == text)


def alike(value: Any, suffix: Suffix, text: str) -> bool:
    if not isinstance(value, str):
        return False
    where = value.lower().find(text.lower())
    return where == 0 if suffix is Suffix.STARTS_WITH else where >= 0


def in_order(value: Any, suffix: Suffix, text: str) -> bool:
    number = number_of(text)
    if value is None or isinstance(value, bool) or isinstance(value, str) is (number is not None):
        return False
    bound: Any = text if number is None else number
    compared = {"gt": value > bound, "gte": value >= bound, "lt": value < bound, "lte": value <= bound}
    return bool(compared[suffix])


def oracle(document: Any, path: tuple[str, ...], suffix: Suffix, asked: list[str]) -> bool:
    """The rules of the contract, read once more and asked of one node."""
    values = list(values_at(document, *path))
    match suffix:
        case Suffix.EQUALS | Suffix.NOT:
            return any(equal(value, text) for value in values for text in asked) is (suffix is Suffix.EQUALS)
        case Suffix.EMPTY:
            return all(value in (None, "", {}) for value in values) is (asked[0].lower() in {"true", "1", "on"})
        case Suffix.CONTAINS | Suffix.STARTS_WITH:
            return any(alike(value, suffix, text) for value in values for text in asked)
        case _:
            return any(
                in_order(value, suffix, text) for value in values if not isinstance(value, dict) for text in asked
            )


@CASES
@given(
    st.lists(VALUES, min_size=1, max_size=40),
    st.sampled_from(["f", "f.g"]),
    st.sampled_from(Suffix),
    st.lists(ASKED, min_size=1, max_size=2),
)
def test_an_index_answers_as_reading_every_node_does(
    values: list[Any], field: str, suffix: Suffix, asked: list[str]
) -> None:
    if suffix not in {Suffix.EQUALS, Suffix.NOT, Suffix.CONTAINS, Suffix.STARTS_WITH}:
        asked = asked[:1]
    subject = index_of(*values)
    name = f"{field}__{suffix}" if suffix else field
    try:
        answer = found(subject, name, *asked)
    except UnknownFieldsError:
        assert not any(list(values_at(node.written.document(), *field.split("."))) for node in subject.nodes)
    except UnfitConditionError:
        # Refused only where no node could have been found.
        path = tuple(field.split("."))
        if suffix not in {Suffix.NOT, Suffix.EMPTY}:
            documents = [node.written.document() for node in subject.nodes]
            assert not all(any(oracle(each, path, suffix, [text]) for each in documents) for text in asked)
    else:
        path = tuple(field.split("."))
        expected = [int(node.uid) for node in subject.nodes if oracle(node.written.document(), path, suffix, asked)]
        assert answer == expected


def test_a_node_with_several_values_counts_once_among_those_that_have_any() -> None:
    subject = index_of(["a", "b", "c", "d"], None, "", [])
    assert found(subject, "f__empty", "false") == [0]
    assert found(subject, "f__empty", "true") == [1, 2, 3]


KEYS = st.sampled_from(["a", "b", "", "count", "a.b"])
SHAPES = st.recursive(
    st.sampled_from([None, 1, "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@example([{"": {"a": 1}}], ["", "a"])
@given(st.lists(st.dictionaries(KEYS, SHAPES, max_size=3), max_size=3), st.lists(KEYS, min_size=1, max_size=4))
def test_a_field_is_known_or_not_whether_or_not_all_names_have_been_gathered(
    documents: list[dict[str, Any]], path: list[str]
) -> None:
    subjects = [
        NodeIndex(node_of("uc", "main", str(number), document) for number, document in enumerate(documents))
        for _ in range(2)
    ]
    assert isinstance(subjects[1].names, frozenset)
    assert subjects[0].field(tuple(path)).known == subjects[1].field(tuple(path)).known


def test_a_field_that_no_node_has_is_not_looked_for_again_once_all_names_have_been_gathered() -> None:
    class Counted:
        text, at_hand, looks = b'{"uid":"n"}', {}, 0  # type: ignore[var-annotated]

        def document(self) -> dict[str, Any]:
            self.looks += 1
            return {"uid": "n"}

    written = Counted()
    subject = NodeIndex([Node("uc", "main", "n", written)])
    assert not subject.field(("misspelt",)).known
    assert subject.names == {"uid"}
    looks = written.looks
    assert not subject.field(("misspelt",)).known
    assert written.looks == looks

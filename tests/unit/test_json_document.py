"""A file of the repository becomes what Python's own JSON makes of it, whichever way it takes."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api_service.adapters.equal_values import EqualValues
from api_service.adapters.json_document import UnusableDocumentError, parse_document
from api_service.domain.data_faults import FaultKind

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
"""Whatever can be written as JSON again."""


def written(value: Any) -> str:
    """Tells 1 from 1.0 and from true, and keeps the order of keys."""
    return json.dumps(value)


@given(VALUES, st.booleans())
@example(2**64 - 1, True)
@example(-(2**63), True)
@example(1e300, True)
@example(-0.0, True)
@example("12345678901234567890", True)
@example([[]] * 300, True)
def test_a_document_is_as_it_was_written(value: Any, ascii_only: bool) -> None:
    document = {"uid": "n", "value": value}
    found = parse_document(json.dumps(document, ensure_ascii=ascii_only).encode(), "n")
    assert written(found) == written(document)


@pytest.mark.parametrize("number", [str(2**64), str(-(2**63) - 1), "1e999", "-1e999", "9" * 400, "NaN", "-Infinity"])
def test_a_number_that_cannot_be_written_again_is_refused(number: str) -> None:
    with pytest.raises(UnusableDocumentError) as found:
        parse_document(f'{{"uid": "n", "value": {number}}}'.encode(), "n")
    assert found.value.kind is FaultKind.UNUSABLE_VALUE


@pytest.mark.parametrize("number", ["0.12345678901234567890123", "1e-999", "1E5", "123456789012345678.5e-3"])
def test_a_number_of_many_digits_is_what_python_makes_of_it(number: str) -> None:
    found = parse_document(f'{{"uid": "n", "value": {number}}}'.encode(), "n")
    assert math.isclose(found["value"], float(number), rel_tol=0)
    assert isinstance(found["value"], float)


def test_equal_values_of_documents_are_kept_once_and_those_that_only_python_calls_equal_are_not() -> None:
    texts = ['{"a": {"b": 1}}', '{"a": {"b": 1}}', '{"a": {"b": 1.0}}', '{"a": {"b": true}}', '{"a": [1]}']
    values = EqualValues()
    first, same, *others = [values.share(json.loads(text)) for text in texts]
    assert first["a"] is same["a"]
    assert [written(each) for each in others] == texts[2:]


def test_the_order_of_keys_is_kept() -> None:
    values = EqualValues()
    for text in ('{"a": {"b": 1, "c": 2}}', '{"a": {"c": 2, "b": 1}}'):
        assert written(values.share(json.loads(text))) == text

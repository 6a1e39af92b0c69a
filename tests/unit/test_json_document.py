"""A file of the repository becomes what Python's own JSON makes of it, whichever way it takes."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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

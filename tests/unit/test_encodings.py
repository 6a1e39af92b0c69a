"""Which codings a client takes, against a reading of the RFC that knows no shortcut."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api_service.http.encodings import COMPRESSED, IDENTITY, accepted, compressed
from tests.decoding import DECODED

NAMES = st.sampled_from(["gzip", "GZIP", "x-gzip", "zstd", "identity", "*", "br", "compress"])
WEIGHTS = st.sampled_from([None, "0", "0.", "0.000", "0.001", "0.5", "0.50", "1", "1.000"])
ELEMENTS = st.lists(st.tuples(NAMES, WEIGHTS), max_size=6)
SPACES = st.sampled_from(["", " ", "\t", "  "])


def liked(elements: list[tuple[str, str | None]], coding: str) -> float:
    """How much a client likes a coding; 0 if it refuses it."""
    weights = {name.lower().replace("x-gzip", "gzip"): float(weight or 1) for name, weight in elements}
    if coding in weights:
        return weights[coding]
    if "*" in weights:
        return weights["*"]
    return 0.00001 if coding == IDENTITY else 0


@settings(max_examples=200)
@given(elements=ELEMENTS, space=SPACES)
@example(elements=[("gzip", "0"), ("x-gzip", None)], space="")
@example(elements=[("*", "0")], space=" ")
def test_what_is_liked_best_comes_first_and_what_is_refused_is_left_out(
    elements: list[tuple[str, str | None]], space: str
) -> None:
    header = ",".join(
        f"{space}{name}{space}" + (f";{space}q={weight}{space}" if weight else "") for name, weight in elements
    )
    found = accepted([header])
    wanted = {each: liked(elements, each) for each in (*COMPRESSED, IDENTITY)}
    assert set(found) == {each for each, weight in wanted.items() if weight}
    assert [wanted[each] for each in found] == sorted((wanted[each] for each in found), reverse=True)


@settings(max_examples=200)
@given(header=st.text('gzipstdcodenty*-;=,qQ01.5 \t"/é', max_size=60))
def test_whatever_is_written_there_only_codings_that_exist_are_found_each_once(header: str) -> None:
    found = accepted([header])
    assert len(found) == len(set(found))
    assert set(found) <= {*COMPRESSED, IDENTITY}


def test_several_lines_are_one_list() -> None:
    assert accepted(["gzip;q=0.5", "zstd;q=0.1, identity;q=0"]) == ("gzip", "zstd")
    assert accepted([]) == accepted([""]) == (IDENTITY,)


def test_a_long_list_is_read_as_far_as_its_hundredth_element() -> None:
    assert accepted(["," * 99 + "gzip"])[0] == "gzip"
    assert accepted(["," * 100 + "gzip"]) == accepted(["," * 8000]) == (IDENTITY,)


@pytest.mark.parametrize("coding", COMPRESSED)
def test_compressing_twice_gives_the_same_bytes(coding: str) -> None:
    body = b"the same " * 1000
    made = compressed(coding, body)
    assert made == compressed(coding, body)
    assert DECODED[coding](made) == body
    assert len(made) < len(body) / 10

"""The ids of events: text that any replica understands, and any other text counts as nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.resume_token import MAX_LENGTH, ResumeToken
from api_service.domain.site_view import Position
from shared.availability import MAX_GENERATION

THEN = datetime(2026, 11, 22, 8, tzinfo=UTC)
POSITION = Position(7, THEN, "0123456789ab")
positions = st.builds(
    Position,
    st.none() | st.integers(0, MAX_GENERATION),
    st.integers(0, 10**12).map(lambda milliseconds: THEN + timedelta(milliseconds=milliseconds)),
    st.text("0123456789abcdef", min_size=12, max_size=12),
)


@given(
    version=st.none() | st.text("0123456789abcdef", min_size=40, max_size=40),
    seen=st.dictionaries(st.text(min_size=1, max_size=20), positions, max_size=5),
)
def test_a_token_says_the_same_when_it_comes_back(version: str | None, seen: dict[str, Position]) -> None:
    token = ResumeToken(version, seen)
    assert ResumeToken.parse(str(token)) == token
    assert str(token).isascii()
    assert str(token).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1795334400000",
        "-;uc",
        "-;uc=7",
        "-;uc=7.8.zzz",
        "-;uc=7.8.0123456789ab,",
        "-;uc=-7.8.0123456789ab",
        "-;uc=7.8.0123456789ab;",
        "-;uc=999999999999999.8.0123456789ab",
        "-;uc=8.999999999999999.0123456789ab",
        "-;uc=\u0667.8.0123456789ab",
        "HEAD;uc=7.8.0123456789ab",
        "-;uc=7.8.0123456789ab,uc=9.8.0123456789ab",
        "\udcff",
        "x" * 8000,
    ],
)
def test_what_is_no_token_of_ours_counts_as_nothing_seen(text: str) -> None:
    assert ResumeToken.parse(text) == ResumeToken()


def test_a_token_fits_into_a_header_whatever_the_number_of_sites() -> None:
    token = ResumeToken("a" * 40, {f"site-{number}": POSITION for number in range(1000)})
    kept = ResumeToken.parse(str(token)).positions
    assert len(str(token)) <= MAX_LENGTH
    assert len(kept) > 80
    assert set(kept.values()) == {POSITION}

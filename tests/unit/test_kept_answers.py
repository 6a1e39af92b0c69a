"""How long an answer is kept that tells states."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.availability_map import Observed
from api_service.domain.node_query import NEVER, Match
from api_service.http.caching import Ready
from api_service.http.kept_answers import Kept, KeptAnswers
from tests.inventories import HOUR, NOW, polled
from tests.planned import CASES, MINUTE, SAMPLES, Sample


def kept(size: int = 1, basis: tuple[object, ...] = ()) -> Kept:
    return Kept(Ready(bytes(size)), basis, NOW, NOW + HOUR)


def told(match: Match, moment: object) -> tuple[object, ...]:
    return match.state_at(moment), match.until(moment), match.stale_at(moment)  # type: ignore[arg-type]


@CASES
@given(SAMPLES, st.integers(1, 40), st.integers(0, 60), st.integers(0, 60))
def test_until_then_a_node_is_told_alike(samples: list[Sample], interval: int, begin: int, more: int) -> None:
    begun, later = NOW + begin * MINUTE, NOW + (begin + more) * MINUTE
    for match in (sample.match() for sample in samples):
        snapshot = polled(match.node.site_id, poll_interval=interval * MINUTE)
        match = Match(match.node, Observed(snapshot, NOW, NOW), match.known)  # noqa: PLW2901
        good_until = match.good_until(begun)
        assert begun < good_until
        if later < good_until:
            assert told(match, later) == told(match, begun)
        elif good_until < NEVER:
            assert told(match, good_until) != told(match, begun)


def test_an_answer_holds_from_its_making_until_something_changes() -> None:
    answers = KeptAnswers()
    answers.keep("q", kept(basis=(1,)))
    assert answers.get("q", (1,), NOW)
    assert answers.get("q", (1,), NOW + HOUR - timedelta(microseconds=1))
    assert not answers.get("q", (1,), NOW + HOUR)
    assert not answers.get("q", (1,), NOW - timedelta(microseconds=1))
    assert not answers.get("q", (2,), NOW)
    assert not answers.get("r", (1,), NOW)


def test_no_more_is_kept_than_may_be_and_the_oldest_goes_first() -> None:
    answers = KeptAnswers(most_bytes=10)
    for asked, size in (("a", 3), ("b", 3), ("a", 4), ("c", 3)):
        answers.keep(asked, kept(size))
    assert [asked for asked in "abc" if answers.get(asked, (), NOW)] == ["a", "c"]
    answers.keep("d", kept(11))
    assert not any(answers.get(asked, (), NOW) for asked in "abcd")


def test_answers_of_another_basis_are_forgotten_when_one_is_kept() -> None:
    answers = KeptAnswers()
    answers.keep("a", kept(basis=(1,)))
    answers.keep("b", kept(basis=(2,)))
    assert not answers.get("a", (1,), NOW)
    assert answers.get("b", (2,), NOW)

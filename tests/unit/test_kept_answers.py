"""How long an answer is kept that tells states."""

from datetime import timedelta

from aiohttp import web
from aiohttp.web_urldispatcher import SystemRoute
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.availability_map import AvailabilityMap, Observed
from api_service.domain.inventory import InventoryStore
from api_service.domain.node_query import NEVER, Match
from api_service.http.kept_answers import BYTES_BESIDE_A_BODY, MOST_BYTES, Kept, KeptAnswers
from tests.inventories import HOUR, NOW, inventory, polled, site
from tests.planned import CASES, MINUTE, SAMPLES, Sample

INSTANT = timedelta(microseconds=1)


class World:
    """What answers are made of, and those that are kept."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.now = NOW
        self.inventory, self.known = InventoryStore(), AvailabilityMap()
        self.answers = KeptAnswers(self.inventory, self.known, lambda: self.now, most_bytes)

    def keep(self, asked: str, kept: Kept) -> None:
        self.answers.keep((asked,), kept, self.answers.basis)

    def held(self) -> list[str]:
        return [asked for asked in "abcd" if self.answers.get((asked,))]


def kept(size: int = 1, *, shared: bool = False, revision: int | None = None) -> Kept:
    return Kept(
        SystemRoute(web.HTTPNotFound()),
        {"ETag": '"1"'},
        {"ETag": '"1"'},
        bytes(size),
        shared=shared,
        unchanged_since=None,
        revision=revision,
        made_at=NOW,
        good_until=NOW + HOUR,
    )


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
    world = World()
    world.keep("q", kept(revision=0))
    for moment, held in ((NOW, True), (NOW + HOUR - INSTANT, True), (NOW + HOUR, False), (NOW - INSTANT, False)):
        world.now = moment
        assert bool(world.answers.get(("q",))) is held
    world.now = NOW
    assert not world.answers.get(("r",))
    world.known.replace(polled("uc"), received_at=NOW)
    assert not world.answers.get(("q",))


def test_an_answer_that_tells_no_states_outlives_the_polls() -> None:
    world = World()
    world.keep("q", kept(revision=None))
    world.known.replace(polled("uc"), received_at=NOW)
    assert world.answers.get(("q",))


def test_no_more_is_kept_than_may_be_and_the_oldest_goes_first() -> None:
    world = World(most_bytes=3 * BYTES_BESIDE_A_BODY + 13)
    for asked, size in (("a", 3), ("b", 3), ("a", 4), ("c", 3)):
        world.keep(asked, kept(size))
    assert world.held() == ["a", "b", "c"]
    world.keep("c", kept(4))
    assert world.held() == ["a", "c"]


def test_what_is_too_large_by_itself_makes_no_other_go() -> None:
    world = World(most_bytes=3 * BYTES_BESIDE_A_BODY)
    world.keep("a", kept())
    world.keep("b", kept())
    world.keep("b", kept(3 * BYTES_BESIDE_A_BODY))
    assert world.held() == ["a"]


def test_a_body_that_is_in_memory_anyhow_takes_no_more_of_it() -> None:
    world = World(most_bytes=BYTES_BESIDE_A_BODY + 1)
    world.keep("a", kept(10_000, shared=True))
    assert world.held() == ["a"]


def test_nothing_of_an_inventory_outlives_it() -> None:
    world = World()
    before = world.answers.basis
    world.keep("a", kept())
    assert world.inventory.replace(inventory(site("uc")))
    assert world.held() == []
    world.answers.keep(("a",), kept(), before)
    assert world.held() == []

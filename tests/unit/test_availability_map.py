from datetime import timedelta

import pytest

from api_service.domain.availability_map import AvailabilityMap, clipped_segments
from shared.availability import Snapshot
from shared.topology import Subject, Topic, topic_of
from tests.snapshots import HOUR, MINUTE, NOON, flavors, hours, node, site

TACC = Topic("tacc")


def applied(*snapshots: Snapshot) -> AvailabilityMap:
    subject = AvailabilityMap()
    for snapshot in snapshots:
        assert subject.replace(snapshot, received_at=NOON)
    return subject


@pytest.fixture
def empty() -> AvailabilityMap:
    return AvailabilityMap()


def test_nothing_is_known_of_a_site_before_its_first_snapshot(empty: AvailabilityMap) -> None:
    assert not empty.has_synced(TACC)
    assert empty.generation(TACC) is None
    assert empty.node("tacc", "n1") is None
    assert not empty.sites
    assert not empty.flavors


@pytest.mark.parametrize("snapshot", [site(), flavors()])
def test_a_topic_has_synced_once_it_was_read_and_no_other_has(snapshot: Snapshot) -> None:
    subject = applied(snapshot)
    every = [Topic(site_id, each) for site_id in ("tacc", "uc") for each in Subject]
    assert [topic for topic in every if subject.has_synced(topic)] == [topic_of(snapshot)]


def test_a_site_is_replaced_as_a_whole_so_removed_nodes_vanish() -> None:
    subject = applied(site("tacc", 1, node("a"), node("b")), site("tacc", 2, node("b"), follows=1))
    assert subject.node("tacc", "a") is None
    assert subject.node("tacc", "b") is not None


def test_what_was_handed_out_does_not_change_under_its_holder() -> None:
    subject = applied(site("tacc", 1, node("a")))
    before = subject.sites["tacc"]
    subject.replace(site("tacc", 2, node("b"), follows=1), received_at=NOON)
    assert set(before.snapshot.nodes) == {"a"}


@pytest.mark.parametrize(
    ("late", "why"),
    [
        (site(generation=5, follows=4), "a duplicate"),
        (site(generation=4), "older"),
        (site(generation=99, follows=4), "it began before the current one, whatever its clock says"),
        (site(generation=99), "so did who knew of none"),
        (flavors(generation=7, follows=6), "the same for flavors"),
    ],
)
def test_a_late_snapshot_changes_nothing(late: Snapshot, why: str) -> None:
    subject = applied(site(generation=5), flavors(generation=7))
    assert not subject.replace(late, received_at=NOON + HOUR), why
    assert subject.generation(TACC) == 5
    assert subject.sites["tacc"].received_at == NOON


@pytest.mark.parametrize("follows", [5, 6])
def test_a_snapshot_that_knew_of_the_current_one_is_taken(follows: int) -> None:
    assert applied(site(generation=5)).replace(site(generation=7, follows=follows), received_at=NOON)


def test_a_reborn_log_is_believed_whatever_its_generation_as_soon_as_it_tells_nothing_older() -> None:
    subject = applied(site(generation=100, observed_at=NOON))
    subject.forget_generation(TACC)
    assert subject.generation(TACC) is None
    assert subject.has_synced(TACC)
    assert not subject.replace(site(generation=2, observed_at=NOON - HOUR), received_at=NOON + MINUTE)
    assert subject.sites["tacc"].snapshot.generation == 100
    assert subject.replace(site(generation=3, observed_at=NOON), received_at=NOON + MINUTE)
    assert subject.generation(TACC) == 3


def test_data_is_as_old_as_its_observation_and_never_younger_than_its_receipt() -> None:
    subject = AvailabilityMap()
    subject.replace(site(generation=1, observed_at=NOON), received_at=NOON + MINUTE)
    assert subject.sites["tacc"].last_updated == NOON
    subject.replace(site(generation=2, follows=1, observed_at=NOON + HOUR), received_at=NOON + 2 * MINUTE)
    assert subject.sites["tacc"].last_updated == NOON + 2 * MINUTE


def test_the_age_never_jumps_back_when_our_own_clock_does() -> None:
    subject = applied(site(generation=1, observed_at=NOON))
    subject.replace(site(generation=2, follows=1, observed_at=NOON + MINUTE), received_at=NOON - HOUR)
    assert subject.sites["tacc"].last_updated == NOON


def test_data_is_stale_from_three_poll_intervals_on() -> None:
    observed = applied(site(poll_interval=MINUTE)).sites["tacc"]
    assert not observed.stale_at(NOON + 3 * MINUTE - timedelta(microseconds=1))
    assert observed.stale_at(NOON + 3 * MINUTE)


def test_a_dropped_site_is_forgotten_with_its_generation_and_no_other_is() -> None:
    subject = applied(site("tacc", 9), site("uc", 9), flavors("tacc", 9))
    subject.drop(TACC)
    assert set(subject.sites) == {"uc"}
    assert set(subject.flavors) == {"tacc"}
    assert subject.replace(site("tacc", 1), received_at=NOON)
    subject.drop(Topic("never-known"))


def test_the_views_are_read_only_and_live() -> None:
    subject = AvailabilityMap()
    view = subject.sites
    subject.replace(site("tacc"), received_at=NOON)
    assert set(view) == {"tacc"}
    with pytest.raises(TypeError):
        view["uc"] = view["tacc"]  # type: ignore[index]


def test_a_flavors_segments_are_cut_to_the_window() -> None:
    observed = applied(flavors()).flavors["tacc"]
    assert clipped_segments(observed, "m1.large", hours(12, 30)) == ((hours(12, 24), 3, 4), (hours(24, 30), 4, 4))
    assert clipped_segments(observed, "m1.large", hours(48, 60)) == ()
    assert clipped_segments(observed, "unknown", hours(0, 1)) is None


def test_a_copy_for_another_thread_stays_as_it_was() -> None:
    subject = applied(site("tacc"), flavors("tacc"))
    copy = subject.copied()
    subject.replace(site("uc"), received_at=NOON)
    subject.drop(TACC)
    assert set(copy.sites) == set(copy.flavors) == {"tacc"}
    assert copy.generation(TACC) == 1

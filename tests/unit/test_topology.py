import pytest

from shared.topology import (
    DEAD_ARGUMENTS,
    STREAM_ARGUMENTS,
    JobQueueType,
    Subject,
    Topic,
    poll_arguments,
    topic_of,
    wait_arguments,
)
from tests.snapshots import flavors, site

SITE = Topic("tacc")
FLAVORS = Topic("tacc", Subject.FLAVORS)
CLASSIC, QUORUM = JobQueueType


def test_names_are_those_that_are_documented() -> None:
    assert (SITE.stream, FLAVORS.stream) == ("availability.site.tacc.v1", "availability.flavors.tacc.v1")
    assert (SITE.routing_key, FLAVORS.routing_key) == ("site.tacc", "flavors.tacc")
    assert (SITE.poll_queue(CLASSIC), SITE.wait_queue(CLASSIC)) == (
        "sync.poll.tacc.classic.v1",
        "sync.wait.tacc.classic.v1",
    )
    assert FLAVORS.poll_queue(QUORUM) == "sync.poll.flavors.tacc.quorum.v1"


def test_no_two_topics_share_a_name() -> None:
    topics = [Topic(site_id, subject) for site_id in ("tacc", "uc", "flavors", "site") for subject in Subject]
    names = [
        name for topic in topics for kind in JobQueueType for name in (topic.poll_queue(kind), topic.wait_queue(kind))
    ]
    names += [topic.stream for topic in topics] + [topic.routing_key for topic in topics]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("site_id", ["tacc", "0", "kvm-tacc", "a_b", "x" * 64])
def test_a_sound_site_id_names_a_topic(site_id: str) -> None:
    assert site_id in Topic(site_id).stream


@pytest.mark.parametrize(
    "site_id", ["", "-a", "_a", "TACC", "a.b", "a/b", "a b", "*", "#", "é", "٣", "a\n", "a\x00", "x" * 65]
)
def test_an_odd_site_id_names_nothing(site_id: str) -> None:
    with pytest.raises(ValueError, match="cannot name a queue"):
        Topic(site_id)


def test_the_longest_name_is_one_that_amqp_takes() -> None:
    longest = Topic("x" * 64, Subject.FLAVORS)
    names = [longest.stream, longest.poll_queue(QUORUM), longest.wait_queue(QUORUM)]
    assert max(map(len, names)) < 128


def test_a_snapshot_knows_its_topic() -> None:
    assert topic_of(site("tacc")) == SITE
    assert topic_of(flavors("tacc")) == FLAVORS


def test_every_queue_is_bounded_and_says_its_type() -> None:
    for kind in JobQueueType:
        for arguments in (poll_arguments(kind), wait_arguments(SITE, kind)):
            assert arguments["x-queue-type"] == kind
            assert arguments["x-max-length"] == 1
    for arguments in (STREAM_ARGUMENTS, DEAD_ARGUMENTS):
        assert arguments["x-queue-type"] in {"stream", "classic"}
        assert int(arguments["x-max-length-bytes"]) <= 64_000_000


def test_the_newest_segment_of_a_stream_is_a_small_part_of_it() -> None:
    whole, segment = (STREAM_ARGUMENTS[f"x-{name}-bytes"] for name in ("max-length", "stream-max-segment-size"))
    assert int(segment) * 4 <= int(whole)
    assert "x-max-age" not in STREAM_ARGUMENTS


@pytest.mark.parametrize("kind", JobQueueType)
def test_a_waiting_token_becomes_due_in_the_poll_queue_of_its_topic_and_a_second_is_refused(kind: JobQueueType) -> None:
    arguments = wait_arguments(FLAVORS, kind)
    assert arguments["x-dead-letter-exchange"] == ""
    assert arguments["x-dead-letter-routing-key"] == FLAVORS.poll_queue(kind)
    assert arguments["x-overflow"] == "reject-publish"


def test_a_quorum_queue_drops_no_token_however_often_it_is_delivered() -> None:
    assert int(poll_arguments(QUORUM)["x-delivery-limit"]) >= 1_000_000
    assert int(wait_arguments(SITE, QUORUM)["x-delivery-limit"]) >= 1_000_000


def test_no_queue_keeps_hold_of_a_token_that_it_cannot_pass_on() -> None:
    assert "x-dead-letter-strategy" not in wait_arguments(SITE, QUORUM)


def test_only_quorum_queues_count_deliveries() -> None:
    assert "x-delivery-limit" not in poll_arguments(CLASSIC)

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import messages
from shared.availability import MAX_GENERATION, Interval, NodeAvailability, SiteAvailability, SiteFlavors, Snapshot
from shared.messages import (
    Envelope,
    NewerMessageError,
    TooLargeMessageError,
    UnusableMessageError,
    decode,
    encode,
    heading_of,
)
from tests.snapshots import HOUR, NOON, flavors, hours, node, site

MEGABYTE = 1024 * 1024


def body_of(envelope: Envelope) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(zlib.decompress(envelope.body))
    return body


def message(snapshot: Snapshot | None = None) -> Envelope:
    return encode(snapshot or site("tacc", 7, node("n1", hours(0, 1)), follows=6), source="/test")


def with_body(change: Mapping[str, object], snapshot: Snapshot | None = None) -> Envelope:
    envelope = message(snapshot)
    return replace(envelope, body=zlib.compress(json.dumps({**body_of(envelope), **change}).encode()))


def with_headers(**change: str) -> Envelope:
    named = {f"cloudEvents:{name}": value for name, value in change.items()}
    return replace(message(), headers={**message().headers, **named})


MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - zones are added
INTERVALS = st.lists(MOMENTS, min_size=2, max_size=2, unique=True).map(lambda pair: Interval(min(pair), max(pair)))
NODES = st.builds(
    NodeAvailability,
    st.text(min_size=1, max_size=255).filter(lambda text: text.isprintable()),
    st.lists(INTERVALS, max_size=4).map(tuple),
    maintenance=st.booleans(),
    unreadable=st.booleans(),
)
SITES = st.builds(
    SiteAvailability,
    site_id=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    generation=st.integers(2**40, MAX_GENERATION),
    follows=st.none() | st.integers(0, 2**40 - 1),
    observed_at=MOMENTS,
    hosts_observed_at=MOMENTS,
    poll_interval=st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
    nodes=st.lists(NODES, max_size=4).map(lambda nodes: {each.node_id: each for each in nodes}),
)


@given(SITES)
def test_what_is_encoded_is_what_is_decoded(snapshot: SiteAvailability) -> None:
    assert decode(message(snapshot)) == snapshot


def test_flavors_survive_too() -> None:
    assert decode(message(flavors())) == flavors()


def test_a_message_is_a_cloud_event_with_scalar_headers_only() -> None:
    envelope = message(site("tacc", 7))
    assert envelope.headers == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "tacc-7",
        "cloudEvents:type": "reference-api.availability.site.v1",
        "cloudEvents:source": "/test",
        "cloudEvents:subject": "tacc",
        "cloudEvents:time": "2026-11-22T12:00:00+00:00",
        "cloudEvents:sequence": "00000000000000000007",
    }
    assert (envelope.content_type, envelope.content_encoding) == ("application/json", "deflate")
    assert envelope.message_id == "tacc-7"


def test_no_two_messages_share_an_id() -> None:
    ids = [message(each).message_id for each in (site("tacc", 7), flavors("tacc", 7), site("tacc", 8), site("uc", 7))]
    assert len(set(ids)) == 4


def test_a_message_holds_facts_about_nodes_and_nothing_about_people() -> None:
    (only,) = body_of(message())["nodes"]
    assert set(only) == {"node_id", "maintenance", "reservations", "unreadable"}
    assert set(only["reservations"][0]) == {"start", "end"}


def test_fields_and_headers_of_later_writers_are_ignored() -> None:
    later = with_body({"colour": "blue"})
    assert decode(replace(later, headers={**later.headers, "cloudEvents:colour": "blue"})) == decode(message())


def test_an_uncompressed_body_is_read() -> None:
    plain = json.dumps(body_of(message())).encode()
    assert decode(replace(message(), body=plain, content_encoding=None)) == decode(message())


def test_times_of_any_offset_are_read_as_utc() -> None:
    east = (NOON + HOUR).astimezone(timezone(9.5 * HOUR)).isoformat()
    decoded = decode(with_body({"observed_at": east}))
    assert decoded.observed_at.isoformat() == "2026-11-22T13:00:00+00:00"


@pytest.mark.parametrize(
    "change",
    [
        {"site_id": "../etc"},
        {"site_id": "TACC"},
        {"site_id": "x" * 65},
        {"generation": -1},
        {"generation": 2**63},
        {"generation": "many"},
        {"follows": -1},
        {"follows": 7},
        {"observed_at": "2026-11-22T12:00:00"},
        {"observed_at": "0001-01-01T00:00:00+14:00"},
        {"observed_at": "9999-12-31T23:59:59-14:00"},
        {"observed_at": "yesterday"},
        {"poll_interval_seconds": 0},
        {"poll_interval_seconds": 1e9},
        {"poll_interval_seconds": "NaN"},
        {"node_count": 2},
        {"node_count": 2, "nodes": [{"node_id": "n1"}, {"node_id": "n1"}]},
        {"node_count": 1, "nodes": [{"node_id": ""}]},
        {"node_count": 1, "nodes": [{"node_id": "x" * 256}]},
        {"node_count": 1, "nodes": [{"node_id": "n1", "reservations": [{"start": "2026-11-22T12:00Z"}]}]},
        {"nodes": None},
    ],
)
def test_a_body_that_breaks_a_rule_is_unusable(change: Mapping[str, object]) -> None:
    with pytest.raises(UnusableMessageError):
        decode(with_body(change))


@pytest.mark.parametrize("end", ["2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z"])
def test_an_empty_or_reversed_reservation_is_unusable(end: str) -> None:
    broken = {"node_id": "n1", "reservations": [{"start": "2026-11-22T12:00:00Z", "end": end}]}
    with pytest.raises(UnusableMessageError, match="an interval ends after it starts"):
        decode(with_body({"nodes": [broken]}))


def test_an_error_never_repeats_what_the_message_held() -> None:
    secret = "s3cret-lease-name"
    with pytest.raises(UnusableMessageError) as unusable:
        decode(with_body({"site_id": secret.upper(), "generation": secret, "observed_at": secret}))
    assert secret not in str(unusable.value).lower()
    assert "generation" in str(unusable.value)
    assert unusable.value.__suppress_context__


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(b"", {}),
        with_headers(specversion="0.3"),
        with_headers(type="com.example.other"),
        with_headers(type="reference-api.availability.other.v1"),
        with_headers(type="reference-api.availability.site.v0"),
        with_headers(type="reference-api.availability.site.v1 "),
        with_headers(type="reference-api.availability.site.v" + "9" * 5000),
        with_headers(type="reference-api.availability.site.v٢"),
        replace(message(), content_type="text/plain"),
        replace(message(), content_type=None),
        replace(message(), content_encoding="gzip"),
        replace(message(), body=b""),
        replace(message(), body=b"\x00garbage"),
        replace(message(), body=message().body[:-5]),
        replace(message(), body=zlib.compress(b"[]")),
        replace(message(), body=zlib.compress(b"[" * 100_000)),
        replace(message(), body=zlib.compress(b"\xff\xfe")),
        replace(message(flavors()), headers=message().headers),
    ],
)
def test_whatever_is_no_message_of_ours_is_unusable(envelope: Envelope) -> None:
    with pytest.raises(UnusableMessageError):
        decode(envelope)


@pytest.mark.parametrize("version", [2, 10, 9999])
def test_a_later_version_of_a_known_type_is_left_to_later_readers(version: int) -> None:
    with pytest.raises(NewerMessageError, match=f"site.v{version}"):
        decode(with_headers(type=f"reference-api.availability.site.v{version}"))


def test_a_body_that_swells_beyond_the_bound_is_unusable() -> None:
    bomb = zlib.compress(b" " * (messages.MAX_BODY_BYTES + 1))
    assert len(bomb) < MEGABYTE
    for envelope in (
        replace(message(), body=bomb),
        replace(message(), body=b" " * (messages.MAX_BODY_BYTES + 1), content_encoding=None),
    ):
        with pytest.raises(UnusableMessageError, match="too large"):
            decode(envelope)


HEADER_VALUES = st.text(max_size=40) | st.integers() | st.sampled_from(sorted(messages.MESSAGES)) | st.just("1.0")


@given(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(sorted(message().headers)) | st.text(max_size=10), HEADER_VALUES),
    st.sampled_from([None, "application/json", "text/plain"]),
    st.sampled_from([None, "deflate", "gzip"]),
)
def test_no_message_whatever_it_is_raises_anything_else(
    body: bytes, headers: dict[str, str | int], content_type: str | None, content_encoding: str | None
) -> None:
    envelope = Envelope(body, headers, content_type=content_type, content_encoding=content_encoding)
    heading_of(envelope)
    try:
        decode(envelope)
    except (UnusableMessageError, NewerMessageError):
        pass
    else:
        raise AssertionError("nonsense was decoded")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(body_of(message()))), inner),
    )
)
def test_no_json_whatever_it_is_raises_anything_else(content: object) -> None:
    with suppress(UnusableMessageError):
        decode(replace(message(), body=zlib.compress(json.dumps(content).encode())))


def test_a_heading_is_known_without_the_body() -> None:
    heading = heading_of(replace(message(flavors("tacc", 7)), body=b"unread"))
    assert heading
    assert (heading.generation, heading.observed_at) == (7, NOON)


@pytest.mark.parametrize(
    "headers",
    [
        {"sequence": ""},
        {"sequence": "-1"},
        {"sequence": "1e3"},
        {"sequence": "9" * 20},
        {"sequence": "9" * 5000},
        {"type": "com.example.other"},
        {"time": "yesterday"},
        {"time": "2026-11-22T12:00:00"},
    ],
)
def test_headers_that_are_not_ours_are_no_heading(headers: Mapping[str, str]) -> None:
    assert heading_of(with_headers(**headers)) is None


def test_a_snapshot_that_could_not_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="generation is not above follows"):
        message(site(generation=7, follows=7))


def test_a_message_of_a_large_site_is_small() -> None:
    large = site("tacc", 1, *(node(f"00000000-0000-0000-0000-{each:012d}", hours(0, 1)) for each in range(1000)))
    assert len(message(large).body) < 100_000
    assert isinstance(decode(message(flavors())), SiteFlavors)


def test_a_snapshot_that_is_too_large_for_readers_or_brokers_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    many = site("tacc", 7, *(node(f"n{number}", hours(0, 1)) for number in range(100)))
    size, deflated = len(zlib.decompress(message(many).body)), len(message(many).body)
    for name, most in (("MAX_BODY_BYTES", size), ("MAX_MESSAGE_BYTES", deflated)):
        with monkeypatch.context() as patch:
            patch.setattr(messages, name, most)
            assert decode(message(many)) == many
            patch.setattr(messages, name, most - 1)
            with pytest.raises(TooLargeMessageError, match=f"{size} bytes"):
                message(many)

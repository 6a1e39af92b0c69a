"""A site's bodies, which are written and read node by node, are what the models of `shared.wire` write and read."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.availability import SiteAvailability
from shared.site_bodies import SiteBodies, site_body
from shared.wire import SiteAvailabilityMessage
from tests.snapshots import hours, node, site
from tests.unit.test_messages import SITES

MANY = [node(f"n{number}", hours(number, number + 1)) for number in range(9)]
COMPACT = {"separators": (",", ":")}


def by_models(body: bytes) -> SiteAvailability | None:
    """None if it is refused."""
    try:
        return SiteAvailabilityMessage.model_validate_json(body).to_domain()
    except ValueError:
        return None


def by_nodes(body: bytes, bodies: SiteBodies | None = None) -> SiteAvailability | None:
    try:
        return (bodies or SiteBodies()).read(body)
    except ValueError:
        return None


@given(SITES)
def test_what_is_written_is_what_the_models_write(snapshot: SiteAvailability) -> None:
    assert site_body(snapshot) == SiteAvailabilityMessage.from_domain(snapshot).model_dump_json().encode()


@given(SITES, SITES)
def test_what_was_read_before_changes_nothing_of_what_is_read(before: SiteAvailability, now: SiteAvailability) -> None:
    bodies = SiteBodies()
    bodies.read(site_body(before))
    mixed = replace(now, nodes={**before.nodes, **now.nodes})
    assert bodies.read(site_body(now)) == now
    assert bodies.read(site_body(mixed)) == mixed


@pytest.mark.parametrize(
    "nodes",
    [
        [node("")],
        [node("x" * 256)],
    ],
)
def test_what_readers_would_refuse_is_not_written(nodes: list[Any]) -> None:
    with pytest.raises(ValueError, match="node ids"):
        site_body(site("tacc", 1, *nodes))
    twice = replace(site(), nodes={"a": node("n"), "b": node("n", hours(0, 1))})
    with pytest.raises(ValueError, match="node ids"):
        site_body(twice)


def test_a_node_that_is_told_as_before_is_the_same_object_and_so_are_all_nodes_if_none_is_told_otherwise() -> None:
    bodies = SiteBodies()
    first = bodies.read(site_body(site("tacc", 1, *MANY)))
    second = bodies.read(site_body(site("tacc", 2, *MANY)))
    assert second.generation == 2
    assert second.nodes is first.nodes
    changed = bodies.read(site_body(site("tacc", 3, *MANY[:-1], node("n8", hours(0, 1)))))
    assert changed.nodes is not second.nodes
    assert [each is second.nodes[node_id] for node_id, each in changed.nodes.items()] == [True] * 8 + [False]
    assert changed.nodes["n8"] == node("n8", hours(0, 1))


def test_nodes_that_come_or_go_are_noticed_though_all_others_are_told_as_before() -> None:
    bodies = SiteBodies()
    for nodes in (MANY, MANY[:-1], MANY, [], MANY[::-1], MANY):
        snapshot = replace(site("tacc", 1), nodes={each.node_id: each for each in nodes})
        read = bodies.read(site_body(snapshot))
        assert read == snapshot
        assert list(read.nodes) == [each.node_id for each in nodes]


def test_a_message_that_is_refused_leaves_what_was_read_before_as_it_was() -> None:
    bodies = SiteBodies()
    before = bodies.read(site_body(site("tacc", 1, *MANY)))
    broken = site_body(site("tacc", 2, *MANY)).replace(b'"node_count":9', b'"node_count":8')
    with pytest.raises(ValueError, match="node_count does not match"):
        bodies.read(broken)
    assert bodies.read(site_body(site("tacc", 3, *MANY))).nodes is before.nodes


ODD_NODES: list[dict[str, Any]] = [
    {"node_id": '},{"node_id":"n2"'},
    {"node_id": '"nodes":['},
    {"node_id": "n1", "extra": [{"node_id": "n2"}, {"node_id": "n3"}]},
    {"node_id": "n1", "extra": {"nodes": []}},
    {"extra": 1, "node_id": "n1"},
    {"node_id": "n1", "reservations": [{"start": "2026-11-22T12:00:00+02:00", "end": "2026-11-23T12:00:00Z"}]},
    {"node_id": "n1", "reservations": [{"start": 5, "end": 6}]},
    {"node_id": 1},
    {},
]


@pytest.mark.parametrize("odd", ODD_NODES, ids=str)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_odd_nodes_are_read_as_the_models_read_them(odd: dict[str, Any], place: int) -> None:
    body = json.loads(site_body(site("tacc", 1, node("a"), node("b"))))
    body["nodes"].insert(place, odd)
    for count in (2, 3, 4, 5):
        for form in (COMPACT, {}):
            text = json.dumps({**body, "node_count": count}, **form).encode()  # type: ignore[arg-type]
            assert by_nodes(text) == by_models(text)


USUAL = site_body(site("tacc", 1, node("a", hours(0, 1), hours(2, 3))))
START = "2026-11-22T08:00:00Z"


def moments(start: str, end: str) -> bytes:
    """Of a node with one booking."""
    booked = (
        f'{{"node_id":"a","maintenance":false,"reservations":[{{"start":"{start}","end":"{end}"}}],"unreadable":false}}'
    )
    return site_body(site("tacc", 1, node("a"))).partition(b'{"node_id"')[0] + booked.encode() + b"]}"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, "2026-11-22T08:00:01Z"),
        (START, "2026-11-22T08:00:00.000001Z"),
        (START, "2026-11-22T08:00:00.1Z"),
        (START, "2026-11-22T08:00:00.1234567Z"),
        (START, START),
        ("2026-11-22T08:00:01Z", START),
        (START, "2026-11-23T24:00:00Z"),
        (START, "2026-11-23T23:60:00Z"),
        (START, "2026-11-23T23:59:60Z"),
        (START, "2026-11-31T08:00:00Z"),
        (START, "2026-W48-1T08:00:00Z"),
        (START, "20261123T08:00:00Z"),
        (START, "2026-11-23T080000Z"),
        (START, "2026-11-23 08:00:00Z"),
        (START, "2026-11-23T08:00:00z"),
        (START, "2026-11-23T08:00Z"),
        (START, "2026-11-23T08:00:00"),
        (START, "2026-11-23T08:00:00+02:00"),
        (START, "٢026-11-23T08:00:00Z"),
        ("0000-01-01T00:00:00Z", START),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        (START, "0"),
    ],
)
def test_a_moment_is_read_or_refused_as_the_models_do(start: str, end: str) -> None:
    assert by_nodes(moments(start, end)) == by_models(moments(start, end))


@pytest.mark.parametrize(
    "node_id",
    ["x", "x" * 255, "x" * 256, "ü" * 255, "🦉" * 255, "", r"\u00fc", r"\"", "\\\\", "\t", "\x7f", "\ud83e", "a b"],
)
def test_an_id_is_read_or_refused_as_the_models_do(node_id: str) -> None:
    text = USUAL.replace(b'"node_id":"a"', b'"node_id":"' + node_id.encode(errors="surrogatepass") + b'"')
    assert by_nodes(text) == by_models(text)


@given(st.integers(0, len(USUAL) - 1), st.sampled_from([b"", b'"', b"0", b"9", b"Z", b",", b"}", b" ", b"\xff", b"\\"]))
def test_no_byte_of_a_usual_body_can_be_another_without_the_models_having_a_say(place: int, byte: bytes) -> None:
    text = USUAL[:place] + byte + USUAL[place + 1 :]
    assert by_nodes(text) == by_models(text)


HEAD = site_body(site("tacc", 1, node("a"))).partition(b'"nodes"')[0]
ONE = b'"nodes":[{"node_id":"a"}]'


@pytest.mark.parametrize(
    "text",
    [
        HEAD + ONE + b"}",
        HEAD + ONE + b" }",
        HEAD + ONE + b',"x":[]}',
        HEAD + ONE + b"," + ONE + b"}",
        HEAD + b'"nodes":[],' + ONE + b"}",
        HEAD + b'"x":{"nodes":[]},' + ONE + b"}",
        HEAD + b'"x":{' + ONE + b"}}",
        HEAD + b'"x":[{' + ONE + b"}]}",
        HEAD + b'"nodes":[{"node_id":"a"},]}',
        HEAD + b'"nodes":[,{"node_id":"a"}]}',
        HEAD + b'"nodes":[{"node_id":"a"}{"node_id":"b"}]}',
        HEAD + b'"nodes":[[{"node_id":"a"}]]}',
        HEAD + b'"nodes":[{"node_id":"a","x":[{"node_id":"b"}]},{"node_id":"c"}]}',
        HEAD + b'"nodes":[{"node_id":"a"}]}}',
        HEAD + b'"nodes":[{"node_id":"a"',
        HEAD + b'"nodes":[]}',
        ONE,
        b"]}",
        b'"nodes":[]}',
    ],
)
def test_texts_of_another_form_are_read_or_refused_as_the_models_do(text: bytes) -> None:
    bodies = SiteBodies()
    bodies.read(site_body(site("tacc", 1, node("a"), node("b"), node("c"))))
    assert by_nodes(text) == by_nodes(text, bodies) == by_models(text)


PIECES = st.sampled_from(
    [b'{"node_id":', b'"a"', b'"b"', b"}", b"]", b"[", b",", b'"nodes":[', b'"x":', b"{", b"\\", b'"', b" ", b"1"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.booleans())
def test_no_text_is_read_otherwise_than_the_models_do(text: bytes, ended: bool) -> None:
    whole = HEAD + b'"nodes":[{"node_id":' + text + (b"]}" if ended else b"")
    assert by_nodes(whole) == by_models(whole)

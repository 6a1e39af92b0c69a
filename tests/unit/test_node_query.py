"""Filters of a search, asked of single nodes."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import Node
from api_service.domain.node_conditions import Condition, UnknownFieldsError
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import NodeQuery, WindowInThePastError, future_part, match_of, ordered, search
from shared.availability import AvailabilityState, Interval
from tests.inventories import HOUR, NOW, booked, node_document, node_of, polled

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gpu", "ram_size", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def node(uid: str = "n", **fields: Any) -> Node:
    return node_of("uc", "main", uid, node_document(uid, **fields))


def fits(query: NodeQuery, *nodes: Node) -> bool:
    return query.fitting(NodeIndex(nodes)) == 1


@given(st.dictionaries(st.sampled_from(["gpu", "infiniband", "main_memory", "architecture", "node_type"]), JSON))
def test_no_shape_of_a_document_breaks_a_filter(fields: dict[str, Any]) -> None:
    subject = node_of("uc", "main", "n", fields)
    asked = [
        NodeQuery(gpu=frozenset({True})),
        NodeQuery(gpu=frozenset({False})),
        NodeQuery(min_ram=1),
        NodeQuery(archs=frozenset({"x86_64"})),
        NodeQuery(node_types=frozenset({"x"})),
    ]
    answers = [fits(query, subject) for query in asked]
    assert answers[0] is not answers[1]


@pytest.mark.parametrize(
    ("ram", "enough"), [(2**37, True), (2**37 - 1, False), (None, False), ("lots", False), (True, False), (1e12, True)]
)
def test_memory_is_compared_as_a_number_or_not_at_all(ram: object, *, enough: bool) -> None:
    assert fits(NodeQuery(min_ram=2**37), node(main_memory={"ram_size": ram})) is enough


def test_a_flag_counts_only_when_it_is_true() -> None:
    wanted = NodeQuery(infiniband=frozenset({True}))
    assert [fits(wanted, node(infiniband=value)) for value in (True, False, None, "yes", 1)] == [True, *[False] * 4]


def test_what_is_unknown_is_never_free_for_a_window() -> None:
    known = AvailabilityMap()
    query = NodeQuery(window=Interval(NOW + HOUR, NOW + 2 * HOUR))
    assert search(NodeIndex([node()]), known, query, NOW) == []
    known.replace(polled("uc", booked(node_id="other")), received_at=NOW)
    assert search(NodeIndex([node()]), known, query, NOW) == []
    known.replace(polled("uc", booked(unreadable=True), generation=2), received_at=NOW)
    assert search(NodeIndex([node()]), known, query, NOW) == []
    known.replace(polled("uc", booked(maintenance=True), generation=3), received_at=NOW)
    assert search(NodeIndex([node()]), known, query, NOW) == []
    known.replace(polled("uc", booked(), generation=4), received_at=NOW)
    assert [match.node.uid for match in search(NodeIndex([node()]), known, query, NOW)] == ["n"]


def test_a_node_of_which_nothing_is_known_is_unknown_and_stale() -> None:
    match = match_of(node(), AvailabilityMap())
    assert match.state_at(NOW) is AvailabilityState.UNKNOWN
    assert (match.until(NOW), match.stale_at(NOW), match.last_updated) == (None, True, None)


def test_results_are_in_the_same_order_wherever_they_come_from() -> None:
    nodes = [node_of(site, cluster, "n", {"uid": "n"}) for site in "ba" for cluster in "dc"]
    nodes.append(node_of("z", "z", "a", {"uid": "a"}))
    found = search(NodeIndex(nodes), AvailabilityMap(), NodeQuery(), NOW)
    assert [(each.node.uid, each.node.site_id, each.node.cluster_id) for each in found] == [
        ("a", "z", "z"), ("n", "a", "c"), ("n", "a", "d"), ("n", "b", "c"), ("n", "b", "d"),
    ]  # fmt: skip


def test_what_lies_before_now_is_cut_off_a_window() -> None:
    window = Interval(NOW - HOUR, NOW + HOUR)
    assert future_part(window, NOW) == Interval(NOW, NOW + HOUR)
    assert future_part(window, NOW - 2 * HOUR) == window
    with pytest.raises(WindowInThePastError, match="past"):
        future_part(window, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (NodeQuery(), "abc"),
        (NodeQuery(words=("epyc",)), "a"),
        (NodeQuery(words=("sgx", "intel")), "b"),
        (NodeQuery(words=("uc", "main")), "abc"),
        (NodeQuery(words=("node_type",)), ""),
        (NodeQuery(words=("epyc compute",)), ""),
        (NodeQuery(conditions=(Condition.of("processor__ic", ["intel"]), Condition.of("size__gt", ["1"]))), "c"),
        (NodeQuery(words=("intel",), conditions=(Condition.of("size__n", ["2"]),)), "b"),
    ],
)
def test_words_and_conditions_are_all_to_be_met(query: NodeQuery, expected: str) -> None:
    index = NodeIndex(
        [
            node("a", processor="AMD EPYC"),
            node("b", processor="Intel", notes=[{"text": "has SGX"}], size=1),
            node("c", processor="Intel", size=2),
        ]
    )
    assert "".join(match.node.uid for match in search(index, AvailabilityMap(), query, NOW)) == expected


def test_all_unknown_fields_are_told_at_once() -> None:
    query = NodeQuery(conditions=tuple(Condition.of(name, ["1"]) for name in ("nope", "uid", "no.way")))
    with pytest.raises(UnknownFieldsError) as caught:
        query.fitting(NodeIndex([node()]))
    assert caught.value.asked == (("nope", "nope"), ("no.way", "no.way"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["size"], "dabcef"),
        (["-size"], "cabdef"),
        (["-gpu", "size"], "bdacef"),
        (["uid"], "abcdef"),
        (["-uid"], "fedcba"),
        (["site_id", "-uid"], "fedcba"),
        (["availability", "-uid"], "afedcb"),
        (["-availability"], "bcdefa"),
        (["availability_until"], "abcdef"),
    ],
)
def test_matches_are_sorted_by_fields_and_those_without_come_last(names: list[str], expected: str) -> None:
    nodes = [
        node("a", size=[2, 3]),
        node("b", size=2, gpu={"gpu": True}),
        node("c", size="big"),
        node("d", size=1.5),
        node("e", size=None),
        node("f"),
    ]
    known = AvailabilityMap()
    known.replace(polled("uc", booked((1, 2), node_id="a")), received_at=NOW)
    found = search(NodeIndex(nodes), known, NodeQuery(), NOW)
    assert "".join(match.node.uid for match in ordered(found, names, NOW)) == expected

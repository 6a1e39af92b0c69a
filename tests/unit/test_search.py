"""Which searches are done on the event loop, and which in the turns of costly work."""

from typing import Any

import pytest

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.node_conditions import UnknownFieldsError
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import FILTERED
from api_service.http.filters import node_query
from api_service.http.handlers.search import MOST_LOOKS, Search
from api_service.http.queries import SearchQuery
from shared.availability import Interval
from tests.inventories import HOUR, NOW, node_document, node_of

WINDOW = Interval(NOW + HOUR, NOW + 2 * HOUR)


def searched(index: NodeIndex, window: Interval | None = None, **asked: Any) -> Search:
    query = SearchQuery.model_validate(asked)
    return Search(index, AvailabilityMap(), node_query(query, window), query, NOW)


def indexed(size: int) -> NodeIndex:
    """So many nodes, whose usual fields are indexed."""
    index = NodeIndex(node_of("uc", "main", f"n{number}", node_document(f"n{number}")) for number in range(size))
    index.prepare([*FILTERED, ("uid",), ("node_name",), ("gpu",)])
    return index


@pytest.mark.parametrize(
    ("size", "asked", "long"),
    [
        (500, {}, False),
        (500, {"limit": "100", "sort": ["node_type"]}, False),
        (500, {"limit": "100", "sort": ["node_type", "node_name"]}, True),
        (500, {"sort": ["uid"] * 20}, True),
        (500, {"facets": ["node_type", "uid", "availability"], "limit": "1"}, False),
        (500, {"uid__ic": ["x"], "limit": "1"}, False),
        (500, {"uid__ic": ["x"] * 200, "limit": "1"}, True),
        (500, {"uid": ["x"] * 200, "limit": "1"}, False),
        (500, {"not_asked_before": ["x"]}, True),
        (500, {"fields": ["placement.rack"]}, True),
        (500, {"sort": ["-placement.rack"]}, True),
        (500, {"facets": ["placement.rack"]}, True),
        (5000, {}, True),
        (5000, {"limit": "100"}, False),
        (5000, {"limit": "1", "availability": ["available"]}, True),
        (5000, {"uid": ["n7"], "availability": ["available"], "sort": ["uid"], "fields": ["gpu"]}, False),
        (5000, {"uid": ["nobody"]}, False),
        (5000, {"facets": ["uid"], "limit": "1"}, True),
        (5000, {"uid__gte": ["n1"], "limit": "1"}, True),
    ],
)
def test_what_goes_through_much_is_not_done_on_the_loop(size: int, asked: dict[str, Any], long: bool) -> None:
    assert searched(indexed(size), **asked).takes_long() is long


def test_a_window_is_asked_of_each_node_that_is_left() -> None:
    index = indexed(MOST_LOOKS + 1)
    assert searched(index, WINDOW, limit="1").takes_long()
    assert not searched(index, WINDOW, uid=["n7"], limit="1").takes_long()


def test_words_are_looked_for_on_the_loop_once_all_texts_have_been_gathered() -> None:
    index = indexed(500)
    asked = searched(index, q="skylake", limit="1")
    assert asked.takes_long()
    asked.rows()
    assert not asked.takes_long()
    assert searched(index, q="a b c d e", limit="1").takes_long()


def test_a_field_that_no_node_has_is_looked_for_off_the_loop_each_time_unless_it_was_prepared() -> None:
    index = indexed(3)
    asked = searched(index, nobody_has_it=["x"])
    for _ in range(2):
        assert asked.takes_long()
        with pytest.raises(UnknownFieldsError):
            asked.rows()
    index.prepare([("nobody_has_it",)])
    assert not index.field(("nobody_has_it",)).known
    assert index.has(("nobody_has_it",))

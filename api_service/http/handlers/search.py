"""Which nodes fit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.facets import Facet, facets, sorted_counts
from api_service.domain.inventory import NODE_OWN_KEYS, Node, Path
from api_service.domain.node_conditions import check_known, check_valued
from api_service.domain.node_fields import path_of, selected
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import NEVER, STATE_FIELDS, Match, NodeQuery, matches_of, matching, ordered
from api_service.http.bodies import Bodies, dumps
from api_service.http.costly import COSTLY
from api_service.http.filters import explained, node_query
from api_service.http.openapi import documented
from api_service.http.problems import BadParametersError
from api_service.http.queries import NO_FILTERS, SearchQuery
from api_service.http.ready import Ready
from api_service.http.representation import bodies_of
from api_service.http.requests import (
    answer,
    asked_of,
    bodies_at,
    future_window,
    query_as,
    refuse_with_travel,
)
from api_service.http.schemas import SearchBody
from shared.availability import AvailabilityState, Interval

MOST_LOOKS: Final = 2000
"""Single looks at nodes, values and texts on the event loop in one go: they take some 5 µs each at most."""

LOOKS_OF_AN_ITEM: Final = 3
"""What it takes to write one item of an answer."""

LOOKS_TO_SORT: Final = 3
"""What it takes to look at a field of one node."""

STATES: Final = frozenset({"availability", "availability_now"})
"""Fields whose values are states of nodes."""


@documented(returns=SearchBody, query=SearchQuery, tag="search")
async def search_nodes(request: web.Request) -> web.Response:
    """Nodes of all sites by any field, by words, by state, and by a window in which they can be reserved throughout.

    With a window, `availability` is the state throughout it, and `availability_now` that of now.

    Any parameter that is not listed is a condition of a field by dotted path, such as `processor.model__ic=EPYC`; one
    of a field that no node has is refused, so that a misspelt filter never answers everything. Where a commit is asked
    for, every node is `unknown`, and may be searched by its hardware only.
    """
    query, now = query_as(SearchQuery, request), request.app[keys.CLOCK]()
    refuse_with_travel(query, "availability", "availability_now", "start", "end")
    bodies = await bodies_at(request, query)
    ready, good_until = await _searched(request, query, bodies, now)
    return answer(query, bodies, ready, good_until=good_until)


async def _searched(request: web.Request, query: SearchQuery, bodies: Bodies, now: datetime) -> tuple[Ready, datetime]:
    """The answer, and from when on time alone may make it another."""
    window, costly = _window(query.start, query.end, now), request.app[COSTLY]
    wanted = node_query(query, window)
    # Of a plan, which has no window, it would mean the state of now.
    dropped = NO_FILTERS | ({"availability"} if window else set())
    links = bodies.links.search([(name, value) for name, value in asked_of(request) if name not in dropped])

    def page(asked: Search) -> tuple[Ready, datetime]:
        rows = asked.rows()
        matches = list(asked.part(rows))
        items = [_item(match, bodies, query.fields, window, now) for match in matches]
        found = bodies.part(items, links, query, asked_of(request), total=rows.bit_count())
        more = {"facets": asked.facets(rows)} if query.facets else {}
        return Ready(dumps(found | more)), asked.good_until(matches)

    def page_of_another_commit(known: AvailabilityMap) -> tuple[Ready, datetime]:
        # Its index is made for this answer: what is kept of the past has its bounds.
        asked = Search(NodeIndex(bodies.inventory.nodes()), known, wanted, query, now)
        return explained(SearchQuery, asked.index, partial(page, asked))()

    live = request.app[keys.AVAILABILITY]
    if bodies is not bodies_of(request):
        known = AvailabilityMap() if query.given() else live.copied()
        return await costly.do(partial(page_of_another_commit, known))
    asked = Search(bodies.index, live, wanted, query, now)
    if not explained(SearchQuery, asked.index, asked.takes_long)():
        return explained(SearchQuery, asked.index, partial(page, asked))()
    # The map of now may change while another thread reads it.
    asked = replace(asked, known=live.copied())
    return await costly.do(explained(SearchQuery, asked.index, partial(page, asked)))


@dataclass(frozen=True, slots=True)
class Search:
    """One search of an index, at one moment."""

    index: NodeIndex
    known: AvailabilityMap
    wanted: NodeQuery
    query: SearchQuery
    now: datetime

    def takes_long(self) -> bool:
        """Whether the event loop would stand still for longer than it may: whoever asks first, or for much, waits.

        Raises:
            UnfitConditionError: a condition cannot be meant so.
        """
        conditions, words = self.wanted.conditions, self.wanted.words
        paths = [each.path for each in conditions]
        paths += [*self._sort_paths.values(), *self._field_paths.values(), *self._facet_paths.values()]
        if not all(map(self.index.has, paths)) or (words and not self.index.has_words):
            return True
        looks = sum(each.looks(self.index) for each in conditions) + len(words) * len(self.index.nodes)
        looks += sum(self.index.field(path).distinct for path in self._facet_paths.values())
        if looks > MOST_LOOKS:
            return True
        found = self.wanted.fitting(self.index).bit_count()
        asks_states = self.wanted.states is not None or self.wanted.window is not None
        each_time = LOOKS_TO_SORT * len(self.query.sort or ()) + asks_states + len(self._state_facets)
        return looks + each_time * found + LOOKS_OF_AN_ITEM * min(found, self.query.limit) > MOST_LOOKS

    def rows(self) -> int:
        """Every match; refuses fields that no node has before it looks for any."""
        check_valued(self.index, "sort", self._sort_paths)
        check_known(self.index, "fields", self._field_paths)
        return matching(self.index, self.known, self.wanted, self.now)

    def part(self, rows: int) -> Iterable[Match]:
        """The matches that are asked for."""
        found = self._matches(rows)
        if order := [name for name in self.query.sort or () if not self._is_of_window(name.removeprefix("-"))]:
            found = ordered(found, order, self.now)
        return islice(found, self.query.offset, self.query.offset + self.query.limit)

    def facets(self, rows: int) -> Mapping[str, Facet]:
        """Of all matches."""
        found = facets(self.index, rows, [*self._facet_paths])
        for name in self._state_facets:
            if self._is_of_window(name):
                states = Counter({AvailabilityState.AVAILABLE: rows.bit_count()})
            else:
                states = Counter(match.state_at(self.now) for match in self._matches(rows))
            found[name] = sorted_counts((state, count) for state, count in states.items() if count)
        return found

    def good_until(self, told: Iterable[Match]) -> datetime:
        """From when on time alone may make another answer of it, which tells these.

        At once if states choose or order. A window that has begun is another at each moment, since what is over of it
        does not count.
        """
        asked = {name.removeprefix("-") for name in (*(self.query.sort or ()), *(self.query.facets or ()))}
        if self.wanted.states is not None or asked & STATE_FIELDS:
            return self.now
        window_begins = self.wanted.window.start if self.wanted.window else NEVER
        return min([window_begins, *(match.good_until(self.now) for match in told)])

    @property
    def _sort_paths(self) -> dict[str, Path]:
        names = (name.removeprefix("-") for name in self.query.sort or ())
        return {name: path_of(name) for name in names if name not in STATE_FIELDS}

    @property
    def _field_paths(self) -> dict[str, Path]:
        return {name: tuple(name.split(".")) for name in self.query.fields or () if name not in NODE_OWN_KEYS}

    @property
    def _facet_paths(self) -> dict[str, Path]:
        return {name: path_of(name) for name in self.query.facets or () if name not in STATES}

    @property
    def _state_facets(self) -> list[str]:
        return [name for name in dict.fromkeys(self.query.facets or ()) if name in STATES]

    def _is_of_window(self, name: str) -> bool:
        """Whether a field has one value for all matches: in a window they are all available."""
        return name == "availability" and self.wanted.window is not None

    def _matches(self, rows: int) -> Iterable[Match]:
        return matches_of(self.index.nodes_in(rows), self.known)


def _item(match: Match, bodies: Bodies, fields: Sequence[str] | None, window: Interval | None, now: datetime) -> bytes:
    state = match.state_at(now)
    told = {
        "availability": AvailabilityState.AVAILABLE if window else state,
        **({"availability_now": state} if window or fields else {}),
        "availability_until": match.until(now),
        "last_updated": match.last_updated,
        "stale": match.stale_at(now),
    }
    return _whole(match.node, bodies, told) if fields is None else _selected(match.node, bodies, fields, told)


def _whole(node: Node, bodies: Bodies, told: Mapping[str, object]) -> bytes:
    more = {"site_id": node.site_id, "cluster_id": node.cluster_id, **told}
    return bodies.node_body(node)[:-1] + b"," + dumps(more)[1:]


def _selected(node: Node, bodies: Bodies, names: Sequence[str], told: Mapping[str, object]) -> bytes:
    """What `names` select: fields of its file by dotted path, or what is told besides; where it is, always."""
    version = bodies.inventory.version
    fields = selected(node.written.document(), [tuple(name.split(".")) for name in names])
    more = {**told, "version": version, **({"links": bodies.links.node(node, version)} if "links" in names else {})}
    where = {"uid": node.uid, "site_id": node.site_id, "cluster_id": node.cluster_id}
    return dumps(where | fields | {name: value for name, value in more.items() if name in names})


def _window(start: datetime | None, end: datetime | None, now: datetime) -> Interval | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        missing = "start" if start is None else "end"
        raise BadParametersError.of(missing, "start and end belong together: give both or neither")
    return future_window(("start", start), ("end", end), now=now)

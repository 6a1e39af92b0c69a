"""What the service is to answer, found by looking at everything: the check of what is timed, and the naive way too.

Standard library only, like `world`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.availability import Interval, NodeAvailability
from tests.bench.world import Bookings, Place

type Links = list[dict[str, str]]
type Asked = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Oracle:
    """Answers of a world at one commit and one moment.

    Attributes:
        bookings: What is known of it.
        version: The commit.
        now: The moment.
    """

    bookings: Bookings
    version: str
    now: datetime

    def sites(self) -> dict[str, Any]:
        items = [self._site(uid) for uid in sorted(self.bookings.world.sites)]
        return self._page(items, [*links(self="/sites", parent="/"), *self._versions("/sites")])

    def node(self, place: Place) -> dict[str, Any]:
        path = path_of(place)
        own = links(self=path, parent=path.rpartition("/nodes/")[0])
        about = [*own, *self._versions(path), *links(availability=f"{path}/availability")]
        return {**self.bookings.world.documents[place], "version": self.version, "links": about}

    def nodes(self, site_id: str, cluster_id: str) -> dict[str, Any]:
        path = f"/sites/{site_id}/clusters/{cluster_id}"
        items = [self.node(place) for place in self.bookings.world.places(site_id, cluster_id)]
        return self._page(items, [*links(self=f"{path}/nodes", parent=path), *self._versions(f"{path}/nodes")])

    def availability(self, place: Place) -> dict[str, Any]:
        known, path = self.known(place), path_of(place)
        told = self._told(place)
        to_come = [{"start": each.start, "end": each.end} for each in known.reservations if each.end > self.now]
        more = links(self=f"{path}/availability", parent=path, calendar=f"{path}/availability.ics")
        events = f"/events?site_id={place.site_id}&node_id={place.uid}"
        about = {"maintenance": known.maintenance, "reservations": to_come, "links": [*more, *links(events=events)]}
        return {"node_id": place.uid, **told, **about}

    def search(self, asked: Asked, query: str) -> dict[str, Any]:
        """`query` is the same as it was sent."""
        found = [place for place in self.bookings.world.places() if self._fits(place, asked)]
        limit = int(asked.get("limit", ["5000"])[0])
        items = [self.node(place) | self._told(place) for place in found[:limit]]
        after = [{"rel": "next", "href": f"/nodes/search?{_without_limit(query)}offset={limit}&limit={limit}"}]
        page = self._page(items, [*_search_links(query), *(after if len(found) > limit else [])])
        names = [name for value in asked.get("facets", ()) for name in value.split(",")]
        facets = {name: dict(Counter(self._values(found, name))) for name in names}
        return page | {"total": len(found)} | ({"facets": facets} if facets else {})

    def is_earliest(self, answer: Mapping[str, Any], count: int, duration: timedelta) -> bool:
        """Whether so many nodes of one site are free from then on for so long, and of none at any moment before."""
        start, uids = datetime.fromisoformat(answer["start"]), {each["node_id"] for each in answer["nodes"]}
        places = [place for place in self.bookings.world.places() if place.uid in uids]
        free = all(self._free(place, start, duration) for place in places)
        one_site = {place.site_id for place in places} == {answer["site_id"]}
        return free and one_site and len(places) == count and not any(self._before(start, count, duration))

    def known(self, place: Place) -> NodeAvailability:
        return self.bookings.snapshots[place.site_id].nodes[place.uid]

    def _before(self, start: datetime, count: int, duration: timedelta) -> Iterator[bool]:
        for site_id in self.bookings.world.sites:
            places = self.bookings.world.places(site_id)
            ends = {each.end for place in places for each in self.known(place).reservations}
            for moment in {self.now, *(end for end in ends if end > self.now)}:
                if moment < start:
                    yield sum(self._free(place, moment, duration) for place in places) >= count

    def _free(self, place: Place, start: datetime, duration: timedelta) -> bool:
        known, window = self.known(place), Interval(start, start + duration)
        return not known.maintenance and not any(each.overlaps(window) for each in known.reservations)

    def _fits(self, place: Place, asked: Asked) -> bool:
        fields = [name for name in asked if name not in {"start", "end", "limit", "facets", "availability"}]
        if any(not set(asked[name]) & {*self._values([place], name)} for name in fields):
            return False
        if states := asked.get("availability"):
            return self.known(place).state_at(self.now) in states
        if "start" in asked:
            start, end = (datetime.fromisoformat(asked[name][0]) for name in ("start", "end"))
            return self._free(place, start, end - start)
        return True

    def _values(self, places: Sequence[Place], name: str) -> Iterator[str]:
        for place in places:
            found: list[Any] = [self.bookings.world.documents[place]]
            for part in name.split("."):
                inner = [each[part] for each in found if isinstance(each, dict) and part in each]
                found = [one for each in inner for one in (each if isinstance(each, list) else [each])]
            yield from {_label(value) for value in found if value is not None}

    def _told(self, place: Place) -> dict[str, Any]:
        known, site = self.known(place), self.bookings.snapshots[place.site_id]
        return {
            "site_id": place.site_id,
            "cluster_id": place.cluster_id,
            "availability": known.state_at(self.now),
            "availability_until": known.until(self.now),
            "last_updated": site.observed_at,
            "stale": self.now - site.observed_at >= 3 * site.poll_interval,
        }

    def _site(self, uid: str) -> dict[str, Any]:
        path, only = f"/sites/{uid}", f"?site_id={uid}"
        own = links(self=path, parent="/", clusters=f"{path}/clusters", flavors=f"{path}/flavors")
        more = links(availability=f"{path}/availability", status=f"{path}/status")
        about = [*own, *self._versions(path), *more, *_plans(only), *links(events=f"/events{only}")]
        return {**self.bookings.world.sites[uid], "version": self.version, "links": about}

    def _page(self, items: list[dict[str, Any]], about: Links) -> dict[str, Any]:
        return {"total": len(items), "offset": 0, "items": items, "version": self.version, "links": about}

    def _versions(self, path: str) -> Links:
        return links(versions=f"{path}/versions", version=f"{path}/versions/{self.version}")


def links(**hrefs: str) -> Links:
    return [{"rel": rel, "href": href} for rel, href in hrefs.items()]


def path_of(place: Place) -> str:
    return f"/sites/{place.site_id}/clusters/{place.cluster_id}/nodes/{place.uid}"


def _plans(query: str) -> Links:
    paths = {
        "nodes-availability": "/nodes/availability",
        "calendar": "/nodes/availability.ics",
        "earliest": "/availability/earliest",
        "capacity": "/availability/capacity",
    }
    return [{"rel": rel, "href": path + query} for rel, path in paths.items()]


def _search_links(query: str) -> Links:
    others = {"", "start", "end", "limit", "facets"}
    filters = [part for part in query.split("&") if part.partition("=")[0] not in others]
    own = f"/nodes/search?{query}" if query else "/nodes/search"
    return [*links(self=own, parent="/"), *_plans(f"?{'&'.join(filters)}" if filters else "")]


def _without_limit(query: str) -> str:
    return "".join(f"{part}&" for part in query.split("&") if not part.startswith("limit="))


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""Every answer of every replica, held to the truth."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError

from shared.availability import utc_now
from tests.chaos.truth import NODES, TWINS
from tests.chaos.world import HOSTS_INTERVAL, INTERVAL, Replica, World

HOSTS_AGE = timedelta(seconds=HOSTS_INTERVAL + 0.5)
"""How old the host list may be that a poll is judged by: it is read again once it is older than its interval."""

NOT_LOADED = "no inventory is loaded yet"
"""What a replica that has just started may answer (503)."""

STALE = timedelta(seconds=3 * INTERVAL)
SLACK = timedelta(seconds=1)
STEP_SECONDS = 0.04
SECOND = timedelta(seconds=1)


@dataclass
class Watch:
    """One API replica, asked again and again.

    Attributes:
        answers: How many were checked.
        wrong: What no client should ever have seen.
        last_updated: By site, since the process began.
    """

    world: World
    replica: Replica
    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    last_updated: dict[str, datetime] = field(default_factory=dict)
    hosts_observed: dict[str, datetime] = field(default_factory=dict)
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    _starts: int = 0

    async def run(self) -> None:
        """For ever."""
        turn = 0
        while True:
            turn += 1
            with suppress(ClientError, TimeoutError, OSError):
                if turn % 5 == 0:
                    await self._window()
                elif turn % 13 == 0:
                    await self._status()
                else:
                    await self._search()
            await asyncio.sleep(STEP_SECONDS)

    async def _get(self, path: str) -> tuple[Any, datetime]:
        starts = self.replica.starts
        async with self.world.http.get(self.replica.url + path) as response:
            body = await response.json()
            received = utc_now()
        if response.status != 200:
            if body.get("detail") != NOT_LOADED:
                self._tell(f"{path} answers {response.status}: {body}")
            body = {}
        if starts != self.replica.starts or self._starts != starts:
            self._starts = starts
            self.last_updated.clear()
            self.hosts_observed.clear()
            if starts != self.replica.starts:
                return {}, received
        self.answers += 1
        return body, received

    async def _search(self) -> None:
        body, received = await self._get("/nodes/search")
        sites: dict[str, list[Any]] = {}
        for item in body.get("items", ()):
            sites.setdefault(item["site_id"], []).append(item)
        self.states = {
            (item["site_id"], item["uid"]): item["availability"] for items in sites.values() for item in items
        }
        for site_id, items in sites.items():
            self._check_site(site_id, items, received)

    def _check_site(self, site_id: str, items: list[Any], received: datetime) -> None:
        stamps = {item["last_updated"] for item in items}
        if len(stamps) != 1 or len(items) != len(NODES):
            self._tell(f"{site_id} is torn: {stamps}, {len(items)} nodes")
            return
        [stamp] = stamps
        if stamp is None:
            for item in items:
                if item["availability"] != "unknown":
                    self._tell(f"{item['uid']} of {site_id} is {item['availability']} without an age")
            return
        updated = datetime.fromisoformat(stamp)
        self._check_age(site_id, updated, received, stale=items[0]["stale"])
        for item in items:
            if item["availability"] == "available":
                self._check_free(site_id, item["uid"], updated, received)
        twins = [item["availability"] for item in items if item["uid"] in TWINS]
        if "unknown" not in twins and twins.count("reserved") != 1:
            self._tell(f"{site_id} is torn: its twins are {twins} as of {stamp}")

    def _check_age(self, site_id: str, updated: datetime, received: datetime, *, stale: bool) -> None:
        before = self.last_updated.get(site_id)
        if before and updated < before:
            self._tell(f"{site_id} went back from {before} to {updated}")
        self.last_updated[site_id] = updated
        polled = self.world.sites[site_id].polled
        if not polled or updated > polled[-1]:
            self._tell(f"{site_id} is as of {updated}, and was last asked at {polled[-1:]}")
        if received - updated > STALE + SLACK and not stale:
            self._tell(f"{site_id} is of {updated} and not stale at {received}")

    def _check_free(self, site_id: str, node: str, updated: datetime, received: datetime) -> None:
        spell = self.world.sites[site_id].was_not_free(node, updated, received, HOSTS_AGE)
        if spell:
            self._tell(f"{node} of {site_id} is free as of {updated}, and is {spell.why} since {spell.since}")

    async def _window(self) -> None:
        start = utc_now() + 60 * SECOND
        window = f"start={quote(start.isoformat())}&end={quote((start + 600 * SECOND).isoformat())}"
        body, received = await self._get(f"/nodes/search?{window}")
        for item in body.get("items", ()):
            self._check_free(item["site_id"], item["uid"], datetime.fromisoformat(item["last_updated"]), received)

    async def _status(self) -> None:
        body, _ = await self._get("/status")
        for site in body.get("sites", ()):
            if site["hosts_observed_at"]:
                observed = datetime.fromisoformat(site["hosts_observed_at"])
                before = self.hosts_observed.get(site["site_id"])
                if before and observed < before:
                    self._tell(f"the hosts of {site['site_id']} went back from {before} to {observed}")
                self.hosts_observed[site["site_id"]] = observed

    def _tell(self, what: str) -> None:
        self.wrong.append(f"{utc_now().isoformat()} {self.replica.name}: {what}")

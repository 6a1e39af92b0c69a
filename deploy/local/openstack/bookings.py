"""A lively but plausible stream of bookings, with the oddities that real sites have."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, NoReturn

from deploy.local.openstack.site import Host, SimulatedSite
from shared.availability import Interval

STRANGER: Final = "ffffffff-0000-4000-8000-000000000001"
"""A host that no inventory knows."""

FEW: Final = 4
"""Below so many nodes a site has no odd hosts: too little would be left."""

BUSY_SHARE: Final = 0.4
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


def hostnames_of(uids: Sequence[str]) -> list[str | None]:
    """The hosts of a site with these nodes: one of them missing, one that nobody knows, one without a name."""
    return [*(uids[:-1] if len(uids) >= FEW else uids), STRANGER, None]


def inventory(ref_dir: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Site id, uids of nodes and names of flavors of every site in a folder of the inventory that has any."""
    for folder in sorted(path for path in (ref_dir / "sites").iterdir() if path.is_dir()):
        nodes = [_uid(path) for path in sorted(folder.glob("clusters/*/nodes/*.json"))]
        flavors = [_uid(path) for path in sorted(folder.glob("flavors/*.json"))]
        if nodes or flavors:
            yield folder.name, nodes, flavors


def _uid(path: Path) -> str:
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return path.stem
    uid = document.get("uid") if isinstance(document, Mapping) else None
    return uid if isinstance(uid, str) else path.stem


class Bookings:
    """Books hosts of a site, and changes its bookings; the same in every run with the same seed and clock."""

    def __init__(self, site: SimulatedSite, *, seed: int = 1) -> None:
        self._site = site
        self._random = Random(f"{seed} {site.site_id}")  # noqa: S311

    def fill(self) -> None:
        """Makes the oddities, and the bookings that a site has on any day."""
        self._make_odd_hosts()
        now = self._minute()
        for name in self._sample(BUSY_SHARE):
            end = now + self._between(HOUR, 7 * DAY)
            self._site.add_lease(name, now - self._between(HOUR, 6 * DAY), end)
            if self._random.random() < 0.2:  # noqa: PLR2004
                self._site.add_lease(name, end, end + DAY, name="back-to-back")
            if self._random.random() < 0.1:  # noqa: PLR2004
                self._site.add_lease(name, end - HOUR, end + HOUR, name="overlapping")
        for name in self._sample(BUSY_SHARE):
            self._book_later(name)

    async def run(self, every: float) -> NoReturn:
        """Changes something every so many seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            self.step()

    def step(self) -> None:
        """One change: a lease begins, is made for later, grows longer, or is given back; what is over is forgotten."""
        now = self._minute()
        current = {lease.id: lease for lease in self._site.current_leases()}
        for lease_id in self._site.leases.keys() - current.keys():
            self._site.remove_lease(lease_id)
        active = [lease.id for lease in current.values() if lease.during.start <= now]
        crowded = len(active) > BUSY_SHARE * len(self._names())
        choice = self._random.random()
        if active and choice < (0.6 if crowded else 0.2):
            self._site.remove_lease(self._random.choice(active))
        elif active and choice < 0.7:  # noqa: PLR2004
            self._site.extend_lease(self._random.choice(active), self._between(HOUR, DAY))
        elif names := self._names():
            self._book_now(names, now) if choice < 0.9 else self._book_later(self._random.choice(names))  # noqa: PLR2004

    def _book_now(self, names: Sequence[str], now: datetime) -> None:
        during = Interval(now, now + self._between(HOUR, 3 * DAY))
        free = [name for name in names if all(self._site.is_free(host.id, during) for host in self._hosts(name))]
        if free:
            wanted = min(len(free), self._random.choice((1, 1, 1, 2, 4)))
            self._site.add_lease(self._random.sample(free, wanted), during.start, during.end)

    def _book_later(self, name: str) -> None:
        start = self._minute() + self._between(7 * DAY, 30 * DAY)
        self._site.add_lease(name, start, start + self._between(2 * HOUR, 7 * DAY))

    def _make_odd_hosts(self) -> None:
        names = [host.hostname for host in self._site.hosts.values() if host.hostname not in (None, STRANGER)]
        if len(names) < FEW:
            return
        broken, idle, shadowed = self._random.sample([name for name in names if name], 3)
        self._site.update_host(broken, disabled=True, reservable=False)
        self._site.update_host(idle, reservable=False)
        self._site.update_host(shadowed, disabled="False")  # a string, and true in most languages

    def _names(self) -> list[str]:
        """Of the hosts that may be booked."""
        return [host.hostname for host in self._site.hosts.values() if host.hostname and host.reservable]

    def _hosts(self, name: str) -> list[Host]:
        return [host for host in self._site.hosts.values() if host.hostname == name]

    def _sample(self, share: float) -> list[str]:
        names = self._names()
        return self._random.sample(names, round(share * len(names)))

    def _between(self, least: timedelta, most: timedelta) -> timedelta:
        return timedelta(minutes=self._random.randint(least // timedelta(minutes=1), most // timedelta(minutes=1)))

    def _minute(self) -> datetime:
        return self._site.now().replace(second=0, microsecond=0)

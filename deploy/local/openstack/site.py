"""What a simulated site has and who has booked it: its hosts, leases and flavors, to be changed while it runs."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final
from uuid import UUID

from shared.availability import Interval, utc_now

PEOPLE: Final = tuple(f"nobody-{number:02d}@example.invalid" for number in range(1, 41))
"""Whose names must never leave the sync service; nobody bears them."""

CAPABILITIES: Final = 5
"""Beside what a node is; a real host has some 60."""


class NoSuchThingError(Exception):
    """An id that the site does not have."""


class NotEnoughHostsError(Exception):
    """A lease that wants more hosts than are free."""


@dataclass(slots=True)
class Host:
    """A row of Blazar's hosts.

    Attributes:
        id: A string; older hosts have a number, newer ones a uuid.
        hostname: The node's uid; null in some rows.
        deleted: When it was deleted, if it was.
        capabilities: Flattened over the row, and over columns of the same name.
    """

    id: str
    hostname: str | None
    created_at: datetime
    reservable: bool = True
    disabled: bool = False
    deleted: str | None = None
    capabilities: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Lease:
    """A booking of some hosts, with one reservation."""

    id: str
    reservation_id: str
    name: str
    user_name: str
    during: Interval
    host_ids: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Flavor:
    """A virtual machine's size; `id` is Nova's."""

    id: str
    name: str
    vcpus: int = 2
    ram_mb: int = 4096
    disk_gb: int = 40


class SimulatedSite:
    """The state behind one site's Blazar and Nova.

    Attributes:
        admin_only: Whether policy lets administrators alone read hosts, as upstream's default does.
        in_catalog: Whether Keystone tells where this Blazar is; in effect with the next token.
        flavors: None where Blazar has no flavor availability, as upstream's has none.
    """

    def __init__(
        self,
        site_id: str,
        hostnames: Iterable[str | None] = (),
        *,
        flavors: Collection[str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.site_id = site_id
        self.hosts: dict[str, Host] = {}
        self.leases: dict[str, Lease] = {}
        self.admin_only = False
        self.in_catalog = True
        self._clock = clock
        self._random = Random(site_id)  # noqa: S311
        self._numbers = count(1)
        self.flavors = None if flavors is None else tuple(Flavor(self.new_id(), name) for name in flavors)
        for hostname in hostnames:
            self.add_host(hostname)

    def new_id(self) -> str:
        """A uuid; the same ones in the same order in every run."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def now(self) -> datetime:
        """This site's time."""
        return self._clock()

    def add_host(self, hostname: str | None, *, host_id: str | None = None, **columns: bool | str) -> Host:
        """A new host. `columns` are attributes of `Host`, or capabilities."""
        host = Host(host_id or str(next(self._numbers)), hostname, self.now())
        if hostname is not None:
            host.capabilities |= {"uid": hostname, "node_type": "compute_simulated", "node_name": f"node{host.id}"}
            host.capabilities |= {f"prop.{number:02d}": f"value-{number}" for number in range(1, CAPABILITIES + 1)}
        self.hosts[host.id] = host
        self._update(host, columns)
        return host

    def update_host(self, hostname: str, **columns: bool | str) -> None:
        """Changes every host of that name, as `add_host`."""
        for host in self._named(hostname):
            self._update(host, columns)

    def remove_host(self, hostname: str) -> None:
        """Takes every host of that name away; its leases stay."""
        for host in self._named(hostname):
            del self.hosts[host.id]

    def add_lease(
        self,
        hostnames: str | Iterable[str],
        start: datetime,
        end: datetime,
        *,
        user_name: str | None = None,
        name: str = "lease",
    ) -> str:
        """Books hosts whether or not they are free, since Blazar hands out overlaps too. Returns the lease's id."""
        names = [hostnames] if isinstance(hostnames, str) else hostnames
        host_ids = tuple(host.id for hostname in names for host in self._named(hostname))
        return self._book(host_ids, Interval(start, end), user_name, name).id

    def book_free(self, during: Interval, *, minimum: int, maximum: int, hostname: str | None, name: str) -> Lease:
        """Books hosts that are free, as the API does.

        Raises:
            NotEnoughHostsError: fewer than `minimum` are.
        """
        free = [
            host.id
            for host in self.hosts.values()
            if host.reservable and hostname in (None, host.hostname) and self.is_free(host.id, during)
        ]
        if len(free) < max(minimum, 1):
            raise NotEnoughHostsError
        return self._book(tuple(free[:maximum]), during, None, name)

    def move_lease(self, lease_id: str, *, start: datetime | None = None, end: datetime | None = None) -> Lease:
        """Gives a lease other bounds.

        Raises:
            NoSuchThingError: there is no such lease.
        """
        lease = self.lease(lease_id)
        lease.during = Interval(start or lease.during.start, end or lease.during.end)
        return lease

    def extend_lease(self, lease_id: str, by: timedelta) -> None:
        """Moves a lease's end."""
        self.move_lease(lease_id, end=self.lease(lease_id).during.end + by)

    def remove_lease(self, lease_id: str) -> None:
        """Raises NoSuchThingError if there is no such lease."""
        del self.leases[self.lease(lease_id).id]

    def lease(self, lease_id: str) -> Lease:
        """Raises NoSuchThingError if there is no such lease."""
        try:
            return self.leases[lease_id]
        except KeyError:
            raise NoSuchThingError from None

    def current_leases(self) -> list[Lease]:
        """Those that have not ended, in the order in which they were made."""
        now = self.now()
        return [lease for lease in self.leases.values() if lease.during.end >= now]

    def leases_by_host(self) -> Mapping[str, list[Lease]]:
        """The current leases of every host, free ones included."""
        found: dict[str, list[Lease]] = {host_id: [] for host_id in self.hosts}
        for lease in self.current_leases():
            for host_id in lease.host_ids:
                if host_id in found:
                    found[host_id].append(lease)
        return found

    def is_free(self, host_id: str, during: Interval) -> bool:
        """Whether nobody has booked any of that time."""
        return not any(host_id in lease.host_ids and lease.during.overlaps(during) for lease in self.leases.values())

    def _book(self, host_ids: tuple[str, ...], during: Interval, user_name: str | None, name: str) -> Lease:
        user_name = user_name or self._random.choice(PEOPLE)
        lease = Lease(self.new_id(), self.new_id(), name, user_name, during, host_ids, self.now())
        self.leases[lease.id] = lease
        return lease

    def _named(self, hostname: str) -> list[Host]:
        return [host for host in self.hosts.values() if host.hostname == hostname]

    def _update(self, host: Host, columns: Mapping[str, bool | str]) -> None:
        for column, value in columns.items():
            if column in ("reservable", "disabled") and not isinstance(value, bool):
                host.capabilities[column] = value
            elif column in ("reservable", "disabled", "deleted"):
                setattr(host, column, value)
            else:
                host.capabilities[column] = str(value)

"""What end-to-end cases need of a cloud, whether it is simulated or real."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from deploy.local.openstack import faults
from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.openstack.faults import Fault
from shared.availability import Interval

FAULTS: Mapping[str, Fault] = {
    "refused": faults.refused,
    "reset": faults.reset,
    "truncated": faults.truncated,
    "garbage": faults.garbage,
    "hang": faults.hang,
    "500": faults.status(500),
    "502 html": faults.status(502, html=True),
    "403": faults.forbidden,
    "401": faults.unauthorized,
}
"""What may befall a Blazar, by name."""

LEASE_NAME = "a secret experiment"
LEASE_LENGTH = timedelta(hours=1)


class Cloud(Protocol):
    """A cloud with bookings that a test can change and break; every site has the hosts of `tests.e2e.oddities` too."""

    @property
    def site_ids(self) -> Sequence[str]:
        """Its sites of bare metal; clouds.yaml knows them, and `kvm`, which publishes flavors, by the same names."""
        ...

    @property
    def clouds_yaml(self) -> Path:
        """How to reach it."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """Credentials, names of people, and ids of bookings: what nobody may ever see."""
        ...

    async def book(self, site_id: str, node_id: str) -> str:
        """Makes a lease of one node, from this minute on for `LEASE_LENGTH`; returns its id."""
        ...

    async def bookings(self, site_id: str, node_id: str) -> Sequence[Interval]:
        """Those of a node that are not over, as the cloud has them."""
        ...

    async def cancel(self, site_id: str, lease_id: str) -> None:
        """Ends a lease before its time."""
        ...

    async def set_reservable(self, site_id: str, node_id: str, *, reservable: bool) -> None:
        """Takes a node out of service, or back."""
        ...

    async def break_with(self, site_id: str, fault: str) -> None:
        """Lets one of `FAULTS` befall a site's Blazar until it is mended."""
        ...

    async def mend(self, site_id: str) -> None:
        """Ends it."""
        ...


class SimulatedTestCloud:
    """The simulated cloud of `deploy.local`."""

    site_ids: Sequence[str] = ("tacc", "uc")

    def __init__(self, cloud: SimulatedCloud, clouds_yaml: Path) -> None:
        self._cloud = cloud
        self.clouds_yaml = clouds_yaml
        clouds_yaml.write_text(cloud.clouds_yaml())

    @property
    def secrets(self) -> Sequence[str]:
        leases = [lease for site in self._cloud.sites.values() for lease in site.leases.values()]
        told = {text for each in leases for text in (each.id, each.reservation_id, each.user_name)}
        return [*self._cloud.secrets, *told, LEASE_NAME]

    async def book(self, site_id: str, node_id: str) -> str:
        site = self._cloud.sites[site_id]
        start = site.now().replace(second=0, microsecond=0)
        return site.add_lease(node_id, start, start + LEASE_LENGTH, name=LEASE_NAME)

    async def bookings(self, site_id: str, node_id: str) -> Sequence[Interval]:
        site = self._cloud.sites[site_id]
        leases = site.leases_by_host()
        return [lease.during for host in site.hosts.values() if host.hostname == node_id for lease in leases[host.id]]

    async def cancel(self, site_id: str, lease_id: str) -> None:
        self._cloud.sites[site_id].remove_lease(lease_id)

    async def set_reservable(self, site_id: str, node_id: str, *, reservable: bool) -> None:
        self._cloud.sites[site_id].update_host(node_id, reservable=reservable)

    async def break_with(self, site_id: str, fault: str) -> None:
        await self._cloud.sites[site_id].break_with(FAULTS[fault])

    async def mend(self, site_id: str) -> None:
        await self._cloud.sites[site_id].mend()

"""What end-to-end cases need of a cloud, whether it is simulated or real."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from deploy.local.openstack import faults
from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.openstack.faults import Fault

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


class Cloud(Protocol):
    """A cloud with bookings that a test can change and break."""

    @property
    def site_ids(self) -> Sequence[str]:
        """Its sites, which clouds.yaml knows by the same names."""
        ...

    @property
    def clouds_yaml(self) -> Path:
        """How to reach it."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """Credentials and names of people: what nobody may ever see."""
        ...

    async def book(self, site_id: str, node_id: str, start: datetime, end: datetime) -> str:
        """Makes a lease of one node; returns its id."""
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

    def __init__(self, cloud: SimulatedCloud, clouds_yaml: Path) -> None:
        self._cloud = cloud
        self.clouds_yaml = clouds_yaml
        clouds_yaml.write_text(cloud.clouds_yaml())
        self.site_ids = tuple(cloud.sites)

    @property
    def secrets(self) -> Sequence[str]:
        leases = [lease for site in self._cloud.sites.values() for lease in site.leases.values()]
        return [*self._cloud.secrets, *(text for lease in leases for text in (lease.id, lease.user_name, lease.name))]

    async def book(self, site_id: str, node_id: str, start: datetime, end: datetime) -> str:
        return self._cloud.sites[site_id].add_lease(node_id, start, end, name="a secret experiment")

    async def cancel(self, site_id: str, lease_id: str) -> None:
        self._cloud.sites[site_id].remove_lease(lease_id)

    async def set_reservable(self, site_id: str, node_id: str, *, reservable: bool) -> None:
        self._cloud.sites[site_id].update_host(node_id, reservable=reservable)

    async def break_with(self, site_id: str, fault: str) -> None:
        await self._cloud.sites[site_id].break_with(FAULTS[fault])

    async def mend(self, site_id: str) -> None:
        await self._cloud.sites[site_id].mend()

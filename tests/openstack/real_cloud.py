"""A real Keystone and Blazar as end-to-end cases need them."""

import asyncio
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import openstack.config
import requests
import yaml  # type: ignore[import-untyped]
from aiohttp import ClientSession
from blazarclient.client import Client
from blazarclient.exception import BlazarClientException
from keystoneauth1.session import Session
from yarl import URL

from deploy.local.openstack.listener import Listener
from shared.availability import Interval, utc_now
from tests.e2e.cloud import FAULTS, LEASE_LENGTH, LEASE_NAME
from tests.eventually import until_answered
from tests.openstack.forwarder import Forwarder

MINUTE = "%Y-%m-%d %H:%M"
SERVICE = "reservation"
SECRETS = ("application_credential_id", "application_credential_secret", "password")


class Region:
    """A site's Blazar through its own client: as a user and as an operator. Blocks.

    Attributes:
        told: Names of people, and ids of bookings, that Blazar told.
        leases: Those that were made here and are still there.
    """

    def __init__(self, user: Any, operator: Any) -> None:
        self._user = user
        self._operator = operator
        self._host_ids = {host["hypervisor_hostname"]: host["id"] for host in operator.host.list()}
        self._resting: set[str] = set()
        self.leases: set[str] = set()
        self.told: set[str] = set()
        self._rows()

    def book(self, node_id: str) -> str:
        """A lease from now on."""
        reservation = {
            "resource_type": "physical:host",
            "min": 1,
            "max": 1,
            "hypervisor_properties": "",
            "resource_properties": json.dumps(["==", "$uid", node_id]),
        }
        end = (utc_now() + LEASE_LENGTH).strftime(MINUTE)
        lease_id = str(self._user.lease.create(LEASE_NAME, "now", end, [reservation], [])["id"])
        self.leases.add(lease_id)
        self._rows()
        return lease_id

    def bookings(self, node_id: str) -> Sequence[Interval]:
        """Whoever made them."""
        rows = next(row for row in self._rows() if row["resource_id"] == self._host_ids[node_id])
        return [Interval(_time(each["start_date"]), _time(each["end_date"])) for each in rows["reservations"]]

    def cancelled(self, lease_id: str) -> bool:
        """Whether a lease could be deleted: not while the manager is about to begin it."""
        try:
            self._user.lease.delete(lease_id)
        except BlazarClientException:
            return False
        self.leases.discard(lease_id)
        return True

    def set_reservable(self, node_id: str, *, reservable: bool) -> None:
        """No API changes the column, but a capability of its name is told in its place."""
        self._operator.host.update(self._host_ids[node_id], {"reservable": None if reservable else False})
        (self._resting.discard if reservable else self._resting.add)(node_id)

    def put_back(self) -> None:
        """Every node into service."""
        for node_id in tuple(self._resting):
            self.set_reservable(node_id, reservable=True)

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        rows: list[dict[str, Any]] = self._operator.allocation.list("os-hosts")
        for each in (each for row in rows for each in row["reservations"]):
            self.told |= {each["id"], each["lease_id"], each["extras"]["user_name"]}
        return rows


class RealTestCloud:
    """Two sites and a Keystone behind forwarders that faults may befall; as it was found, once its context is left.

    Args:
        clouds: The real clouds.yaml.
        clouds_yaml: Where one is written that leads to the forwarders.

    Attributes:
        blazars: The forwarders by site.
        keystone: The forwarder of Keystone.
    """

    site_ids: Sequence[str] = ("tacc", "uc")

    def __init__(self, clouds: Path, clouds_yaml: Path) -> None:
        self.clouds_yaml = clouds_yaml
        self._clouds: dict[str, Any] = yaml.safe_load(clouds.read_text())["clouds"]
        self._config_file = clouds
        self._regions: dict[str, Region] = {}
        self.blazars: dict[str, Listener] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        transport = self._stack.enter_context(requests.Session())
        config = openstack.config.OpenStackConfig(
            config_files=[str(self._config_file)],
            load_envvars=False,
            session_constructor=functools.partial(Session, session=transport),
        )
        session = await self._stack.enter_async_context(ClientSession())
        for site_id in self.site_ids:
            user, operator = (config.get_one(f"{site_id}-{who}") for who in ("alice", "admin"))
            self._regions[site_id] = await asyncio.to_thread(Region, _client(user), _client(operator))
            self._stack.push_async_callback(self._restore, site_id)
            blazar = operator.get_session_endpoint(SERVICE).removesuffix("/v1")
            self.blazars[site_id] = await self._forwarder(blazar, session)
        keystone = URL(self._clouds[self.site_ids[0]]["auth"]["auth_url"])
        self.keystone = await self._forwarder(str(keystone.origin()), session)
        self._auth_url = self.keystone.url + keystone.path
        self.write()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def secrets(self) -> Sequence[str]:
        credentials = {entry["auth"][key] for entry in self._clouds.values() for key in SECRETS if key in entry["auth"]}
        return [*credentials, *_union(region.told for region in self._regions.values()), LEASE_NAME]

    async def book(self, site_id: str, node_id: str) -> str:
        return await asyncio.to_thread(self._regions[site_id].book, node_id)

    async def bookings(self, site_id: str, node_id: str) -> Sequence[Interval]:
        return await asyncio.to_thread(self._regions[site_id].bookings, node_id)

    async def cancel(self, site_id: str, lease_id: str) -> None:
        region = self._regions[site_id]
        await until_answered(lambda: asyncio.to_thread(region.cancelled, lease_id), within=30)

    async def set_reservable(self, site_id: str, node_id: str, *, reservable: bool) -> None:
        await asyncio.to_thread(self._regions[site_id].set_reservable, node_id, reservable=reservable)

    async def break_with(self, site_id: str, fault: str) -> None:
        await self.blazars[site_id].break_with(FAULTS[fault])

    async def mend(self, site_id: str) -> None:
        await self.blazars[site_id].mend()

    def write(self, site_id: str = "", **changes: Any) -> None:
        """Writes clouds.yaml anew, with a site's entry changed; None takes a key away.

        The site of virtual machines is here one that has nodes too.
        """
        entries = {each: self._entry(each) for each in self.site_ids}
        entries["kvm"] = self._entry("uc")
        if site_id:
            auth = entries[site_id]["auth"] | changes.pop("auth", {})
            changed = {**entries[site_id], **changes, "auth": auth}
            entries[site_id] = {key: value for key, value in changed.items() if value is not None}
        self.clouds_yaml.touch(mode=0o600)
        self.clouds_yaml.write_text(json.dumps({"clouds": entries}))

    def _entry(self, site_id: str) -> dict[str, Any]:
        entry = self._clouds[site_id]
        auth = {**entry["auth"], "auth_url": self._auth_url}
        return {**entry, "auth": auth, "reservation_endpoint_override": f"{self.blazars[site_id].url}/v1"}

    async def _forwarder(self, origin: str, session: ClientSession) -> Listener:
        listener = Listener(Forwarder(origin, session).app)
        await listener.start()
        self._stack.push_async_callback(listener.stop)
        return listener

    async def _restore(self, site_id: str) -> None:
        region = self._regions[site_id]
        for lease_id in tuple(region.leases):
            await self.cancel(site_id, lease_id)
        await asyncio.to_thread(region.put_back)


def _client(region: Any) -> Any:
    return Client(
        "1",
        service_type=SERVICE,
        session=region.get_session(),
        region_name=region.get_region_name(SERVICE),
        interface=region.get_interface(SERVICE),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _union(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)

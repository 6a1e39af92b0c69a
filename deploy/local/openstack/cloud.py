"""A simulated OpenStack cloud: one Keystone, and a Blazar with a Nova per site, each on a port of its own."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from deploy.local.openstack.blazar import Blazar
from deploy.local.openstack.faults import Fault
from deploy.local.openstack.keystone import EVERYWHERE, Keystone
from deploy.local.openstack.listener import Listener
from deploy.local.openstack.nova import Nova
from deploy.local.openstack.site import SimulatedSite
from shared.availability import utc_now

USER: Final = "alice"
ADMIN: Final = "admin"


class BreakableSite(SimulatedSite):
    """A simulated site with a listener.

    Attributes:
        listener: Where it is served, what was asked of it, and what is wrong with it.
    """

    listener: Listener

    @property
    def url(self) -> str:
        """Of Blazar, without its version."""
        return self.listener.url

    async def break_with(self, fault: Fault, *, path: str = "", times: int | None = None) -> None:
        """As `Listener.break_with`."""
        await self.listener.break_with(fault, path=path, times=times)

    async def mend(self) -> None:
        """As `Listener.mend`."""
        await self.listener.mend()


class SimulatedCloud:
    """Runs while its context is entered.

    Args:
        sites: Hostnames by site id.
        flavors: Names of flavors by site id; only sites that are here publish the availability of their flavors.
        host: The address to listen on.
        port: Keystone's; the sites' follow it. 0 for free ones.
        name: What clients call the host, if not by its address.
        clock: The present.

    Attributes:
        keystone: Credentials and tokens.
        identity: Keystone's listener.
        sites: By site id.
    """

    def __init__(
        self,
        sites: Mapping[str, Iterable[str | None]],
        *,
        flavors: Mapping[str, Iterable[str]] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        named = {site_id: tuple(names) for site_id, names in (flavors or {}).items()}
        self.sites = {
            site_id: BreakableSite(site_id, hostnames, flavors=named.get(site_id), clock=clock)
            for site_id, hostnames in sites.items()
        }
        self.keystone = Keystone(self.sites.values(), self._url_of, clock)
        self.identity = Listener(self.keystone.app, host=host, port=port, name=name)
        for offset, site in enumerate(self.sites.values(), 1):
            make_app = self._app_of(site)
            site.listener = Listener(make_app, host=host, port=port and port + offset, name=name)
        self._credentials = {project: self.keystone.add_credential(project) for project in (*self.sites, EVERYWHERE)}
        self._passwords = {name: secrets.token_urlsafe(12) for name in (USER, ADMIN)}
        self.keystone.passwords[USER] = (self._passwords[USER], ("reader", "member"))
        self.keystone.passwords[ADMIN] = (self._passwords[ADMIN], ("admin", "member", "reader"))

    async def __aenter__(self) -> Self:
        await self.identity.start()
        self.keystone.url = self.identity.url
        for site in self.sites.values():
            await site.listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for site in self.sites.values():
            await site.listener.stop()
        await self.identity.stop()

    @property
    def url(self) -> str:
        """Keystone's `auth_url`."""
        return self.keystone.auth_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be seen in a log."""
        return (*self._passwords.values(), *(told for credential in self._credentials.values() for told in credential))

    def clouds_yaml(self) -> str:
        """The file by which clients find their way, to be written anew when a credential was renewed.

        Clouds: `<site>`, whose catalog has that site only; `<site>-mr`, with every region; `<site>-alice` and
        `<site>-admin`, who may make leases.
        """
        clouds: dict[str, object] = {}
        for site_id in self.sites:
            clouds[site_id] = self._by_credential(site_id, site_id)
            clouds[f"{site_id}-mr"] = self._by_credential(site_id, EVERYWHERE)
            clouds[f"{site_id}-alice"] = self._by_password(site_id, USER)
            clouds[f"{site_id}-admin"] = self._by_password(site_id, ADMIN)
        return json.dumps({"clouds": clouds}, indent=2)  # JSON is YAML

    def delete_credential(self, site_id: str) -> None:
        """As its owner may; tokens made with it stay good."""
        credential_id, _ = self._credentials[site_id]
        del self.keystone.credentials[credential_id]

    def renew_credential(self, site_id: str) -> None:
        """A new one, as `clouds_yaml` says from now on."""
        self._credentials[site_id] = self.keystone.add_credential(site_id)

    async def break_with(self, fault: Fault, *, path: str = "", times: int | None = None) -> None:
        """Lets a fault befall Keystone; as `Listener.break_with`."""
        await self.identity.break_with(fault, path=path, times=times)

    async def mend(self) -> None:
        """Ends Keystone's fault."""
        await self.identity.mend()

    def _url_of(self, site: SimulatedSite) -> str:
        return self.sites[site.site_id].url

    def _app_of(self, site: SimulatedSite) -> Callable[[], web.Application]:
        def make_app() -> web.Application:
            app = Blazar(site, self.keystone.identity_of, lambda: self.keystone.auth_url).app()
            Nova(site).add_to(app)
            return app

        return make_app

    def _by_credential(self, site_id: str, project: str) -> dict[str, object]:
        credential_id, secret = self._credentials[project]
        auth = {"application_credential_id": credential_id, "application_credential_secret": secret}
        return self._entry(site_id, "v3applicationcredential", auth)

    def _by_password(self, site_id: str, user: str) -> dict[str, object]:
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        auth = {"username": user, "password": self._passwords[user], "project_name": site_id, **domains}
        return self._entry(site_id, "password", auth)

    def _entry(self, site_id: str, auth_type: str, auth: dict[str, str]) -> dict[str, object]:
        return {
            "region_name": site_id,
            "interface": "public",
            "identity_api_version": "3",
            "auth_type": auth_type,
            "auth": {"auth_url": self.url, **auth},
        }

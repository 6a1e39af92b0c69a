"""Blazar read through openstacksdk's sessions and python-blazarclient."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from blazarclient.client import Client
from blazarclient.exception import BlazarClientException
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack.connection import Connection

from shared.availability import Interval
from sync_service.adapters.answers import MAX_ANSWER_BYTES
from sync_service.adapters.blazar_records import allocations_of, capacity_of, hosts_of
from sync_service.adapters.cloud_errors import answered, explained
from sync_service.adapters.clouds import Cloud
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import FlavorCapacity, NotPublishedError, SourceError, TroubleKind

_BLAZAR: Final = "Blazar"
_SERVICE_TYPE: Final = "reservation"
_FLAVORS_PATH: Final = "/flavor-instances/availability"
_FLAVORS_TIME: Final = "%Y-%m-%d %H:%M"
_POLICY: Final = re.compile(r"\bblazar(:[a-z_]+)+")


class BlazarSite:
    """A site's hosts and bookings; a `SiteSource`.

    Args:
        cloud: A name in clouds.yaml, or `envvars`.
        timeout: Seconds that one call may take.
        max_answer_bytes: How large an answer may be.
    """

    def __init__(self, cloud: str, *, timeout: float, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._cloud = Cloud(cloud, _blazar_client, timeout=timeout, max_answer_bytes=max_answer_bytes)

    async def hosts(self) -> Sequence[Host]:
        """As `SiteSource.hosts`."""
        return await self._cloud.run(_hosts)

    async def allocations(self) -> Sequence[Allocation]:
        """As `SiteSource.allocations`."""
        return await self._cloud.run(_allocations)

    def close(self) -> None:
        """Closes idle connections."""
        self._cloud.close()


class BlazarFlavors:
    """What Chameleon's Blazar tells of flavors; a `FlavorsSource`. Arguments as `BlazarSite`."""

    def __init__(self, cloud: str, *, timeout: float) -> None:
        self._cloud = Cloud(cloud, _connection, timeout=timeout)

    async def capacity(self, window: Interval) -> FlavorCapacity:
        """As `FlavorsSource.capacity`."""
        return await self._cloud.run(lambda connection: _capacity(connection, window))

    def close(self) -> None:
        """Closes idle connections."""
        self._cloud.close()


def _blazar_client(region: Any) -> Any:
    _check_catalog(region)
    # The client takes neither from clouds.yaml: without them it would read another region's hosts, and never say so.
    return Client(
        "1",
        service_type=_SERVICE_TYPE,
        session=region.get_session(),
        region_name=region.get_region_name(_SERVICE_TYPE),
        interface=region.get_interface(_SERVICE_TYPE),
        endpoint_override=region.get_endpoint(_SERVICE_TYPE),
        connect_retries=0,
    )


def _connection(region: Any) -> Connection:
    _check_catalog(region)
    return Connection(config=region)


def _check_catalog(region: Any) -> None:
    """Raises SourceError if the token is for nothing, or the catalog does not have exactly one Blazar for it."""
    auth, session = region.get_session().auth, region.get_session()
    if isinstance(auth, BaseIdentityPlugin) and _is_unscoped(auth.get_access(session)):
        reason = "the token is for no project: clouds.yaml needs a project_name, or project_id, in auth"
        raise SourceError(reason, TroubleKind.CONFIGURATION)
    if region.get_endpoint(_SERVICE_TYPE):
        return
    name, interface = region.get_region_name(_SERVICE_TYPE), region.get_interface(_SERVICE_TYPE)
    endpoints = region.get_service_catalog().get_endpoints_data(_SERVICE_TYPE, interface=interface)
    regions = sorted({str(endpoint.region_name) for found in endpoints.values() for endpoint in found})
    if not regions:
        reason = f"the catalog has no service of type {_SERVICE_TYPE!r} with interface {interface!r}"
    elif not name and len(regions) > 1:
        reason = f"the cloud names no region, and Blazar is in several: {', '.join(regions)}"
    elif name and name not in regions:
        reason = f"the catalog has no Blazar in region {name!r}; it is in: {', '.join(regions)}"
    else:
        return
    raise SourceError(reason, TroubleKind.CATALOG)


def _is_unscoped(access: Any) -> bool:
    return not (access.project_scoped or access.domain_scoped or access.system_scoped)


def _hosts(blazar: Any) -> tuple[Host, ...]:
    with _blazar_explained():
        rows = blazar.host.list()
    return hosts_of(rows)


def _allocations(blazar: Any) -> tuple[Allocation, ...]:
    with _blazar_explained():
        rows = blazar.allocation.list("os-hosts")
    return allocations_of(rows)


def _capacity(connection: Connection, window: Interval) -> FlavorCapacity:
    start, end = (time.strftime(_FLAVORS_TIME) for time in (window.start, window.end))
    with explained("Nova"):
        names = {flavor.id: flavor.name for flavor in connection.compute.flavors()}
    with explained(_BLAZAR):
        response = connection.reservation.get(_FLAVORS_PATH, params={"start_date": start, "end_date": end})
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise NotPublishedError("this Blazar does not tell the availability of flavors (404)")
        if not response.ok:
            raise _refused(response.status_code, response.text)
        rows = response.json()["flavor_instances"]
    return capacity_of(rows, names)


@contextlib.contextmanager
def _blazar_explained() -> Iterator[None]:
    """As `explained`, for python-blazarclient."""
    try:
        with explained(_BLAZAR):
            yield
    except BlazarClientException as error:
        status = error.kwargs.get("code", error.code)  # `code` alone is always 500
        raise _refused(status, str(error)) from None


def _refused(status: int, text: str) -> SourceError:
    if status == HTTPStatus.FORBIDDEN:
        policy = _POLICY.search(text)
        rule = f"policy {policy[0]}" if policy else "policy"
        sentence = f"Blazar's {rule} forbids this (403): the site's operator must allow it to our role"
        return SourceError(sentence, TroubleKind.POLICY)
    return answered(_BLAZAR, status)

"""The forms of Keystone's, Blazar's and Nova's answers, as recorded from real ones (`tests/data/openstack`)."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from random import Random
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from deploy.local.openstack.site import Flavor, Host, Lease
from shared.availability import Interval

type Document = dict[str, Any]

DOMAIN: Final = {"id": "default", "name": "Default"}
REQUIRES_AUTHENTICATION: Final = "The request you have made requires authentication."
NO_ROUTE: Final = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
CAPACITY_CHANGES_EVERY: Final = timedelta(hours=6)


def hex_id(name: str) -> str:
    """Keystone's kind of id: 32 hexadecimal digits, the same for the same name."""
    return sha256(name.encode()).hexdigest()[:32]


def naive(time: datetime) -> str:
    """Blazar's times: UTC without saying so, always with microseconds."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def stamp(time: datetime) -> str:
    """Blazar's times of creation."""
    return str(time.astimezone(UTC).replace(tzinfo=None))


def host(row: Host) -> Document:
    """A row of `GET /os-hosts`: columns, and then capabilities, which win."""
    return {
        "id": row.id,
        "vcpus": 48,
        "cpu_info": "baremetal cpu",
        "hypervisor_type": "ironic",
        "hypervisor_version": 1,
        "hypervisor_hostname": row.hostname,
        "service_name": row.hostname,
        "memory_mb": 196608,
        "local_gb": 200,
        "status": None,
        "availability_zone": "nova",
        "trust_id": hex_id(f"trust of host {row.id}"),
        "reservable": row.reservable,
        "created_at": stamp(row.created_at),
        "updated_at": None,
        "disabled": row.disabled,
        "deleted": row.deleted,
        "deleted_at": None if row.deleted is None else stamp(row.created_at),
        **row.capabilities,
    }


def allocation(host_id: str, leases: Sequence[Lease]) -> Document:
    """A row of `GET /os-hosts/allocations`, with the names that nobody should see."""
    return {
        "resource_id": host_id,
        "reservations": [
            {
                "id": each.reservation_id,
                "lease_id": each.id,
                "start_date": naive(each.during.start),
                "end_date": naive(each.during.end),
                "extras": {"user_name": each.user_name},
            }
            for each in leases
        ],
    }


def lease(each: Lease, now: datetime) -> Document:
    """A lease."""
    status = "PENDING" if now < each.during.start else "ACTIVE" if now < each.during.end else "TERMINATED"
    created = {"created_at": stamp(each.created_at), "updated_at": stamp(each.created_at)}
    start, end = naive(each.during.start), naive(each.during.end)
    return {
        "id": each.id,
        "name": each.name,
        "user_id": hex_id(each.user_name),
        "project_id": hex_id("project"),
        "start_date": start,
        "end_date": end,
        "trust_id": hex_id(f"trust of lease {each.id}"),
        "status": status,
        "degraded": False,
        **created,
        "reservations": [
            {
                "id": each.reservation_id,
                "lease_id": each.id,
                "resource_id": each.reservation_id,
                "resource_type": "physical:host",
                "status": status.lower(),
                "missing_resources": False,
                "resources_changed": False,
                **created,
                "hypervisor_properties": "",
                "resource_properties": "",
                "before_end": "default",
                "min": len(each.host_ids),
                "max": len(each.host_ids),
            }
        ],
        "events": [
            {
                "id": each.reservation_id,
                "lease_id": each.id,
                "event_type": event_type,
                "time": time,
                "status": "UNDONE",
                **created,
                "updated_at": None,
            }
            for event_type, time in (("start_lease", start), ("end_lease", end), ("before_end_lease", start))
        ],
    }


def capacity(flavor: Flavor, window: Interval, time_format: str) -> Document:
    """A row of `GET /flavor-instances/availability`: contiguous segments, the same whenever they are asked for."""
    total = max(1, 112 // flavor.vcpus)
    segments: list[Document] = []
    start = window.start
    while start < window.end:
        bucket = (start - datetime(2000, 1, 1, tzinfo=UTC)) // CAPACITY_CHANGES_EVERY
        end = min(window.end, datetime(2000, 1, 1, tzinfo=UTC) + (bucket + 1) * CAPACITY_CHANGES_EVERY)
        available = Random(f"{flavor.id} {bucket}").randint(0, total)  # noqa: S311
        times = {"start": start.strftime(time_format), "end": end.strftime(time_format)}
        segments.append({**times, "available": available, "total": total})
        start = end
    spec = {"vcpus": flavor.vcpus, "memory_mb": flavor.ram_mb, "disk_gb": flavor.disk_gb}
    return {"flavor_id": flavor.id, "resource_spec": spec, "availability": segments}


def nova_flavor(flavor: Flavor) -> Document:
    """A row of `GET /flavors/detail`."""
    return {
        "id": flavor.id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mb,
        "disk": flavor.disk_gb,
        "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "rxtx_factor": 1.0,
        "os-flavor-access:is_public": True,
        "links": [],
        "extra_specs": {},
        "description": None,
    }


def answer(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON, or nothing where there is nothing to say."""
    content = b"" if body is None else json.dumps(body).encode()
    return web.Response(body=content, status=status, content_type="application/json", headers=headers)


def blazar_answer(body: object, *, status: int = 200) -> web.Response:
    """An answer of Blazar's own, past Keystone's middleware."""
    headers = {"OpenStack-API-Version": "reservation 1.0", "Vary": "OpenStack-API-Version", **request_id()}
    return answer(body, status=status, headers=headers)


def blazar_error(status: int, message: str, name: int | str | None = None) -> web.Response:
    """An error of Blazar's own."""
    body = {"error_code": status, "error_message": message, "error_name": status if name is None else name}
    return blazar_answer(body, status=status)


def internal_error() -> web.Response:
    """What Blazar says of its own faults, and of a flavor that Nova does not know."""
    return blazar_error(500, "Internal Server Error", "INTERNAL_SERVER_ERROR")


def no_route() -> web.Response:
    """What Blazar says of a path that it does not have."""
    return answer({"error": 404, "error_message": NO_ROUTE}, status=404, headers=request_id())


def unauthenticated(identity_url: str) -> web.Response:
    """What Keystone's middleware says, in front of Blazar and Nova, of a token that is missing, wrong or over."""
    error = {"code": 401, "title": "Unauthorized", "message": REQUIRES_AUTHENTICATION}
    headers = {"WWW-Authenticate": f'Keystone uri="{identity_url}"'}
    return answer({"error": error}, status=401, headers=headers)


def keystone_answer(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of Keystone."""
    return answer(body, status=status, headers={"Vary": "X-Auth-Token", **request_id(), **(headers or {})})


def keystone_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error of Keystone."""
    error = {"code": status, "message": message, "title": HTTPStatus(status).phrase}
    return keystone_answer({"error": error}, status=status, headers=headers)


def request_id() -> dict[str, str]:
    """The header by which a request is found in OpenStack's logs."""
    return {"X-Openstack-Request-Id": f"req-{uuid4()}"}

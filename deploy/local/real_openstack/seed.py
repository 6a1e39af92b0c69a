"""What a site's Blazar holds before anybody has used it."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from deploy.local.openstack.bookings import STRANGER

INVENTED: Final = 12
"""Hosts beside the given ones, which have leases or are odd; the given ones are free."""

HOUR: Final = 60
DAY: Final = 24 * HOUR


def seeded(hostnames: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Hosts, and leases of some of them by their numbers, which count from 1 in the order of the hosts."""
    invented = [str(uuid5(NAMESPACE_DNS, f"host{number}.example.org")) for number in range(INVENTED)]
    hosts = [_host(name) for name in (*hostnames, *invented, STRANGER)]
    hosts[-2] |= {"reservable": False}
    hosts[-3] |= {"reservable": False, "disabled": True}
    hosts.append({"hostname": None, "capabilities": {}})
    first = len(hostnames) + 1
    held = [str(first), str(first + 1)]
    leases = [
        _lease(held, -HOUR, 10 * HOUR),
        _lease(held[:1], 10 * HOUR, 34 * HOUR),  # back to back
        _lease(held[1:], 9 * HOUR, 12 * HOUR),  # overlapping: it happens
        _lease([str(first + 2)], -3 * DAY, 7 * DAY),
        _lease([str(first + 3), str(first + 4)], 2 * DAY, 4 * DAY),
    ]
    return {"hosts": hosts, "leases": leases}


def _host(name: str) -> dict[str, Any]:
    others = {f"prop.{number:02}": f"value-prop.{number:02}" for number in range(1, 6)}
    return {
        "hostname": name,
        "capabilities": {"uid": name, "node_type": "compute_seeded", "node_name": f"node-{name[:8]}", **others},
    }


def _lease(host_ids: list[str], start_minutes: int, end_minutes: int) -> dict[str, Any]:
    return {"host_ids": host_ids, "start_minutes": start_minutes, "end_minutes": end_minutes}

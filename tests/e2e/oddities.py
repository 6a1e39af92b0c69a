"""What is odd about every site of both clouds, beside the nodes of the sample, which are all free."""

from collections.abc import Sequence
from datetime import timedelta

from deploy.local.openstack.site import SimulatedSite
from deploy.local.real_openstack.seed import seeded
from tests.inventories import node_document
from tests.repositories import TACC_NODES, GitRepository, write

_HOSTS = seeded(())["hosts"]

HOSTNAMES = [host["hostname"] for host in _HOSTS if host["hostname"] is not None]
"""Of the odd hosts; one more has none."""

BACK_TO_BACK, OVERLAPPING = HOSTNAMES[:2]
"""Each has two bookings, of which the first has begun."""

DISABLED = next(host["hostname"] for host in _HOSTS if host.get("disabled"))
MISSING = "ffffffff-0000-4000-8000-000000000002"
"""A node that Blazar does not list."""


def enrol(repository: GitRepository, *node_ids: str) -> None:
    """Makes them nodes of the inventory, at tacc."""
    for node_id in node_ids:
        write(repository.data / TACC_NODES / f"{node_id}.json", node_document(node_id))
    repository.commit("odd nodes")


def fill(site: SimulatedSite, hostnames: Sequence[str]) -> None:
    """Gives a simulated site what a real one is seeded with."""
    content = seeded(hostnames)
    for host in content["hosts"]:
        state = {key: host[key] for key in ("reservable", "disabled") if key in host}
        site.add_host(host["hostname"], **state)
    names = [host["hostname"] for host in content["hosts"]]
    now = site.now().replace(second=0, microsecond=0)
    for lease in content["leases"]:
        start, end = (now + timedelta(minutes=lease[key]) for key in ("start_minutes", "end_minutes"))
        site.add_lease([names[int(number) - 1] for number in lease["host_ids"]], start, end)

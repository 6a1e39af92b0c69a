"""The testbed that docs/tutorial.md is about: the sample inventory, with bookings as of one moment."""

from pathlib import Path
from typing import Final

from api_service.adapters import git_repository
from api_service.domain.inventory import Inventory
from deploy.local.sample import write_sample
from shared.availability import NodeAvailability, SiteAvailability
from tests.inventories import NOW, booked, polled

DAY: Final = 24
BOOKINGS: Final[dict[str, dict[str, list[tuple[float, float]]]]] = {
    "tacc": {"pcie-01": [(-DAY, 2 * DAY)], "pcie-02": [(-2, 30)], "pcie-03": [(20, 44)], "r-01": [(0, 3 * DAY)]},
    "uc": {f"r-{number:02}": [(number, 4 * DAY + number)] for number in range(1, 12)},
}
"""Hours from now, by site and name of the node."""

IN_MAINTENANCE: Final = "pcie-05"
NOT_LISTED: Final = "pcie-06"


def sample(folder: Path) -> Inventory:
    """The sample as the same commits whenever it is made."""
    return git_repository.load(write_sample(folder, now=NOW))


def snapshots(inventory: Inventory) -> list[SiteAvailability]:
    """What a poll found at each site but `kvm`, which was never polled."""
    return [polled(site_id, *_nodes(inventory, site_id)) for site_id in BOOKINGS]


def _nodes(inventory: Inventory, site_id: str) -> list[NodeAvailability]:
    names = {node.written.document()["node_name"]: node.uid for node in inventory.site(site_id).nodes()}
    return [
        booked(*BOOKINGS[site_id].get(name, []), node_id=uid, maintenance=name == IN_MAINTENANCE)
        for name, uid in names.items()
        if name != NOT_LISTED
    ]

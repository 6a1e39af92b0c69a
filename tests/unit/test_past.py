"""What is kept of the past has a weight, whatever it consists of."""

import pytest

from api_service.domain.inventory import Site
from api_service.http import past
from api_service.http.bodies import Bodies
from tests.inventories import cluster, inventory, site
from tests.unit.test_bodies import links

LONG = "x" * 100_000


@pytest.mark.parametrize(
    "kept",
    [
        site("uc", text=LONG),
        site("uc", cluster("uc", "main", [], text=LONG)),
        site("uc", cluster("uc", "main", [{"uid": "n", "text": LONG}])),
        site("uc", flavors=[{"uid": "f", "text": LONG}]),
    ],
    ids=["site", "cluster", "node", "flavor"],
)
def test_a_commit_weighs_more_than_all_that_it_holds(kept: Site) -> None:
    assert past._weight(Bodies(inventory(kept), links())) > 2 * len(LONG)

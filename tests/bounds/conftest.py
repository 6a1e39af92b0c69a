"""What these tests measure is printed at their end, to be quoted in docs/operations.md."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.rabbitmq import RabbitNode
from tests.bounds.load import NODE_IDS
from tests.e2e import oddities
from tests.e2e.cloud import SimulatedTestCloud
from tests.e2e.world import World
from tests.figures import figure, pytest_terminal_summary
from tests.rabbitmq import add_vhost
from tests.repositories import GitRepository

__all__ = ["figure", "pytest_terminal_summary"]

NUMBERS = count()


@pytest.fixture
async def simulated() -> AsyncIterator[SimulatedCloud]:
    """A site with 500 nodes more than the sample's, another, and one with flavors."""
    async with SimulatedCloud({"tacc": NODE_IDS, "uc": (), "kvm": ()}, flavors={"kvm": ["m1.tiny"]}) as cloud:
        yield cloud


@pytest.fixture
async def world(rabbitmq: RabbitNode, simulated: SimulatedCloud, tmp_path: Path) -> AsyncIterator[World]:
    """Sites of the sample, one of them with 500 nodes more; nothing polls them unless a test starts it."""
    repository = GitRepository.of_sample(tmp_path / "repository")
    oddities.enrol(repository, *NODE_IDS)
    cloud = SimulatedTestCloud(simulated, tmp_path / "clouds.yaml")
    url = add_vhost(rabbitmq, f"bounds{next(NUMBERS)}")
    async with World(cloud, repository, url, tmp_path / "world") as made:
        yield made

"""The world of each end-to-end test."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.rabbitmq import RabbitNode
from tests.e2e import oddities
from tests.e2e.cloud import SimulatedTestCloud
from tests.e2e.world import World
from tests.rabbitmq import add_vhost
from tests.repositories import GitRepository

NUMBERS = count()


@pytest.fixture
async def cloud(tmp_path: Path, repository: GitRepository) -> AsyncIterator[SimulatedTestCloud]:
    """Hosts for the sample's nodes, some odd ones, and flavors at the site of virtual machines."""
    simulated = SimulatedCloud({"tacc": (), "uc": (), "kvm": ()}, flavors={"kvm": ["m1.tiny", "m1.large"]})
    for site_id in SimulatedTestCloud.site_ids:
        nodes = sorted(repository.data.glob(f"sites/{site_id}/clusters/*/nodes/*.json"))
        oddities.fill(simulated.sites[site_id], [file.stem for file in nodes])
    async with simulated:
        yield SimulatedTestCloud(simulated, tmp_path / "clouds.yaml")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.of_sample(tmp_path / "repository")


@pytest.fixture
async def world(
    rabbitmq: RabbitNode, cloud: SimulatedTestCloud, repository: GitRepository, tmp_path: Path
) -> AsyncIterator[World]:
    url = add_vhost(rabbitmq, f"world{next(NUMBERS)}")
    async with World(cloud, repository, url, tmp_path / "world") as made:
        yield made

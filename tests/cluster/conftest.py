"""A cluster that all tests share, and what they measured; without `-m cluster` no test here is selected."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.topology import Topic
from tests.cluster.company import Company
from tests.rabbitmq import FIRST_STREAM_SECONDS
from tests.rabbitmq_cluster import RabbitCluster

FIGURES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker("cluster")
    if "cluster" not in config.option.markexpr:
        items[:] = [item for item in items if item not in ours]
        config.hook.pytest_deselected(items=ours)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for figure in config.stash.get(FIGURES, []):
        terminalreporter.write_line(figure)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Sentences that are told when the run is over."""
    return request.config.stash.setdefault(FIGURES, [])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitCluster]:
    """Three nodes; whoever loses one brings it back."""
    cluster = RabbitCluster(tmp_path_factory.mktemp("cluster"))
    try:
        asyncio.run(_begun(cluster))
        yield cluster
    finally:
        cluster.close()


async def _begun(cluster: RabbitCluster) -> None:
    await cluster.start()
    async with Company(cluster, [Topic("first")]).working():
        await asyncio.sleep(FIRST_STREAM_SECONDS)

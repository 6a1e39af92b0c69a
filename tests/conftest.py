"""Fixtures of every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from deploy.local.rabbitmq import RabbitNode
from shared.topology import Topic
from tests.rabbitmq import started_node, unique_topic

# No test is timed: how fast the machine is says nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A private RabbitMQ; whoever stops it starts it again."""
    node = started_node(tmp_path_factory.mktemp("rabbitmq"))
    yield node
    node.close()


@pytest.fixture
def topic() -> Topic:
    """A topic that no other test knows."""
    return unique_topic()

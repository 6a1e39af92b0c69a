"""A wire to the broker that can be cut."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.rabbitmq import RabbitNode
from tests.tcp_proxy import TcpProxy


@pytest.fixture
async def wire(rabbitmq: RabbitNode) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(rabbitmq.port).listening() as proxy:
        yield proxy

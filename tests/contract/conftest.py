"""Every test here runs over both transports."""

import pytest

from shared.embedded import EmbeddedTransport
from shared.transport import Transport
from tests.rabbitmq import transport as broker_transport


@pytest.fixture(params=["embedded", "rabbitmq"])
def transport(request: pytest.FixtureRequest) -> Transport:
    if request.param == "embedded":
        return EmbeddedTransport()
    return broker_transport(request.getfixturevalue("rabbitmq"))

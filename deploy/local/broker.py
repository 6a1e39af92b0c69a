"""Which broker `make run` uses: one that is named, one that is there, a private one, or none at all."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.install_rabbitmq import CannotInstallError, install_rabbitmq
from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from shared.transport import SessionLostError

VARIABLE: Final = "REFERENCE_API_BROKER_URL"
LOCAL_URL: Final = "amqp://guest:guest@localhost:5672/"
LOCAL: Final = ("localhost", 5672)
PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Broker:
    """What was found.

    Attributes:
        url: None means the embedded transport: both services in one process.
        told: What it is, for people; never with a password.
    """

    url: str | None
    told: str


@contextlib.contextmanager
def broker(environ: Mapping[str, str], folder: Path) -> Iterator[Broker]:
    """A broker for as long as the context lasts; whatever a private one writes goes into `folder`.

    Raises:
        RabbitNodeError: RabbitMQ is installed but does not start.
    """
    if environ.get("BROKER") == "embedded":
        yield Broker(None, "none, as BROKER=embedded asks: both services run in one process")
    elif url := environ.get(VARIABLE):
        yield Broker(url, f"the one of {VARIABLE}")
    elif usable(LOCAL_URL):
        yield Broker(LOCAL_URL, f"the RabbitMQ on {LOCAL[0]}:{LOCAL[1]}")
    else:
        try:
            install_rabbitmq()
        except CannotInstallError as error:
            yield Broker(None, f"none: both services run in one process ({error})")
            return
        node = RabbitNode(folder)
        try:
            node.start()
            yield Broker(node.url, f"a private RabbitMQ on 127.0.0.1:{node.port}")
        finally:
            node.close()


def usable(url: str) -> bool:
    """Whether RabbitMQ answers on localhost and lets the user of `url` in."""
    with contextlib.suppress(OSError), socket.create_connection(LOCAL, timeout=1):
        return asyncio.run(_lets_in(url))
    return False


async def _lets_in(url: str) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), BrokerTransport(url, name="make-run").session("probe"):
            return True
    except (SessionLostError, TimeoutError):
        return False

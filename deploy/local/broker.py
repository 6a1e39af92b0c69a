"""Which broker `make run` uses: one that is named, one that is there, a private one, or none at all."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.install_rabbitmq import CannotInstallError, install_rabbitmq
from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from shared.transport import SessionLostError

VARIABLE: Final = "REFERENCE_API_BROKER_URL"
LOCAL_URL: Final = "amqp://guest:guest@localhost:5672/"
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
def broker(
    environ: Mapping[str, str],
    folder: Path,
    *,
    local_url: str = LOCAL_URL,
    install: Callable[[], None] = install_rabbitmq,
) -> Iterator[Broker]:
    """A broker for as long as the context lasts; whatever a private one writes goes into `folder`.

    Args:
        environ: May name a broker, or ask for none.
        folder: Made if it is needed.
        local_url: The broker that may happen to run here.
        install: Installs RabbitMQ, or raises CannotInstallError.

    Raises:
        RabbitNodeError: RabbitMQ is installed but does not start.
    """
    if environ.get("BROKER") == "embedded":
        yield Broker(None, "none, as BROKER=embedded asks: both services run in one process")
    elif url := environ.get(VARIABLE):
        yield Broker(url, f"the one of {VARIABLE}")
    elif usable(local_url):
        yield Broker(local_url, f"the RabbitMQ on {BrokerTransport(local_url, name='make-run').location}")
    else:
        try:
            install()
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
    """Whether RabbitMQ is at `url` and lets its user in."""
    return asyncio.run(_lets_in(url))


async def _lets_in(url: str) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), BrokerTransport(url, name="make-run").session("probe"):
            return True
    except (SessionLostError, TimeoutError):
        return False

"""Which broker `make run` uses: one that is named, one that is there, a private one, or none at all."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError
from deploy.local.install_rabbitmq import install_rabbitmq
from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from shared.broker_session import BrokerSession
from shared.topology import Topic
from shared.transport import SessionLostError

VARIABLE: Final = "REFERENCE_API_BROKER_URL"
LOCAL_URL: Final = "amqp://guest:guest@localhost:5672/"
PATIENCE_SECONDS: Final = 5.0


class BrokerUnusableError(Exception):
    """The broker that is named cannot be used. Its text says why, without a password."""


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
    simulated: Collection[Topic] = (),
    local_url: str = LOCAL_URL,
    install: Callable[[], None] = install_rabbitmq,
) -> Iterator[Broker]:
    """A broker for as long as the context lasts; whatever a private one writes goes into `folder`.

    Args:
        environ: May name a broker, or ask for none.
        folder: Made if it is needed.
        simulated: What will be published and is not true. A broker that happens to run here is used for that only if
            it serves nobody yet, and is left as it was.
        local_url: The broker that may happen to run here.
        install: Installs RabbitMQ, or raises CannotInstallError.

    Raises:
        BrokerUnusableError: the broker that is named does not let us in.
        RabbitNodeError: RabbitMQ is installed but does not start.
    """
    if environ.get("BROKER") == "embedded":
        yield Broker(None, "none, as BROKER=embedded asks: both services run in one process")
    elif url := environ.get(VARIABLE):
        if reason := why_unusable(url):
            raise BrokerUnusableError(f"{VARIABLE}: RabbitMQ at {_transport(url).location} cannot be used: {reason}")
        yield Broker(url, f"the one of {VARIABLE}")
    elif not why_unusable(local_url) and not (simulated and _serves_somebody(local_url)):
        with _left_as_it_was(local_url, simulated):
            yield Broker(local_url, f"the RabbitMQ on {_transport(local_url).location}")
    else:
        with _private(folder, install) as found:
            yield found


@contextlib.contextmanager
def _left_as_it_was(url: str, simulated: Collection[Topic]) -> Iterator[None]:
    try:
        yield
    finally:
        if simulated:
            with contextlib.suppress(SessionLostError, TimeoutError):
                _asked(url, lambda session: session.remove(simulated))


@contextlib.contextmanager
def _private(folder: Path, install: Callable[[], None]) -> Iterator[Broker]:
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


def why_unusable(url: str) -> str | None:
    """Why RabbitMQ at `url` does not let us in; None if it does."""
    try:
        _asked(url, lambda session: session.declare_tokens(()))
    except (SessionLostError, TimeoutError) as error:
        return str(error) or "it does not answer"
    return None


def _serves_somebody(url: str) -> bool:
    return not _asked(url, lambda session: session.untouched())


def _asked[T](url: str, ask: Callable[[BrokerSession], Awaitable[T]]) -> T:
    """What a session of its own answers; raises SessionLostError or TimeoutError."""

    async def answer() -> T:
        async with asyncio.timeout(PATIENCE_SECONDS), _transport(url).session("probe") as session:
            return await ask(session)

    return asyncio.run(answer())


def _transport(url: str) -> BrokerTransport:
    return BrokerTransport(url, name="make-run")

"""The log on RabbitMQ: plain connections, each whole or thrown away (see `shared.sessions`).

Not `connect_robust`: its restored channels and consumers come back one by one, some never, and confirms that
were pending across a reconnect can hang.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr

from shared.amqp_decoding import tolerate_any_properties
from shared.broker_losses import loss_of
from shared.broker_session import BrokerSession
from shared.sessions import being_cancelled
from shared.topology import JobQueueType
from shared.transport import SessionLostError

CLOSE_SECONDS: Final = 2.8
FINISH_SECONDS: Final = 0.5
DEFAULT_PORTS: Final = {"amqp": 5672, "amqps": 5671}

tolerate_any_properties()
for library in ("aiormq", "aio_pika"):
    # They repeat the broker's URL, and say at every attempt what `shared.sessions` says once.
    logging.getLogger(library).setLevel(logging.CRITICAL)


class _Connection(aio_pika.Connection):
    def __del__(self) -> None:
        """Nothing: its own would close it with a coroutine that nobody awaits, in whatever thread collects it."""


class BrokerTransport:
    """Makes sessions with one RabbitMQ broker or cluster, 3.10 or later."""

    def __init__(
        self,
        url: SecretStr | str,
        *,
        name: str,
        job_queue_type: JobQueueType = JobQueueType.CLASSIC,
        heartbeat: timedelta = timedelta(seconds=8),
        patience: timedelta = timedelta(seconds=10),
        silence: timedelta = timedelta(seconds=2),
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: `amqp://` or `amqps://`; never shown anywhere.
            name: Who we are, for the broker's list of connections.
            job_queue_type: Part of the names of the queues of poll tokens.
            heartbeat: A frozen peer is found after two to three of these; whole seconds.
            patience: How long the broker may take to answer anything.
            silence: How long a stream must say nothing to a new follower to count as empty.

        Raises:
            ValueError: the URL cannot be read; the message does not repeat it.
        """
        self._url = SecretStr(url) if isinstance(url, str) else url
        self._name = name
        self._job_queue_type = job_queue_type
        self._heartbeat = round(heartbeat.total_seconds())
        self._patience = patience.total_seconds()
        self.silence = silence
        self.location = _location(self._url.get_secret_value())

    @asynccontextmanager
    async def session(self, purpose: str) -> AsyncIterator[BrokerSession]:
        """A connection, its channel and whatever is consumed over it, until any part of them is lost."""
        connection = await self._connected(purpose)
        try:
            yield await self._opened(connection)
        finally:
            await _close(connection)

    async def _connected(self, purpose: str) -> AbstractConnection:
        connecting = asyncio.ensure_future(
            aio_pika.connect(
                self._url.get_secret_value(),
                connection_class=_Connection,
                timeout=self._patience,
                heartbeat=self._heartbeat,
                client_properties={"connection_name": f"{self._name}/{purpose}"},
            )
        )
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError as error:
            if not being_cancelled():
                raise loss_of(error) from None
            await _abandon(connecting)
            raise
        except Exception as error:  # noqa: BLE001 - see BrokerSession.answered
            raise loss_of(error) from None

    async def _opened(self, connection: AbstractConnection) -> BrokerSession:
        try:
            async with asyncio.timeout(self._patience):
                return await BrokerSession.open(connection, self._job_queue_type, patience=self._patience)
        except TimeoutError:
            raise SessionLostError("the broker opens no channel") from None


async def _abandon(connecting: asyncio.Future[_Connection]) -> None:
    """Ends a connect that nobody waits for any more.

    Cancelled in its last steps it would leave a connection that nobody can close, so it may finish first.
    """
    await asyncio.wait({connecting}, timeout=FINISH_SECONDS)
    connecting.cancel()
    await asyncio.wait({connecting}, timeout=FINISH_SECONDS)
    if connecting.done() and not connecting.cancelled() and connecting.exception() is None:
        await _close(connecting.result())


async def _close(connection: AbstractConnection) -> None:
    """Within `CLOSE_SECONDS`, whatever the broker does."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()
    except asyncio.CancelledError:
        if being_cancelled():
            raise
    except Exception:  # noqa: BLE001, S110 - it is thrown away, and why it ended has been told
        pass


def _location(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError("the broker's URL cannot be read") from None
    return f"{parts.hostname or 'localhost'}:{port}"

"""What RabbitMQ's client libraries raise, as losses of a session."""

import asyncio
import re
from typing import Final

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, ChannelPreconditionFailed, PublishError

from shared.transport import RefusedError, SessionClosedError, SessionLostError, TopologyError

MISMATCH: Final = re.compile(r"(inequivalent|invalid) arg")
REFUSAL: Final = re.compile(r"ACCESS_REFUSED|Connection\.Close")
"""Of a user, of something that this user may not do, or of a virtual host: Connection.Close instead of OpenOk."""

LONGEST_REASON: Final = 300


def loss_of(error: BaseException | None) -> SessionLostError:
    """Our error for one of the client libraries'; the broker's URL, which some of them repeat, is left out."""
    match error:
        case ChannelPreconditionFailed() if MISMATCH.search(str(error)):
            return TopologyError(str(error)[:LONGEST_REASON])
        case None | asyncio.CancelledError() | ChannelInvalidStateError():
            return SessionClosedError("the connection is closed")
        case AMQPError() if REFUSAL.search(str(error)):
            return RefusedError(_why(error)[:LONGEST_REASON])
        case _:
            return SessionLostError(_why(error)[:LONGEST_REASON])


def _why(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "the broker does not answer"
        case PublishError():
            return f"the broker could not route a message: {error}"
        case AMQPError() if "Connection.Close" in str(error):  # instead of Connection.OpenOk
            return "the broker opens no connection: is its virtual host there, and open to this user?"
        case AMQPError() | OSError():
            return f"{type(error).__name__}: {error}"
        case _:
            return type(error).__name__

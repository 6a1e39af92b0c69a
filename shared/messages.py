"""Messages as the log carries them: CloudEvents 1.0 in binary mode over AMQP.

A body is deflated JSON. A breaking change is a new `type` and new streams beside the old; within a version
fields are only added, and readers ignore those that they do not know.
"""

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from shared.availability import MAX_GENERATION, SiteAvailability, Snapshot
from shared.site_bodies import SiteBodies, site_body
from shared.topology import Subject
from shared.wire import SiteAvailabilityMessage, SiteFlavorsMessage

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""A decompressed body above this is refused: 50 000 nodes are about 8 MB."""

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""What is published is no larger: RabbitMQ 4 refuses messages over 16 MiB and closes the channel."""

THREAD_ABOVE_BYTES: Final = 20_000
"""The body of some 500 nodes with three bookings each: decoding more may take 10 ms, which an event loop would feel."""

DEFLATE_LEVEL: Final = 3
"""Takes less than half as long as zlib's own 6, of what is most of the writing, for a seventh more bytes."""

CONTENT_TYPE: Final = "application/json"
CONTENT_ENCODING: Final = "deflate"
LATER_TYPE: Final = re.compile(r"(?P<family>[a-z.-]{1,100})\.v([2-9]|[1-9][0-9]{1,3})")
SEQUENCE: Final = re.compile(r"[0-9]{1,20}")


class UnusableMessageError(Exception):
    """A message that can never be used, whatever is retried."""


class TooLargeMessageError(Exception):
    """A snapshot of which no message can be made that readers and brokers take. Its text tells the size."""


class NewerMessageError(Exception):
    """A message of a later version than this reader knows: left to later readers."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as the broker carries it. Only scalar headers survive a stream."""

    body: bytes
    headers: Mapping[str, str | int]
    content_type: str | None = CONTENT_TYPE
    content_encoding: str | None = CONTENT_ENCODING
    message_id: str | None = None
    type: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """What the headers of a snapshot tell without its body."""

    generation: int
    observed_at: datetime
    follows: int | None = None


MESSAGES: Final[Mapping[str, type[SiteAvailabilityMessage | SiteFlavorsMessage]]] = {
    model.TYPE: model for model in (SiteAvailabilityMessage, SiteFlavorsMessage)
}


def encode(snapshot: Snapshot, *, source: str) -> Envelope:
    """The message that carries `snapshot`; costs about 10 ms for 500 nodes with ten bookings each, 150 ms for 7 000.

    Args:
        snapshot: What to tell.
        source: A URI reference naming the writer (CloudEvents `source`).

    Raises:
        TooLargeMessageError: its body is over `MAX_BODY_BYTES`, or deflated over `MAX_MESSAGE_BYTES`.
    """
    kind: type[SiteAvailabilityMessage | SiteFlavorsMessage]
    if isinstance(snapshot, SiteAvailability):
        kind, body = SiteAvailabilityMessage, site_body(snapshot)
    else:
        kind, body = SiteFlavorsMessage, SiteFlavorsMessage.from_domain(snapshot).model_dump_json().encode()
    event_id = _event_id(snapshot)
    return Envelope(
        body=_deflated(body),
        headers={
            "cloudEvents:specversion": "1.0",
            "cloudEvents:id": event_id,
            "cloudEvents:type": kind.TYPE,
            "cloudEvents:source": source,
            "cloudEvents:subject": snapshot.site_id,
            "cloudEvents:time": snapshot.observed_at.isoformat(),
            "cloudEvents:sequence": f"{snapshot.generation:020d}",
            **({} if snapshot.follows is None else {"cloudEvents:follows": f"{snapshot.follows:020d}"}),
        },
        message_id=event_id,
        type=kind.TYPE,
        timestamp=snapshot.observed_at,
    )


def decode(envelope: Envelope, bodies: SiteBodies | None = None) -> Snapshot:
    """What a message says; costs what `SiteBodies.read` does, and 2 ms for each megabyte of JSON.

    Args:
        envelope: The message.
        bodies: What remembers the nodes that the last message of this site told of.

    Raises:
        UnusableMessageError: it is no message of ours, or is damaged, or its body is over `MAX_BODY_BYTES`.
        NewerMessageError: it is of a later version.
    """
    model = _model_of(envelope)
    if envelope.content_type != CONTENT_TYPE:
        raise UnusableMessageError(f"content type {envelope.content_type!r:.100}")
    try:
        if model is SiteAvailabilityMessage:
            return (bodies or SiteBodies()).read(_inflated(envelope))
        return model.model_validate_json(_inflated(envelope)).to_domain()
    except ValidationError as error:
        # Never the input itself: a message that somebody else wrote may hold anything.
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        where = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems[:3])
        raise UnusableMessageError(where[:300]) from None
    except ValueError as error:
        raise UnusableMessageError(str(error)[:300]) from error


async def decoded(envelope: Envelope, bodies: SiteBodies | None = None) -> Snapshot:
    """As `decode`, in a thread where that takes long."""
    if len(envelope.body) > THREAD_ABOVE_BYTES:
        return await asyncio.to_thread(decode, envelope, bodies)
    return decode(envelope, bodies)


def heading_of(envelope: Envelope) -> Heading | None:
    """What the headers alone tell; None if they are not of our making."""
    generation, follows = (_number_in(envelope, name) for name in ("cloudEvents:sequence", "cloudEvents:follows"))
    if generation is None or envelope.headers.get("cloudEvents:type") not in MESSAGES:
        return None
    try:
        observed_at = datetime.fromisoformat(str(envelope.headers.get("cloudEvents:time")))
    except ValueError:
        return None
    return Heading(generation, observed_at, follows) if observed_at.tzinfo else None


def _number_in(envelope: Envelope, header: str) -> int | None:
    """A generation; None if there is none, or one that no clock makes."""
    text = str(envelope.headers.get(header))
    return int(text) if SEQUENCE.fullmatch(text) and int(text) <= MAX_GENERATION else None


def _event_id(snapshot: Snapshot) -> str:
    """The same event published twice keeps its id; no two that differ may share one, not even of one site."""
    if isinstance(snapshot, SiteAvailability):
        return f"{snapshot.site_id}-{snapshot.generation}"
    return f"{snapshot.site_id}-{Subject.FLAVORS}-{snapshot.generation}"


def _model_of(envelope: Envelope) -> type[SiteAvailabilityMessage | SiteFlavorsMessage]:
    if envelope.headers.get("cloudEvents:specversion") != "1.0":
        raise UnusableMessageError("not a CloudEvent 1.0")
    kind = str(envelope.headers.get("cloudEvents:type"))
    if model := MESSAGES.get(kind):
        return model
    later = LATER_TYPE.fullmatch(kind)
    if later and f"{later['family']}.v1" in MESSAGES:
        raise NewerMessageError(kind)
    raise UnusableMessageError(f"unknown type {kind[:100]}")


def _deflated(body: bytes) -> bytes:
    deflated = zlib.compress(body, DEFLATE_LEVEL)
    if len(body) > MAX_BODY_BYTES or len(deflated) > MAX_MESSAGE_BYTES:
        raise TooLargeMessageError(f"a message of {len(body)} bytes, {len(deflated)} deflated")
    return deflated


def _inflated(envelope: Envelope) -> bytes:
    if envelope.content_encoding is None:
        if len(envelope.body) > MAX_BODY_BYTES:
            raise UnusableMessageError("the body is too large")
        return envelope.body
    if envelope.content_encoding != CONTENT_ENCODING:
        raise UnusableMessageError(f"content encoding {envelope.content_encoding!r:.100}")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(envelope.body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise UnusableMessageError("the body cannot be decompressed") from error
    if not inflater.eof:
        raise UnusableMessageError("the body is cut short or too large")
    return body

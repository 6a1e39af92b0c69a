"""The contract between the services as an AsyncAPI 3 document, generated from the models and the topology.

`python -m shared.asyncapi` writes `docs/asyncapi.json`; with `--check` it only says whether that is current.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic.json_schema import models_json_schema

from shared import __version__
from shared.messages import CONTENT_ENCODING, CONTENT_TYPE, MESSAGES
from shared.topology import DEAD_ARGUMENTS, DEAD_QUEUE, EXCHANGE, SITE_ID, STREAM_ARGUMENTS, Arguments, Subject, Topic
from shared.wire import SiteAvailabilityMessage, SiteFlavorsMessage

DOCUMENT: Final = Path("docs/asyncapi.json")
BINDING: Final = {"bindingVersion": "0.3.0"}
ANY_SITE: Final = "any-site"
"""Stands for `{site_id}` where a name is made: braces are no site id."""

FOLLOWS: Final = "cloudEvents:follows"
HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "cloudEvents:specversion": {"const": "1.0"},
    "cloudEvents:id": {"description": "Unique among all messages; the same message published twice keeps it."},
    "cloudEvents:type": {"description": "The payload's schema and its major version."},
    "cloudEvents:source": {"description": "The replica that polled.", "format": "uri-reference"},
    "cloudEvents:subject": {"description": "The site's id.", "pattern": f"^{SITE_ID.pattern}$"},
    "cloudEvents:time": {"description": "The payload's `observed_at`.", "format": "date-time"},
    "cloudEvents:sequence": {"description": "The payload's `generation`.", "pattern": "^[0-9]{20}$"},
    FOLLOWS: {"description": "The payload's `follows`; absent where that is null.", "pattern": "^[0-9]{20}$"},
}

SUMMARIES: Final = {
    Subject.SITE: "The availability of every node of one site, as one poll saw it.",
    Subject.FLAVORS: "The capacity of every flavor of one site, as one poll saw it.",
}

DESCRIPTION: Final = """\
What the sync service tells the API service: states, not commands. One message per poll carries the whole state of one \
site, and one RabbitMQ stream per site retains the newest, so that a reader that begins at `last` knows everything at \
once. A message is applied unless its `generation` is not above, or its `follows` is below, the generation that the \
reader has. Fields are only added within a version; a breaking change is a new type and new streams. Readers ignore \
fields that they do not know, skip newer versions, and put what they cannot read into the dead-letter queue."""


def document() -> dict[str, Any]:
    """The document as plain data."""
    models = {model.SUBJECT: model for model in MESSAGES.values()}
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template="#/components/schemas/{model}"
    )
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for subject, model in models.items():
        channels |= _channels(subject, model)
        operations |= _operations(subject)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Availability log",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": channels | {"deadLetters": _dead_letters()},
        "operations": operations,
        "components": {
            "messages": {model.__name__: _message(subject, model) for subject, model in models.items()},
            "schemas": schemas["$defs"],
        },
    }


def rendered() -> bytes:
    """The document as it is committed."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _channels(subject: Subject, model: type[SiteAvailabilityMessage | SiteFlavorsMessage]) -> dict[str, Any]:
    """Where a subject is published, and the stream that it is read from."""
    topic = Topic(ANY_SITE, subject)
    common = {
        "parameters": {"site_id": {"description": f"The site's id, matching `{SITE_ID.pattern}`."}},
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"}},
    }
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        f"{subject}": {
            "address": _of_any_site(topic.routing_key),
            "description": "Others may bind queues of their own to the exchange.",
            **common,
            "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **BINDING}},
        },
        f"{subject}Stream": {
            "address": _of_any_site(topic.stream),
            "description": f"A stream, bound to `{EXCHANGE}`; read it with `x-stream-offset: last`, acknowledging.",
            **common,
            **_queue(_of_any_site(topic.stream), STREAM_ARGUMENTS),
        },
    }


def _operations(subject: Subject) -> dict[str, Any]:
    publishing = {"deliveryMode": 2, "mandatory": True, **BINDING}
    return {
        f"publish_{subject}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{subject}"},
            "summary": "The sync service, after a poll; confirmed by the broker.",
            "bindings": {"amqp": publishing},
        },
        f"read_{subject}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{subject}Stream"},
            "summary": "Every replica of the API service.",
            "bindings": {"amqp": {"ack": True, **BINDING}},
        },
    }


def _dead_letters() -> dict[str, Any]:
    return {
        "address": DEAD_QUEUE,
        "description": "What no reader could use, as it was; `x-stream`, `x-offset` and `x-error` say where and why.",
        "messages": {"unusable": {"summary": "Anything."}},
        **_queue(DEAD_QUEUE, DEAD_ARGUMENTS),
    }


def _queue(name: str, arguments: Arguments) -> dict[str, Any]:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
    return {"bindings": {"amqp": {"is": "queue", "queue": queue, **BINDING}}, "x-arguments": dict(arguments)}


def _message(subject: Subject, model: type[SiteAvailabilityMessage | SiteFlavorsMessage]) -> dict[str, Any]:
    headers = {**HEADERS, "cloudEvents:type": {"const": model.TYPE}}
    return {
        "name": model.TYPE,
        "summary": SUMMARIES[subject],
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "required": [name for name in HEADERS if name != FOLLOWS],
            "properties": {name: {"type": "string", **facts} for name, facts in headers.items()},
        },
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": {"amqp": {"contentEncoding": CONTENT_ENCODING, "messageType": model.TYPE, **BINDING}},
    }


def _of_any_site(name: str) -> str:
    return name.replace(ANY_SITE, "{site_id}")


def main(arguments: Sequence[str]) -> int:
    """Writes the document, or with `--check` compares it; answers the process's exit status."""
    if "--check" not in arguments:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_bytes(rendered())
        return 0
    if DOCUMENT.is_file() and DOCUMENT.read_bytes() == rendered():
        return 0
    sys.stderr.write(f"{DOCUMENT} is not what the code says: run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The one RabbitMQ node of a test run, and what tests do to it."""

import asyncio
import os
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from deploy.local.rabbitmq import RabbitNode
from shared.broker import BrokerTransport
from shared.topology import Subject, Topic
from tests.eventually import until

FIRST_STREAM_SECONDS = 2.0
"""RabbitMQ killed within 0.8 s of the first stream ever declared on it loses that stream for good."""

SILENCE = timedelta(milliseconds=300)


def server_under_test() -> Path | None:
    """The start script that `RABBITMQ_SERVER` names, if it names one; else whatever is installed is tested."""
    named = os.environ.get("RABBITMQ_SERVER")
    return Path(named).absolute() if named else None


def started_node(directory: Path) -> RabbitNode:
    """A node that answers and may be killed at any time."""
    node = RabbitNode(directory, server=server_under_test())
    node.start()
    asyncio.run(_declare_first_stream(node))
    return node


async def _declare_first_stream(node: RabbitNode) -> None:
    async with transport(node).session("first") as session:
        await session.declare([Topic("first")])
    time.sleep(FIRST_STREAM_SECONDS)  # noqa: ASYNC251 - nothing tells when the danger is over


async def restarted(node: RabbitNode) -> None:
    """Starts a node that was stopped or killed, while the event loop runs on."""
    node.launch()
    await until(node.answers)


def transport(
    node: RabbitNode,
    *,
    name: str = "test",
    heartbeat: timedelta = timedelta(seconds=5),
    patience: timedelta = timedelta(seconds=10),
) -> BrokerTransport:
    return BrokerTransport(node.url, name=name, heartbeat=heartbeat, patience=patience, silence=SILENCE)


def unique_topic(subject: Subject = Subject.SITE) -> Topic:
    """No test meets another's queues on the node that they share."""
    return Topic(f"s{uuid4().hex[:12]}", subject)


def add_user(node: RabbitNode, name: str, password: str) -> None:
    """Somebody who may do nothing yet; neither name nor password has a quote in it."""
    _evaluate(node, f'rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"test">>)')


def add_vhost(node: RabbitNode, name: str, *, user_name: str = "guest", password: str = "guest") -> str:
    """A part of the broker where no other test's queues are; returns its URL for a user that there is."""
    user, everything = f'<<"{user_name}">>', '<<".*">>'
    _evaluate(
        node,
        f'rabbit_vhost:add(<<"{name}">>, {user}), rabbit_auth_backend_internal:set_permissions('
        f'{user}, <<"{name}">>, {everything}, {everything}, {everything}, {user})',
    )
    return f"amqp://{user_name}:{quote(password, safe='')}@127.0.0.1:{node.port}/{name}"


def _evaluate(node: RabbitNode, expressions: str) -> None:
    """In the node; Erlang's own client takes milliseconds, where `rabbitmqctl` takes a second."""
    client = shutil.which("erl_call", path=node.environment["PATH"])
    if client is None:
        node.control("eval", f"{expressions}.")
        return
    command = [client, "-sname", node.name, "-e"]
    done = subprocess.run(
        command, input=f"{expressions}.\n", env=node.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("{ok,"), (expressions, done)

"""RabbitMQ as it is installed, and what makes it run as a private node rather than as the machine's."""

import os
from pathlib import Path
from typing import Final

SERVERS: Final = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server",
    "/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
)
"""The real start script: Debian's wrapper in /usr/sbin changes user and directory, which a private node must not."""


def find_server() -> Path | None:
    """Where RabbitMQ's start script is installed, if it is."""
    for pattern in SERVERS:
        if found := sorted(Path("/").glob(pattern.lstrip("/"))):
            return found[-1]
    return None


def environment(
    server: Path, directory: Path, *, name: str, home: Path, port: int, distribution_port: int, epmd_port: int
) -> dict[str, str]:
    """Variables of a node's processes, and of whatever speaks to it as Erlang does.

    Args:
        server: RabbitMQ's start script.
        directory: Where everything is that the node writes.
        name: What other nodes, and `rabbitmqctl`, call it.
        home: Where its cookie is.
        port: Where clients connect.
        distribution_port: Where other nodes do.
        epmd_port: Where they ask for that.
    """
    inside = {
        "NOTIFY_SOCKET": "notify",  # set, the start script becomes the node instead of its parent
        "RABBITMQ_ADVANCED_CONFIG_FILE": "advanced.config",
        "RABBITMQ_CONFIG_FILE": "rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": "enabled_plugins",
        "RABBITMQ_GENERATED_CONFIG_DIR": "generated",
        "RABBITMQ_LOG_BASE": "log",
        "RABBITMQ_MNESIA_BASE": "mnesia",
        "RABBITMQ_PID_FILE": "pid",
    }
    return {
        # A server that brings its own Erlang brings epmd too.
        "PATH": f"{server.parent}:{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),  # Erlang's cookie
        "LANG": "C.UTF-8",
        "ERL_CRASH_DUMP_SECONDS": "0",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),  # not the machine's 4369
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # ignore /etc/rabbitmq
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_NODENAME": name,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        # Distribution on loopback only, and schedulers that do not spin while they wait.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
        **{variable: str((directory / path).absolute()) for variable, path in inside.items()},
    }

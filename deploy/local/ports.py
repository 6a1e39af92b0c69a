"""Ports of loopback that nobody listens on."""

import secrets
import socket
from contextlib import ExitStack, suppress
from typing import Final

FIRST: Final = 10_240
END: Final = 32_768
"""From here on systems give out ports by themselves: that of a process which is to come back would be another's."""


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens now, all different."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            port = FIRST + secrets.randbelow(END - FIRST)
            with suppress(OSError):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
    return found

"""Clients of every manner, byte by byte, each on a connection of its own."""

import select
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

WHOLE: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
EVENTS: Final = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_A_HEAD: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-"
HALF_A_BODY: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
FULL_PAGES: Final = 20 * b"GET /nodes/search?limit=5000 HTTP/1.1\r\nHost: x\r\n\r\n"
"""More than both ends' buffers hold, so that the server has to wait until somebody reads."""

RECEIVE_BYTES: Final = 4096


class Clients:
    """Those of one server; none of them reads anything."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._address = (urlsplit(url).hostname, urlsplit(url).port)
        self._stack = stack
        self.all: list[socket.socket] = []

    def come(self, number: int, saying: bytes = b"") -> list[socket.socket]:
        """So many more, each of which says this and no more."""
        for _ in range(number):
            client = self._stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            client.connect(self._address)
            client.sendall(saying)
            self.all.append(client)
        return self.all[-number:]


@contextmanager
def clients_of(url: str) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(url, stack)


def hung_up_on(clients: Collection[socket.socket]) -> int:
    """How many of them know that the server has left; a client that takes nothing does not hear of it."""
    poller = select.poll()
    for client in clients:
        poller.register(client, select.POLLRDHUP)
    return len(poller.poll(0))

"""Servers in processes of their own, and what is said to them before and after they are measured."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Final

LOCALHOST: Final = "127.0.0.1"
START_SECONDS: Final = 120


@dataclass(frozen=True)
class Server:
    """A running one."""

    port: int
    pid: int

    def say(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """What it answers; anything but a good answer is an error."""
        return self.ask(method, path, body, headers)[0]

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, HTTPMessage]:
        """The same with the headers of the answer."""
        connection = HTTPConnection(LOCALHOST, self.port, timeout=600)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            answer = response.read()
            assert response.status == 200, (path, response.status, answer[:1000])
            return answer, response.headers
        finally:
            connection.close()


@contextmanager
def started(module: str, *arguments: str, python: str = sys.executable, ready: str = "/") -> Iterator[Server]:
    """`python -m module PORT ARGUMENTS…`, which is ready when it has an answer at `ready` that is not empty."""
    with socket.create_server((LOCALHOST, 0)) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen([python, "-m", module, str(port), *arguments])
    server = Server(port, process.pid)
    try:
        _wait(server, process, ready)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(server: Server, process: subprocess.Popen[bytes], ready: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        assert time.monotonic() < end, "the server did not begin to answer"
        try:
            if json.loads(server.say("GET", ready)).get("total", 1):
                return
        except OSError:
            pass
        time.sleep(0.1)


def polls_of(server: Server) -> Sequence[str]:
    """Stops the polls; the moments of all there were."""
    found: list[str] = json.loads(server.say("POST", "/bench/hold"))
    return found

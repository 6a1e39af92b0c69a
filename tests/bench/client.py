"""A client that costs little: connections that ask the same over and over, and what the server spent on it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from tests.bench.running import LOCALHOST, Server

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "
NO_BODY: Final = b"304"
NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True)
class Load:
    """What one run of requests cost.

    Attributes:
        answered: How many requests.
        took: For how many seconds.
        cpu: Seconds of processor that the server used meanwhile, in all its threads.
        waits: How long each answer took in seconds, sorted.
    """

    answered: int
    took: float
    cpu: float
    waits: tuple[float, ...]

    @property
    def cost(self) -> float:
        """Seconds of processor a request."""
        return self.cpu / self.answered

    def wait(self, quantile: float) -> float:
        """The time within which this share of the answers came."""
        return self.waits[min(int(len(self.waits) * quantile), len(self.waits) - 1)]


def cpu_of(pid: int) -> float:
    """Seconds of processor that a process used in all its threads, to the nanosecond."""
    # Linux: the clock of another process is named by the complement of its id; 2 stands for the scheduler's.
    return time.clock_gettime_ns(~pid << 3 | 2) / NANOSECONDS


def request(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """As it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


class _Connection(asyncio.Protocol):
    """Asks again as soon as it has its answer, until its time is over."""

    def __init__(self, asked: bytes, status: bytes) -> None:
        self._asked, self._status = asked, status
        self._head = b""
        self._missing = -1
        self._began = self._end = 0.0
        self.waits: list[float] = []
        self.idle = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are such without being called so.
        self._transport = cast("asyncio.Transport", transport)

    def begin(self, end: float) -> None:
        self.waits.clear()
        self._end, self.idle = end, asyncio.get_running_loop().create_future()
        self._ask()

    def close(self) -> None:
        self.idle.cancel()
        self._transport.close()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, end, body = self._head.partition(HEAD_END)
            if not end:
                return
            self._head = b""
            self._missing = self._length(head.lower()) - len(body)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._answered()

    def _length(self, head: bytes) -> int:
        if head[9:12] != self._status:
            self._transport.abort()
            return 0
        return 0 if head[9:12] == NO_BODY else int(head[head.index(LENGTH) + len(LENGTH) :].partition(b"\r")[0])

    def _answered(self) -> None:
        self._missing = -1
        now = time.perf_counter()
        self.waits.append(now - self._began)
        if now < self._end:
            self._ask()
        elif not self.idle.done():
            self.idle.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.idle.done():
            self.idle.set_exception(AssertionError(f"the connection ended, or the status was another: {exc}"))


async def load(server: Server, asked: bytes, *, connections: int, seconds: float, status: int = 200) -> Load:
    """Lets so many connections ask for so long."""
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: _Connection(asked, str(status).encode()), LOCALHOST, server.port))[1]
        for _ in range(connections)
    ]
    # Once before it counts: whoever is new has more to do.
    await _ask(made, 0)
    began, cpu = time.perf_counter(), cpu_of(server.pid)
    await _ask(made, seconds)
    took, cpu = time.perf_counter() - began, cpu_of(server.pid) - cpu
    for each in made:
        each.close()
    waits = sorted(wait for each in made for wait in each.waits)
    return Load(len(waits), took, cpu, tuple(waits))


async def _ask(connections: Sequence[_Connection], seconds: float) -> None:
    for each in connections:
        each.begin(time.perf_counter() + seconds)
    await asyncio.gather(*(each.idle for each in connections))

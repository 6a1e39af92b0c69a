"""Clients that wait for what polls found: followers of `/events`, and one who asks over and over."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, cast

from tests.bench.client import request
from tests.bench.running import LOCALHOST, Server

GENERATION: Final = re.compile(rb'"generation":(\d+)')
LONGEST_MATCH: Final = 40
PATIENCE_SECONDS: Final = 60.0
ASK_SECONDS: Final = 0.004
MOST_A_SOURCE: Final = 5_000
CONNECTING: Final = 100
"""So many clients come at once, and the next when those are being told."""


def quantile(values: Collection[float], share: float) -> float:
    """The value that this share of `values` does not exceed; the largest for 1.

    Raises:
        AssertionError: there are none.
    """
    assert values, "nothing was measured"
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Told:
    """When whom was told of which generation."""

    def __init__(self) -> None:
        self._moments: dict[int, list[float]] = defaultdict(list)

    def note(self, generation: int) -> None:
        self._moments[generation].append(time.perf_counter())

    def moments(self, generation: int) -> Sequence[float]:
        return self._moments[generation]

    async def by(self, count: int, generation: int) -> Sequence[float]:
        """The moments at which so many were told of it.

        Raises:
            TimeoutError: they were not.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self._moments[generation]) < count:  # noqa: ASYNC110 - to look is cheaper than to be told
                await asyncio.sleep(0.01)
        return self._moments[generation]


class Follower(asyncio.Protocol):
    """Follows `/events`, and keeps nothing of it."""

    def __init__(self, asked: bytes, told: Told) -> None:
        self._asked, self._told = asked, told
        self._tail = b""
        self.begun = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            self.begun.set_result(None)
        data = self._tail + data
        end = 0
        for found in GENERATION.finditer(data):
            if found.end() < len(data):  # else there may be more digits to come
                self._told.note(int(found[1]))
                end = found.end()
        self._tail = data[max(end, len(data) - LONGEST_MATCH) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(AssertionError(f"a follower was sent away: {exc}"))

    def close(self) -> None:
        self._transport.close()


async def followers(server: Server, count: int, told: Told, path: str = "/events") -> Sequence[Follower]:
    """So many more, of several addresses, since each address has too few ports for all."""
    loop, asked = asyncio.get_running_loop(), request(path)
    made: list[Follower] = []
    for begin in range(0, count, CONNECTING):
        source = f"127.0.0.{2 + len(made) // MOST_A_SOURCE}"
        some = await asyncio.gather(
            *(
                loop.create_connection(lambda: Follower(asked, told), LOCALHOST, server.port, local_addr=(source, 0))
                for _ in range(min(CONNECTING, count - begin))
            )
        )
        made += [follower for _, follower in some]
        await asyncio.gather(*(follower.begun for _, follower in some))
    return made


async def seen(server: Server, path: str, text: bytes, headers: Mapping[str, str] | None = None) -> float:
    """The moment at which an answer held `text`; it is asked for each 4 ms.

    Raises:
        TimeoutError: none did.
    """
    reader, writer = await asyncio.open_connection(LOCALHOST, server.port)
    asked = request(path, headers)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                writer.write(asked)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                if text in await reader.readexactly(length):
                    return time.perf_counter()
                await asyncio.sleep(ASK_SECONDS)
    finally:
        writer.close()

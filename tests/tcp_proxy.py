"""A wire between a client and a server that can be cut, and can fall silent with all its connections open."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self


class TcpProxy:
    """Forwards to one port of this machine; of several, each connection goes to the next one that takes it.

    Args:
        targets: The ports.
        tls: With which it takes connections; None for none.
    """

    def __init__(self, *targets: int, tls: ssl.SSLContext | None = None) -> None:
        self._targets = targets
        self._tls = tls
        self._turn = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._wires: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def hang(self) -> None:
        """From now on nothing passes and nothing is closed, as when the peer is frozen."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Closes every connection."""
        for wire in self._wires:
            wire.cancel()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0, ssl=self._tls)
        try:
            yield self
        finally:
            self._server.close()
            self.cut()
            await asyncio.gather(*self._wires, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = asyncio.create_task(self._join(reader, writer))
        self._wires.add(wire)
        wire.add_done_callback(self._wires.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _aborted(writer):
            await self._flowing.wait()
            far_reader, far_writer = await self._connected()
            async with _aborted(far_writer):
                with suppress(ExceptionGroup):  # either side is gone
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._pump(reader, far_writer))
                        group.create_task(self._pump(far_reader, writer))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises ConnectionRefusedError where nobody listens."""
        for _ in self._targets:
            target = self._targets[self._turn % len(self._targets)]
            self._turn += 1
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", target)
        raise ConnectionRefusedError

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        raise EOFError


@asynccontextmanager
async def _aborted(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

"""A loopback port that a fault may befall."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from deploy.local.openstack.faults import MENDED, Fault, Handler, refused

STOP_SECONDS: Final = 0.1
REQUESTS_KEPT: Final = 10_000


class Listener:
    """Serves an application on a port of its own, as long as nothing is broken.

    Args:
        make_app: Makes the application anew, since one cannot be started twice.
        host: The address to listen on.
        port: 0 for a free one.
        name: What clients call the host, if not by its address.

    Attributes:
        requests: Method and path of what was asked lately, the newest last.
        connections: How many connections were made.
    """

    def __init__(
        self, make_app: Callable[[], web.Application], *, host: str = "127.0.0.1", port: int = 0, name: str = ""
    ) -> None:
        self.port = port
        self._host = host
        self._name = name or host
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)
        self._make_app = make_app
        self._runner: web.AppRunner | None = None
        self._peers: set[object] = set()
        self._fault: Fault | None = None
        self._path = re.compile("")
        self._times: int | None = None
        self._mended = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many connections asked for anything so far."""
        return len(self._peers)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self._name}:{self.port}"

    async def start(self) -> None:
        """Listens, on the same port as the last time."""
        app = self._make_app()
        app[MENDED] = self._mended
        app.middlewares.insert(0, self._middleware)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Closes the port and every connection."""
        self._mended.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    async def break_with(self, fault: Fault, *, path: str = "", times: int | None = None) -> None:
        """Lets `fault` befall requests.

        Args:
            fault: One of `deploy.local.openstack.faults`.
            path: Only requests whose path with query this regular expression finds.
            times: Only so many of them.
        """
        await self.mend()
        self._mended.clear()
        self._fault, self._path, self._times = fault, re.compile(path), times
        if fault is refused:
            await self.stop()

    async def mend(self) -> None:
        """Ends the fault, if there is one."""
        self._fault = None
        self._mended.set()
        if self._runner is None:
            await self.start()

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        self._peers.add(request.transport and request.transport.get_extra_info("peername"))
        fault = self._next_fault(request)
        return await (handler(request) if fault is None else fault(request, handler))

    def _next_fault(self, request: web.Request) -> Fault | None:
        if self._fault is None or self._times == 0 or not self._path.search(request.path_qs):
            return None
        if self._times is not None:
            self._times -= 1
        return self._fault

"""Whoever follows `/events`: their streams, and the one loop that tells all of them when something is another."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NoReturn

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from api_service.domain.follower import Follower
from api_service.domain.live_map import LiveMap
from api_service.http.event_frames import EventFrames
from api_service.http.middlewares import mark
from api_service.http.problems import TooBusyError

HEARTBEAT_SECONDS: Final = 15.0
SEND_SECONDS: Final = 20.0
SLICE_BYTES: Final = 64 * 1024
"""Of a long event; whoever takes one of them in `SEND_SECONDS` is slow, but there."""

KERNEL_SECONDS: Final = 10.0
"""The kernel's limit for the same is so much longer, so that it is we who end a stream, and count it."""

LONGEST_WAIT_SECONDS: Final = 5.0
"""The loop looks again after so long at the latest: a clock may be set."""

WOKEN_AT_ONCE: Final = 50
"""Between as many readers, others have their turn."""

RETRY_MILLISECONDS: Final = (1000, 5000)
"""A client whose stream ends comes again after some time between these, so that not all come at once."""

KINDS: Final = ("inventory", "resync", "availability")
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(EventSourceResponse):
    """One client's stream: takes frames that are made already, and can be woken and ended from outside."""

    def __init__(self, request: web.Request, *, heartbeat_seconds: float, send_seconds: float) -> None:
        super().__init__(ping_interval=heartbeat_seconds, send_timeout=send_seconds + KERNEL_SECONDS, sep="\n")
        self.headers.update(HEADERS)
        self.changed = asyncio.Event()
        self.ended = False
        self._request = request
        self._heartbeat_seconds, self._send_seconds = heartbeat_seconds, send_seconds

    @property
    def has_client(self) -> bool:
        """Whether the client is still connected."""
        return self._request.transport is not None

    async def took(self, frame: bytes, event_id: str) -> bool:
        """As `send`, which makes the lines anew for each client. A client that takes nothing is hung up on.

        Raises:
            ConnectionError: it has gone.
        """
        last_lines = b"id: %b\n\n" % event_id.encode()
        if len(frame) <= SLICE_BYTES:
            return await self._took(frame + last_lines)
        # What is long is not copied for each client.
        whole = memoryview(frame)
        for start in range(0, len(frame), SLICE_BYTES):
            if not await self._took(whole[start : start + SLICE_BYTES]):
                return False
        return await self._took(last_lines)

    async def _took(self, part: bytes | memoryview) -> bool:
        try:
            async with asyncio.timeout(self._send_seconds):
                await self.write(part)
        except TimeoutError:
            self._abort()
            return False
        return True

    async def until_changed(self) -> None:
        """Returns when it is woken, or after a heartbeat: then the client may have gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat_seconds):
                await self.changed.wait()

    def end(self) -> None:
        """Wakes it to end; what a client does not take is not waited for."""
        self.ended = True
        self.changed.set()
        if self._request.transport is not None and self._request.transport.get_write_buffer_size():
            self._abort()

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class Readers:
    """All streams.

    Attributes:
        dropped: Clients that did not take the next `SLICE_BYTES` in `send_seconds`.
        heartbeat_seconds: How long a stream is silent at most.
        send_seconds: How long a client may take for the next `SLICE_BYTES`.
    """

    def __init__(self, live: LiveMap, *, most: int) -> None:
        """Reads nothing yet.

        Args:
            live: What is told.
            most: How many may follow at once.
        """
        self.live, self.most = live, most
        self.dropped = 0
        self.heartbeat_seconds, self.send_seconds = HEARTBEAT_SECONDS, SEND_SECONDS
        self._sent: Counter[str] = Counter()
        self._frames = EventFrames(most_readers=most)
        self._open: set[EventStream] = set()
        self._changed = asyncio.Event()
        self._told: tuple[object, ...] = ()
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def sent(self) -> Mapping[str, int]:
        """Events sent, by kind, since the start of the process."""
        return {kind: self._sent[kind] for kind in KINDS}

    def refresh(self) -> None:
        """There is something new to tell."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Tells every change as it comes, and as time brings it."""
        while True:
            seconds = await self.tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()

    async def tell(self) -> float:
        """Brings the map up to date and wakes whoever follows it. Says in how many seconds to look again."""
        self._changed.clear()
        good_until = self.live.advance()
        telling = (self.live.inventory, *self.live.sites.values())
        if len(telling) != len(self._told) or any(a is not b for a, b in zip(telling, self._told, strict=True)):
            self._told = telling
            for number, stream in enumerate(tuple(self._open), start=1):
                stream.changed.set()
                if number % WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return min(LONGEST_WAIT_SECONDS, max(0.001, (good_until - self.live.now()).total_seconds()))

    async def follow(self, request: web.Request, follower: Follower) -> web.StreamResponse:
        """Answers with a stream, which ends with the client or the service.

        Raises:
            TooBusyError: so many follow already as may.
        """
        if len(self._open) >= self.most and not self._see_off():
            raise TooBusyError(f"{self.most} clients follow the events already; try again in a few seconds")
        if request.transport is None:  # it has gone already
            return web.Response()
        stream = EventStream(request, heartbeat_seconds=self.heartbeat_seconds, send_seconds=self.send_seconds)
        self._open.add(stream)
        try:
            await mark(request, stream)
            await stream.prepare(request)
            async with stream:
                await self._send(stream, follower)
        except (ConnectionError, TooBusyError):
            pass  # clients go without a word; who cannot be told now comes again
        finally:
            self._open.discard(stream)
        return stream

    async def end(self, _app: web.Application) -> None:
        """Ends all streams: the service stops."""
        self._ending = True
        for stream in self._open:
            stream.end()

    def _see_off(self) -> bool:
        """Lets those go that have gone: they would be missed at their next heartbeat only. Says whether any had."""
        gone = [stream for stream in self._open if not stream.has_client]
        for stream in gone:
            self._open.discard(stream)
            stream.end()
        return bool(gone)

    async def _send(self, stream: EventStream, follower: Follower) -> None:
        await stream.write(b"retry: %d\n\n" % random.randint(*RETRY_MILLISECONDS))  # noqa: S311 - no secret
        while stream.is_connected() and not (stream.ended or self._ending):
            stream.changed.clear()
            for event in follower.events():
                if frame := await self._frames.made(event):
                    if not await stream.took(frame, str(follower.token)):
                        self.dropped += 1
                        return
                    self._sent[event.kind] += 1
                if self._ending:
                    return
            await stream.until_changed()


READERS: Final = web.AppKey("readers", Readers)

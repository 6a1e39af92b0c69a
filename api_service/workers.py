"""Several processes on one port: a parent that starts them, replaces whoever dies, and ends after all of them."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from api_service import keys
from shared.probes import PROBED
from shared.process import STOPPING, stop_requested

log = structlog.get_logger()

END_SECONDS: Final = 8.5
"""Who has not ended by then is killed, so that all is over within 10 s; a worker by itself takes 7 at most."""

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that stood as long as this was a good one: its successor comes after the first pause again."""

READY_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 1.0
STEP_SECONDS: Final = 0.05

HEARD: Final = (*STOPPING, signal.SIGCHLD, signal.SIGALRM)
GOOD_ENDS: Final = (0, -signal.SIGTERM)
"""The latter of a worker that had not begun yet."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One of several processes.

    Attributes:
        number: From 1 on; its successor has the same.
        parent: The id of the process that replaces it.
    """

    number: int
    parent: int

    def join(self, app: web.Application) -> None:
        """Makes `app` one of several; to be called last, when all else that runs beside the requests is there."""
        app[keys.WORKER] = self.number
        app.cleanup_ctx.append(self._attend)

    @asynccontextmanager
    async def _attend(self, app: web.Application) -> AsyncIterator[None]:
        _hear_once()
        watch = asyncio.create_task(self._watch(app))
        # The others may have been at it for days: no client is to meet one that knows nothing yet.
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while not app[PROBED].readiness().good:  # noqa: ASYNC110 - whatever makes it ready knows nothing of us
                    await asyncio.sleep(STEP_SECONDS)
        yield
        watch.cancel()

    async def _watch(self, app: web.Application) -> None:
        """Ends the process once its parent is gone, or a loop of it: no probe from outside can tell workers apart."""
        while os.getppid() == self.parent and app[PROBED].liveness().good:  # noqa: ASYNC110 - nothing tells of either
            await asyncio.sleep(LOOK_SECONDS)
        log.error("worker ends itself", reasons=[*app[PROBED].liveness().reasons] or ["the parent is gone"])
        signal.raise_signal(signal.SIGTERM)


def _hear_once() -> None:
    """A second signal would cut short what the first began; some service managers send one to every process."""
    ending = False

    def end() -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise web.GracefulExit

    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, end)


def divided(count: int, sockets: Iterable[socket.socket]) -> Worker:
    """Goes on as `count` processes; returns in each of them, and never in the parent.

    To be called before there is a thread or an event loop.

    Args:
        count: How many workers there are to be at any time.
        sockets: What they all listen on: who connects waits for whichever accepts first, and for none that has died.

    Raises:
        SystemExit: in the parent, after SIGINT or SIGTERM: 0 if all workers ended in good order, else 1.
    """
    return _Parent(count, sockets).run()


class _Parent:
    """Hears signals only while it waits for them, so that none comes between a fork and what is noted of it."""

    def __init__(self, count: int, sockets: Iterable[socket.socket]) -> None:
        self._sockets = sockets
        numbers = range(1, count + 1)
        self._due = dict.fromkeys(numbers, 0.0)
        self._pauses = dict.fromkeys(numbers, FIRST_PAUSE_SECONDS)
        self._running: dict[int, tuple[int, float]] = {}
        self._deadline: float | None = None
        self._good = True

    def run(self) -> Worker:
        parent = os.getpid()
        heard_before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        if stop_requested():  # a worker would hear of it, end, and be replaced for ever
            sys.exit(0)
        while self._due or self._running:
            now = time.monotonic()
            for number in [number for number, due in self._due.items() if due <= now]:
                del self._due[number]
                if not self._started(number):
                    signal.pthread_sigmask(signal.SIG_SETMASK, heard_before)
                    return Worker(number, parent)
            self._wait()
        sys.exit(0 if self._good else 1)

    def _started(self, number: int) -> bool:
        """False in the worker."""
        pid = os.fork()
        if pid == 0:
            # A group of its own: Ctrl-C is for the parent, which tells the others.
            os.setpgid(0, 0)
            structlog.contextvars.bind_contextvars(worker=number)
            return False
        self._running[pid] = number, time.monotonic()
        log.info("worker started", worker=number, process=pid)
        return True

    def _wait(self) -> None:
        """For a signal, or the next moment at which something is to be done."""
        moments = [*self._due.values(), *([] if self._deadline is None else [self._deadline])]
        # An interval of 0 would never end.
        seconds = max(0.001, min(moments) - time.monotonic()) if moments else 0
        signal.setitimer(signal.ITIMER_REAL, seconds)
        heard = signal.sigwait(HEARD)
        if heard in STOPPING and self._deadline is None:
            self._end()
        self._bury()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill()

    def _end(self) -> None:
        self._due.clear()
        # Else whoever connects now would wait until all have ended.
        for each in self._sockets:
            each.close()
        self._deadline = time.monotonic() + END_SECONDS
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)

    def _bury(self) -> None:
        """Takes note of all that have ended."""
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self._running:  # the first process of a container is given others' children too
                self._ended(*self._running.pop(pid), pid, os.waitstatus_to_exitcode(status))

    def _ended(self, number: int, began: float, pid: int, status: int) -> None:
        if self._deadline is not None:
            self._good = self._good and status in GOOD_ENDS
            return
        now = time.monotonic()
        pause = FIRST_PAUSE_SECONDS if now - began >= STEADY_SECONDS else self._pauses[number]
        self._pauses[number] = min(LONGEST_PAUSE_SECONDS, 2 * pause)
        self._due[number] = now + pause
        log.error("worker died", worker=number, process=pid, status=status, pause_seconds=pause)

    def _kill(self) -> None:
        for pid, (number, _) in self._running.items():
            log.error("worker killed", worker=number, process=pid)
            os.kill(pid, signal.SIGKILL)
        self._deadline = float("inf")

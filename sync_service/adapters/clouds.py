"""A cloud of clouds.yaml: its clients are kept between calls, and whatever may hang does so in one daemon thread.

The clients have no total time limit and cannot be cancelled: a call that hangs keeps its thread, and until that
ends every other call fails at once, so that there is never more than one thread per `Cloud`.
"""

import asyncio
import contextlib
import functools
import io
import logging
import socket
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

import requests
import urllib3
from keystoneauth1 import session as keystone_session

from sync_service.adapters.cloud_errors import AuthenticationRefusedError, explained
from sync_service.adapters.clouds_file import SharedCloudsConfig
from sync_service.domain.ports import SourceError, TroubleKind

MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""Of one decoded body; 50 000 hosts with 60 capabilities each are about 150 MB."""

ENVIRONMENT: Final = "envvars"
"""The name by which openstacksdk calls the cloud of the `OS_*` variables."""

_CHUNK_BYTES: Final = 64 * 1024

# Of a file that is no YAML it tells the parser's text, which may quote a secret, and at every poll; we say it once.
logging.getLogger("openstack.config").setLevel(logging.CRITICAL)


class LimitedHttp(keystone_session.TCPKeepAliveAdapter):  # type: ignore[misc] # keystoneauth1 is not type-checked
    """Requests' transport, with a limit on a body's size and on the time of everything until `deadline`."""

    def __init__(self, max_answer_bytes: int) -> None:
        self._connections = weakref.WeakSet[urllib3.connection.HTTPConnection]()
        super().__init__()
        self.deadline = 0.0
        """By the monotonic clock."""
        self._max_answer_bytes = max_answer_bytes

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """As requests' own, but every connection is known, so that it can be cut."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _known(urllib3.HTTPConnectionPool, urllib3.connection.HTTPConnection, self._connections),
            "https": _known(urllib3.HTTPSConnectionPool, urllib3.connection.HTTPSConnection, self._connections),
        }

    def give_up(self) -> None:
        """Ends what is under way in another thread, even while headers trickle in: no limit of a socket ends that."""
        self.deadline = 0.0
        for connection in tuple(self._connections):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    # Not the TLS socket's own method, which takes from the other thread what it reads with.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As requests' own, but the body has been read when this returns.

        Raises:
            SourceError: the body is too large, or time is up.
        """
        response: requests.Response = super().send(request, **options | {"stream": True, "timeout": self._time_left()})
        try:
            response.raw = io.BytesIO(self._body(response.raw))
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        return response

    def _body(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        body = bytearray()
        with contextlib.closing(raw):  # which a connection survives that was read to the end
            # Takes what is there rather than whole chunks: a trickle passes every time limit of a socket.
            while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > self._max_answer_bytes:
                    raise SourceError(f"an answer of more than {self._max_answer_bytes} bytes", TroubleKind.TOO_LARGE)
                self._time_left()
        return bytes(body)

    def _time_left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise SourceError("the answer takes too long", TroubleKind.TIMEOUT)
        return left


def _known(
    pool: type[urllib3.HTTPConnectionPool],
    connection: type[urllib3.connection.HTTPConnection],
    connections: weakref.WeakSet[urllib3.connection.HTTPConnection],
) -> type[urllib3.HTTPConnectionPool]:
    """A pool whose connections are in `connections` from the moment they exist."""

    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807 - it is one
        connection.__init__(self, *arguments, **options)
        connections.add(self)

    known = type(f"Known{connection.__name__}", (connection,), {"__init__": __init__})
    return type(f"Known{pool.__name__}", (pool,), {"ConnectionCls": known})


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read, and how to see that it has changed since."""

    path: Path
    identity: tuple[int, int, int] | None

    @classmethod
    def now(cls, path: Path) -> "_File":
        try:
            found = path.stat()  # follows links: Kubernetes rotates a secret by swapping one
        except OSError:
            return cls(path, None)
        return cls(path, (found.st_ino, found.st_size, found.st_mtime_ns))


@dataclass(frozen=True, slots=True)
class _Opened[C]:
    """The clients of a cloud, and the files that say how to reach it."""

    clients: C
    http: LimitedHttp
    files: tuple[_File, ...]

    @property
    def outdated(self) -> bool:
        return any(_File.now(file.path) != file for file in self.files)


class Cloud[C]:
    """A cloud, and the clients that `build` makes of its configuration and session.

    Args:
        name: In clouds.yaml, or `envvars`.
        build: Makes the clients; called in the thread, and again when credentials were refused or files changed.
        timeout: Seconds that one call may take; the thread of a call that was given up ends soon after it.
        max_answer_bytes: How large a decoded body may be.
    """

    def __init__(
        self, name: str, build: Callable[[Any], C], *, timeout: float, max_answer_bytes: int = MAX_ANSWER_BYTES
    ) -> None:
        self._name = name
        self._build = build
        self._timeout = timeout
        self._max_answer_bytes = max_answer_bytes
        self._opened: _Opened[C] | None = None
        self._busy = False

    async def run[T](self, work: Callable[[C], T]) -> T:
        """`work` in this cloud's thread. May take longer than the limit: whoever awaits sets one of their own.

        Raises:
            SourceError: `work` raised it, the cloud cannot be configured, or the previous call still hangs.
        """
        if self._busy:
            raise SourceError("the previous call still hangs", TroubleKind.HANGING)
        self._busy = True
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        # Not an executor's thread: the interpreter would wait for it at exit.
        Thread(target=self._run, args=(work, future), name=f"cloud {self._name}", daemon=True).start()
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._give_up()
            raise

    def close(self) -> None:
        """Closes the connections that nobody uses; the next call opens new ones."""
        if self._opened is not None:
            self._opened.http.close()

    def _give_up(self) -> None:
        if self._opened is not None:
            self._opened.http.give_up()

    def _run[T](self, work: Callable[[C], T], future: Future[T]) -> None:
        try:
            result = work(self._open().clients)
        except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
            if isinstance(error, AuthenticationRefusedError):
                self._forget()
            self._busy = False
            future.set_exception(error)
        else:
            self._busy = False
            future.set_result(result)

    def _open(self) -> _Opened[C]:
        if self._opened is not None and self._opened.outdated:
            self._forget()
        if self._opened is None:
            self._opened = self._fresh()
        self._opened.http.deadline = time.monotonic() + self._timeout
        return self._opened

    def _forget(self) -> None:
        self.close()
        self._opened = None

    def _fresh(self) -> _Opened[C]:
        http = LimitedHttp(self._max_answer_bytes)
        http.deadline = time.monotonic() + self._timeout
        transport = requests.Session()
        transport.mount("https://", http)
        transport.mount("http://", http)
        what = f"cloud {self._name!r}"
        unusable = f"{what} is not configured as openstacksdk wants it"
        with explained(what, otherwise=unusable, kind=TroubleKind.CONFIGURATION):
            config = SharedCloudsConfig(
                session_constructor=functools.partial(keystone_session.Session, session=transport)
            )
            if self._name not in config.get_cloud_names():
                raise SourceError(_unknown(self._name, config.config_filename), TroubleKind.CONFIGURATION)
            # Blazar's v2 is announced and does not work. What hangs is ours to give up: no retries.
            region = config.get_one(self._name, api_timeout=self._timeout, reservation_api_version="1")
            clients = self._build(region)
        read = (config.config_filename, config.secure_config_filename)
        return _Opened(clients, http, tuple(_File.now(Path(name)) for name in read if name))


def _unknown(name: str, config_filename: str | None) -> str:
    if name == ENVIRONMENT:
        return f"cloud {name!r}: no OS_* variables are set"
    if config_filename is None:
        return f"cloud {name!r}: there is no clouds.yaml that can be read"
    return f"there is no cloud {name!r} in {config_filename}"

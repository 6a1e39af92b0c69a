"""A cloud of clouds.yaml: its clients are kept between calls, and whatever may hang does so in one daemon thread.

The clients have no total time limit and cannot be cancelled: a call that hangs keeps its thread, and until that
ends every other call fails at once, so that there is never more than one thread per `Cloud`.
"""

import asyncio
import contextlib
import functools
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1 import session as keystone_session

from sync_service.adapters.answers import MAX_ANSWER_BYTES
from sync_service.adapters.cloud_errors import AuthenticationRefusedError, explained
from sync_service.adapters.clouds_file import SharedCloudsConfig
from sync_service.adapters.limited_http import LimitedHttp, ReadFile
from sync_service.domain.ports import SourceError, TroubleKind

ENVIRONMENT: Final = "envvars"
"""The name by which openstacksdk calls the cloud of the `OS_*` variables."""

_MAY_HAVE_MOVED: Final = frozenset(
    {
        TroubleKind.CONNECTION,
        TroubleKind.TIMEOUT,
        TroubleKind.TLS,
        TroubleKind.CATALOG,
        TroubleKind.ERROR_ANSWER,
        TroubleKind.UNREADABLE,
    }
)
"""What a Blazar looks like whose address has become another."""

_UNEXPECTED_OPTION: Final = re.compile(r"unexpected keyword argument '(\w+)'")

# Of a file that is no YAML it tells the parser's text, which may quote a secret, and at every poll; we say it once.
logging.getLogger("openstack.config").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class _Opened[C]:
    """The clients of a cloud, and the files that say how to reach it."""

    clients: C
    http: LimitedHttp
    files: tuple[ReadFile, ...]

    @property
    def outdated(self) -> bool:
        return any(ReadFile.now(file.path) != file for file in self.files)


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
        self._failures = self._looked = 0
        # Of `_opened`, or of what is being opened: a Keystone may hang, too.
        self._http: LimitedHttp | None = None
        self._given_up = False
        self._lock = Lock()
        self._busy = False

    async def run[T](self, work: Callable[[C], T]) -> T:
        """`work` in this cloud's thread. May take longer than the limit: whoever awaits sets one of their own.

        Raises:
            SourceError: `work` raised it, the cloud cannot be configured, or the previous call still hangs.
        """
        if self._busy:
            raise SourceError("the previous call still hangs", TroubleKind.HANGING)
        self._busy, self._given_up = True, False
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
        with self._lock:
            self._given_up = True
            if self._http is not None:
                self._http.give_up()

    def _run[T](self, work: Callable[[C], T], future: Future[T]) -> None:
        try:
            try:
                result = work(self._open().clients)
            finally:
                self._release()
        except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
            if isinstance(error, AuthenticationRefusedError):
                self._forget()
            self._failures += isinstance(error, SourceError) and error.kind in _MAY_HAVE_MOVED
            self._busy = False
            future.set_exception(error)
        else:
            self._failures = self._looked = 0
            self._busy = False
            future.set_result(result)

    def _open(self) -> _Opened[C]:
        if self._opened is not None and self._opened.outdated:
            self._forget()
        if self._opened is None:
            self._opened = self._fresh(self._timeout)
        elif self._failures.bit_count() == 1 and self._failures != self._looked:
            self._look_whether_it_moved(self._opened)
        self._begin(self._opened.http, self._timeout)
        return self._opened

    def _look_whether_it_moved(self, opened: _Opened[C]) -> None:
        """Reads the catalog again, which is kept for as long as the token: at failures 1, 2, 4, 8 and so on.

        If Keystone cannot be asked, or takes too long, what was there is still better than nothing.
        """
        self._looked = self._failures
        with contextlib.suppress(SourceError):
            self._opened = self._fresh(self._timeout / 4)
            opened.http.close()

    def _begin(self, http: LimitedHttp, seconds: float) -> None:
        """Gives what follows its time, unless nobody waits for it any more."""
        with self._lock:
            self._http = http
            http.deadline = 0.0 if self._given_up else time.monotonic() + seconds

    def _release(self) -> None:
        for http in {self._http, self._opened.http if self._opened else None}:
            if http is not None:
                http.release()

    def _forget(self) -> None:
        self.close()
        self._opened = None

    def _fresh(self, seconds: float) -> _Opened[C]:
        http = LimitedHttp(self._max_answer_bytes)
        self._begin(http, seconds)
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
            region = self._region(config)
            http.trust(_named(region.config))
            clients = self._build(region)
        read = (config.config_filename, config.secure_config_filename)
        return _Opened(clients, http, tuple(ReadFile.now(Path(name)) for name in read if name))

    def _region(self, config: SharedCloudsConfig) -> Any:
        # Blazar's v2 is announced and does not work. What hangs is ours to give up: no retries.
        settings = {"api_timeout": self._timeout, "reservation_api_version": "1"}
        try:
            return config.get_one(self._name, **settings)
        except (TypeError, keystone.NoMatchingPlugin) as error:
            auth_type = config.get_one(self._name, **settings, validate=False).config["auth_type"]
            if (sentence := _unfit_auth_type(error, str(auth_type))) is None:
                raise
            raise SourceError(f"cloud {self._name!r}: {sentence}", TroubleKind.CONFIGURATION) from None


def _named(config: Mapping[str, Any]) -> Iterator[str]:
    """The addresses in the configuration of a cloud."""
    auth = config.get("auth") or {}
    for key, value in (*config.items(), *auth.items()):
        if isinstance(value, str) and key.endswith(("auth_url", "endpoint", "endpoint_override")):
            yield value


def _unfit_auth_type(error: Exception, auth_type: str) -> str | None:
    if isinstance(error, keystone.NoMatchingPlugin):
        return f"there is no auth_type {auth_type!r:.100}"
    # Only the name of an option is told.
    if (found := _UNEXPECTED_OPTION.search(str(error))) is None:
        return None
    hint = "; auth_type: v3applicationcredential does" if found[1].startswith("application_credential") else ""
    return f"auth_type {auth_type!r:.100} takes no {found[1]:.100}{hint}"


def _unknown(name: str, config_filename: str | None) -> str:
    if name == ENVIRONMENT:
        return f"cloud {name!r}: no OS_* variables are set"
    if config_filename is None:
        return f"cloud {name!r}: there is no clouds.yaml that can be read"
    return f"there is no cloud {name!r} in {config_filename}"

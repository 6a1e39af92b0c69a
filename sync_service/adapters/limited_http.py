"""The transport of OpenStack's clients: bounds of time and size, and sentences for what fails below HTTP."""

import contextlib
import io
import ipaddress
import re
import socket
import ssl
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from keystoneauth1 import session as keystone_session
from requests.utils import select_proxy

from sync_service.adapters.answers import ALL_ANSWERS, SMALL_ANSWER_BYTES, AnswerStore, LargeAnswer
from sync_service.adapters.cloud_errors import system_error
from sync_service.domain.ports import SourceError, TroubleKind

_CHUNK_BYTES: Final = 64 * 1024
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")

_SHORT_LABEL: Final = 3
"""Letters of `com`, `ac` and the like: two such labels are where names are sold, not one owner's domain."""

_BROKEN_OFF: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What TLS says of a connection that ended: that is no matter of certificates."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read, and how to see that it has changed since."""

    path: Path
    identity: tuple[int, int, int] | None

    @classmethod
    def now(cls, path: Path) -> "ReadFile":
        """What is there."""
        try:
            found = path.stat()  # follows links: Kubernetes rotates a secret by swapping one
        except OSError:
            return cls(path, None)
        return cls(path, (found.st_ino, found.st_size, found.st_mtime_ns))


class LimitedHttp(keystone_session.TCPKeepAliveAdapter):  # type: ignore[misc] # keystoneauth1 is not type-checked
    """Requests' transport, with a limit on a body's size and on the time of everything until `deadline`.

    Args:
        max_answer_bytes: How large a decoded body may be.
        store: What large ones take their bytes of, until `release`.
    """

    def __init__(self, max_answer_bytes: int, store: AnswerStore = ALL_ANSWERS) -> None:
        self._connections = weakref.WeakSet[Any]()
        self._answering = False
        self._last: list[socket.socket] = []
        super().__init__()
        self.deadline = 0.0
        """By the monotonic clock."""
        self._max_answer_bytes = max_answer_bytes
        self._store = store
        self._taken = 0
        self._usable: tuple[ReadFile, ...] = ()
        self._trusted = frozenset[str]()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """As requests' own, but every connection is known, so that it can be cut."""
        super().init_poolmanager(*arguments, **options)
        self._know(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.PoolManager:
        """The same for connections through a proxy."""
        is_new = proxy not in self.proxy_manager
        manager: urllib3.PoolManager = super().proxy_manager_for(proxy, **options)
        if is_new:
            self._know(manager)
        return manager

    def _know(self, manager: urllib3.PoolManager) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: self._known(pools[scheme]) for scheme in pools}

    def _known(self, pool: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
        """Such a pool, whose connections can be cut from the moment they exist."""
        connection: Any = pool.ConnectionCls
        connections, time_left, let_go = self._connections, self._time_left, self._let_go

        def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807 - it is one
            connection.__init__(self, *arguments, **options)
            self.to_be_cut = None
            connections.add(self)

        def _new_conn(self: Any) -> socket.socket:
            made: socket.socket = connection._new_conn(self)  # noqa: SLF001 - there is no other way to a new socket
            # TLS takes `made` apart while it shakes hands, which may trickle like anything else.
            self.to_be_cut = made.dup()
            try:
                time_left()  # there was nothing to cut if it was given up meanwhile
            except SourceError:
                made.close()
                raise
            return made

        def close(self: Any) -> None:
            connection.close(self)
            if self.to_be_cut is not None:
                let_go(self.to_be_cut)
                self.to_be_cut = None

        changes = {"__init__": __init__, "_new_conn": _new_conn, "close": close}
        known = type(f"Known{connection.__name__}", (connection,), changes)
        return type(f"Known{pool.__name__}", (pool,), {"ConnectionCls": known})

    def give_up(self) -> None:
        """Ends what is under way in another thread, even while headers trickle in: no limit of a socket ends that."""
        self.deadline = 0.0
        for to_be_cut in (*self._last, *(each.to_be_cut for each in tuple(self._connections))):
            if to_be_cut is not None:
                with contextlib.suppress(OSError):
                    to_be_cut.shutdown(socket.SHUT_RDWR)

    def _let_go(self, to_be_cut: socket.socket) -> None:
        """Of a connection that is closed, which it is as soon as a head says that it is the last: its body follows."""
        if self._answering:
            self._last.append(to_be_cut)
        else:
            to_be_cut.close()

    def trust(self, addresses: Iterable[str]) -> None:
        """Lets requests go to the hosts of these addresses, to those of the same domains, and to no others."""
        self._trusted = frozenset(host for address in addresses if (host := _host(address)))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As requests' own, but the body has been read when this returns.

        Raises:
            SourceError: the body is too large, time is up, TLS fails, a proxy does, a file of TLS cannot be used, or
                the answer leads elsewhere: that would be given our credential, and its answer be believed. Likewise
                if the request is for a host that is not trusted, which a catalog may name.
        """
        self._answering = True
        try:
            return self._answer(request, options)
        finally:
            self._answering = False
            while self._last:
                self._last.pop().close()

    def _answer(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        limits = {"stream": True, "timeout": self._time_left()}
        url = str(request.url)
        if not _is_trusted(_host(url), self._trusted):
            raise SourceError(
                f"the catalog leads to {_origin(url)}, which clouds.yaml does not name: the token is not sent there."
                " If it should be, name it, as reservation_endpoint_override or compute_endpoint_override",
                TroubleKind.CATALOG,
            )
        # Requests looks at the client certificate whatever the scheme.
        self._check_files(options.get("verify") if url.startswith("https:") else None, options.get("cert"))
        proxy = select_proxy(url, options.get("proxies"))
        with _told(urlsplit(url).netloc.rpartition("@")[2], _shown(proxy) if proxy else None):
            response: requests.Response = super().send(request, **options | limits)
        if proxy and response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            response.close()
            raise _refused_by(_shown(proxy), response.status_code)
        if _is_redirect(response):
            response.close()
            raise _led_elsewhere(url, response)
        try:
            self._read(response)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        return response

    def release(self) -> None:
        """Gives back what answers have taken, once they have been read."""
        self._store.give_back(self._taken)
        self._taken = 0

    def _read(self, response: requests.Response) -> None:
        """Leaves the whole body in `response`. Of an error that is large nothing is left: its status says enough."""
        with contextlib.closing(response.raw) as raw:  # which a connection survives that was read to the end
            if "," in response.headers.get("content-encoding", ""):
                raise SourceError("an answer that is coded more than once")
            is_error = response.status_code >= HTTPStatus.BAD_REQUEST
            body = self._body(raw, SMALL_ANSWER_BYTES if is_error else self._max_answer_bytes)
        if body is None and not is_error:
            raise SourceError(f"an answer of more than {self._max_answer_bytes} bytes", TroubleKind.TOO_LARGE)
        response.raw = io.BytesIO()
        if body and len(body) > SMALL_ANSWER_BYTES:
            answer = LargeAnswer(body)
            response.json = lambda **_: answer  # type: ignore[method-assign] # what the clients ask for
        elif body:
            response.raw = io.BytesIO(body)

    def _body(self, raw: urllib3.BaseHTTPResponse, most: int) -> bytearray | None:
        """What is read; None if that is more than `most`."""
        body = bytearray()
        # Takes what is there rather than whole chunks: a trickle passes every time limit of a socket.
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
            if len(body) + len(chunk) > most:
                return None
            if len(body) + len(chunk) > SMALL_ANSWER_BYTES:
                self._store.take(len(chunk))
                self._taken += len(chunk)
            body += chunk
            self._time_left()
        return body

    def _time_left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise SourceError("the answer takes too long", TroubleKind.TIMEOUT)
        return left

    def _check_files(self, verify: object, cert: str | Sequence[str] | None) -> None:
        """Reads the files that TLS needs, unless they are as they were.

        Requests tells of some of their faults without a path, and of others as of the site's.
        """
        bundle = verify if isinstance(verify, str) else None
        pair = (cert,) if isinstance(cert, str) else tuple(cert or ())
        files = tuple(ReadFile.now(Path(path)) for path in (*([bundle] if bundle else []), *pair))
        if files != self._usable:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if bundle:
                _load_bundle(context, bundle)
            if pair:
                _load_pair(context, pair)
            self._usable = files


def _load_bundle(context: ssl.SSLContext, path: str) -> None:
    what = f"the CA certificates (cacert, or REQUESTS_CA_BUNDLE) in {path}"
    try:
        context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
    except ssl.SSLError:
        raise SourceError(f"{what} are none in PEM", TroubleKind.CONFIGURATION) from None
    except OSError as error:
        raise SourceError(f"{what} cannot be read: {error.strerror}", TroubleKind.CONFIGURATION) from None


def _load_pair(context: ssl.SSLContext, pair: Sequence[str]) -> None:
    what = f"the client certificate (cert, key) in {' and '.join(pair)}"
    try:
        for path in pair:
            Path(path).open("rb").close()
        # Else a passphrase would be asked for at the terminal, if there is one.
        context.load_cert_chain(pair[0], pair[-1], password=str)
    except ssl.SSLError as error:
        reason = "they do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "not PEM, or encrypted"
        raise SourceError(f"{what} cannot be used: {reason}", TroubleKind.CONFIGURATION) from None
    except OSError as error:
        sentence = f"{what} cannot be read: {error.filename}: {error.strerror}"
        raise SourceError(sentence, TroubleKind.CONFIGURATION) from None


@contextlib.contextmanager
def _told(host: str, proxy: str | None) -> Iterator[None]:
    """Turns into a `SourceError` what the clients would take for something else.

    Args:
        host: Of the request.
        proxy: Through which it goes, without credentials.
    """
    try:
        yield
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL):
        if proxy is None:
            raise
        reason = "PySocks is not installed" if proxy.startswith("socks") else "its address is not understood"
        raise SourceError(f"the proxy {proxy} cannot be used: {reason}", TroubleKind.CONFIGURATION) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        if isinstance(error, requests.exceptions.SSLError) and (sentence := _tls_sentence(error)):
            raise SourceError(f"TLS with {host} fails: {sentence}", TroubleKind.TLS) from None
        if proxy is None:
            raise
        raise _through_proxy(error, host, proxy) from None


def _through_proxy(error: requests.RequestException, host: str, proxy: str) -> SourceError:
    match error:
        case requests.exceptions.ConnectTimeout():
            return SourceError(f"no answer of the proxy {proxy} in time", TroubleKind.TIMEOUT)
        case requests.exceptions.Timeout():
            return SourceError(f"no answer of {host} through the proxy {proxy} in time", TroubleKind.TIMEOUT)
        case requests.exceptions.ProxyError() if refusal := _TUNNEL.search(str(error)):
            return _refused_by(proxy, int(refusal[1]))
        case requests.exceptions.ProxyError() if sentence := _tls_sentence(error):
            return SourceError(f"TLS with the proxy {proxy} fails: {sentence}", TroubleKind.TLS)
        case requests.exceptions.ProxyError():
            return SourceError(f"no connection to the proxy {proxy}: {system_error(error)}", TroubleKind.CONNECTION)
        case _:
            sentence = f"no connection to {host} through the proxy {proxy}: {system_error(error)}"
            return SourceError(sentence, TroubleKind.CONNECTION)


def _refused_by(proxy: str, status: int) -> SourceError:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return SourceError(f"the proxy {proxy} refuses us: it wants credentials (407)", TroubleKind.CONFIGURATION)
    return SourceError(f"the proxy {proxy} lets nobody through: it answers {status}", TroubleKind.CONNECTION)


def _is_redirect(response: requests.Response) -> bool:
    """Whatever has an address to go on to. Keystone lists its versions with 300, and 304 speaks of the same address."""
    status = response.status_code
    return status // 100 == 3 and status not in {300, 304} and "location" in response.headers  # noqa: PLR2004


def _led_elsewhere(url: str, response: requests.Response) -> SourceError:
    target = None
    with contextlib.suppress(ValueError):
        target = _origin(urljoin(url, response.headers["location"]))
    where = f"another address of {target}" if target == _origin(url) else target or "an address that is none"
    sentence = f"{_origin(url)} leads to {where} ({response.status_code}), which is not followed"
    return SourceError(f"{sentence}: auth_url or the catalog has to name it", TroubleKind.CONFIGURATION)


def _host(url: str) -> str | None:
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname
    return None


def _is_trusted(host: str | None, trusted: Iterable[str]) -> bool:
    """Whether it is one of the others, or in the domain of one; addresses of this machine are one host."""
    if host is None:
        return False
    if host in trusted or (_is_loopback(host) and any(map(_is_loopback, trusted))):
        return True
    return any(host == domain or host.endswith(f".{domain}") for each in trusted if (domain := _domain(each)))


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _domain(host: str) -> str | None:
    """What its neighbours' names end with; None of an address, and where names are sold (`co.uk`)."""
    _, _, domain = host.partition(".")
    labels = domain.split(".")
    if _is_address(host) or len(labels) < 2:  # noqa: PLR2004 - a domain of all
        return None
    shared_by_all = len(labels) == 2 and all(len(label) <= _SHORT_LABEL for label in labels)  # noqa: PLR2004
    return None if shared_by_all else domain


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _shown(proxy: str) -> str:
    """A proxy without the credentials that its address may hold."""
    return _origin(proxy) or "of HTTP_PROXY or HTTPS_PROXY"


def _origin(url: str) -> str | None:
    """Scheme, host and port of an address, and nothing else of it; None if it has no host."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        # Where a password has a slash, what looks like the host is its beginning.
        if parts.hostname and "@" not in f"{parts.path}{parts.query}{parts.fragment}":
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{parts.hostname}{port}"
    return None


def _tls_sentence(error: BaseException) -> str | None:
    """What TLS says at the bottom of `error`; None if it says nothing, or only that a connection ended."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLError() if isinstance(cause, _BROKEN_OFF):
                return None
            case ssl.SSLCertVerificationError(verify_message=message):
                return f"the certificate is not trusted: {message.rstrip('.')}"
            case ssl.SSLError(reason=str() as reason):
                return reason.lower().replace("_", " ")
            case _:
                pass
        cause = cause.__cause__ or cause.__context__
    return None

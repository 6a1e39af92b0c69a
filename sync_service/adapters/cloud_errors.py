"""What OpenStack's clients raise, as sentences for operators.

Never a client's own text, nor its traceback: they quote what a site answered, people's names included.
"""

import contextlib
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from keystoneauth1 import exceptions as keystone
from openstack import exceptions as openstack_sdk

from sync_service.domain.ports import SourceError, TroubleKind

_UNEXPECTED: Final = (
    keystone.ClientException,
    openstack_sdk.SDKException,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""The clients' own errors, and all that they stumble into where an answer is not what they expect."""

_KEYSTONE_REFUSALS: Final = {
    401: "the credential is refused",
    404: "the credential was deleted, or auth_url is wrong",
}

_HOST: Final = re.compile(r"https?://(?:[^/@\s]*@)?([^/\s]+)")


class AuthenticationRefusedError(SourceError):
    """Keystone or a service refuses the credential: the clients must be built anew."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, TroubleKind.CREDENTIAL)


@contextlib.contextmanager
def explained(what: str, *, otherwise: str | None = None, kind: TroubleKind = TroubleKind.UNREADABLE) -> Iterator[None]:
    """Turns whatever a client raises into a `SourceError`.

    Args:
        what: Whom the calls are for.
        otherwise: The sentence where nothing better is known.
        kind: Of that sentence.
    """
    try:
        yield
    except _UNEXPECTED as error:
        sentence = otherwise or f"the answer of {what} cannot be read"
        raise _explanation(error, what) or SourceError(f"{sentence} ({type(error).__name__})", kind) from None


def answered(what: str, status: int) -> SourceError:
    """What an answer means that is an error."""
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationRefusedError(f"{what} refuses the token (401)")
    kind = TroubleKind.POLICY if status == HTTPStatus.FORBIDDEN else TroubleKind.ERROR_ANSWER
    return SourceError(f"{what} answers {status}", kind)


def _explanation(error: Exception, what: str) -> SourceError | None:
    match error:
        case keystone.HttpError() | keystone.InvalidResponse():
            return _keystone_answered(error)
        case openstack_sdk.HttpException(status_code=status):
            return answered(what, status)
        case keystone.ConnectionError():
            return _disconnection(error)
        case keystone.EndpointNotFound() | openstack_sdk.EndpointNotFound():
            return SourceError(f"the catalog has no endpoint of {what}", TroubleKind.CATALOG)
        case keystone.MissingRequiredOptions(options=options):
            missing = ", ".join(option.dest for option in options)
            return SourceError(f"{what} lacks {missing}", TroubleKind.CONFIGURATION)
        case _:
            return None


def _keystone_answered(error: Exception) -> SourceError:
    match error:
        case keystone.HttpError(http_status=401 | 404 as status):
            return AuthenticationRefusedError(f"Keystone answers {status}: {_KEYSTONE_REFUSALS[status]}")
        case keystone.HttpError(http_status=status):
            return answered("Keystone", status)
        case _:
            return SourceError("the answer of Keystone cannot be read", TroubleKind.UNREADABLE)


def _disconnection(error: Exception) -> SourceError:
    found = _HOST.search(str(error))
    host = found[1] if found else "the site"
    match error:
        case keystone.ConnectTimeout():
            return SourceError(f"no answer of {host} in time", TroubleKind.TIMEOUT)
        case keystone.UnknownConnectionError():
            return SourceError(f"the answer of {host} is cut short", TroubleKind.CONNECTION)
        case _:
            return SourceError(f"no connection to {host}: {system_error(error)}", TroubleKind.CONNECTION)


def system_error(error: BaseException) -> str:
    """What the operating system or TLS said, at the bottom of `error`'s causes."""
    sentence = "closed without an answer"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            sentence = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return sentence

"""Errors as RFC 9457 tells them: one table from exception to status, one middleware."""

import difflib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Self

import orjson
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import MatchInfoError, UrlMappingMatchInfo
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api_service.domain.history import HistoryUnreadableError, NoSuchVersionError
from api_service.domain.inventory import InventoryRefusedError, InventoryUnreadableError, NotInInventoryError
from api_service.http.schemas import ParameterProblem, ProblemBody
from shared.fairness import EarlyResource

log = structlog.get_logger()

CONTENT_TYPE: Final = "application/problem+json"

MAX_TARGET_LENGTH: Final = 8000
"""Characters of a path and its query; a longer one is a 414."""

MAX_SLASHES: Final = 32
"""Of a path; no resource has half as many."""

MAX_LINE_BYTES: Final = 256 * 1024
"""What the HTTP parser still reads, so that a target that is too long gets an answer of ours."""


class BadParametersError(Exception):
    """A request whose query cannot be answered; `errors` names each bad parameter."""

    def __init__(self, errors: Sequence[ParameterProblem]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{each.name}: {each.detail}" for each in errors[:5]))

    @classmethod
    def of(cls, name: str, detail: str) -> Self:
        """One bad parameter."""
        return cls([ParameterProblem(name=name, detail=detail)])

    @classmethod
    def from_validation(cls, error: ValidationError, repeated: Collection[str] = ()) -> Self:
        """What a model says, in words for a client; at most 20 of them.

        Args:
            error: What it says.
            repeated: The parameters of which there are several values, so that it is to be told which is meant.
        """
        problems = error.errors(include_url=False, include_input=False)[:20]
        return cls(
            [
                ParameterProblem(name=str(each["loc"][0]) if each["loc"] else "query", detail=_sentence(each, repeated))
                for each in problems
            ]
        )


_SENTENCES: Final[Mapping[str, str]] = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "may have {max_length} characters at most",
    "too_long": "may have {max_length} values at most, and has {actual_length}",
    "enum": "must be {expected}",
}
"""What a validator says of a value, in words for a query string; what our own validators say is so already."""


def _sentence(error: ErrorDetails, repeated: Collection[str]) -> str:
    told = _SENTENCES.get(error["type"], "{message}")
    message = told.format(message=error["msg"].removeprefix("Value error, "), **error.get("ctx", {}))
    match error["loc"]:
        case (name, int() as index) if name in repeated:
            return f"value {index + 1}: {message}"  # clients count from one
        case _:
            return message


def parameter_problem(name: str, detail: str) -> ParameterProblem:
    """What is wrong with a parameter whose name the client chose."""
    return ParameterProblem(name=name[:100] or "(empty)", detail=detail)


def unknown_parameter(name: str, parameters: Collection[str], fields: Collection[str] = ()) -> ParameterProblem:
    """A parameter that nobody knows; with the nearest known one, among them the fields that a search asks for."""
    told = "there is no such parameter" + (", and no node has such a field" if fields else "")
    nearest = _nearest(name, [*parameters, *fields])
    hint = f"did you mean {nearest}?" if nearest else f"there are {', '.join(sorted(parameters))}"
    return parameter_problem(name, f"{told}; {hint}")


def did_you_mean(name: str, known: Collection[str], *, more: str = "") -> str:
    """The nearest known name, if any is near, and `more` after it; as the end of a sentence."""
    return f"did you mean {nearest}{more}?" if (nearest := _nearest(name, known)) else "none is like it"


def _nearest(name: str, known: Collection[str]) -> str | None:
    # A name that goes on where this one ends is nearer than one of as many letters.
    longer = [each for each in sorted(known) if name and each.startswith(name)]
    return next(iter(longer or difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)), None)


class NoSuchMomentError(BadParametersError):
    """A request for a version that is not there; `errors` names the parameter that asks for it."""


class NotSyncedError(Exception):
    """A site of which nothing is known yet."""


class NotListedError(Exception):
    """A node or flavor that the site's Blazar does not list, or a site that publishes none."""


class NotSyncedYetError(Exception):
    """Something configured whose first synchronisation is still to come."""


class NoSlotError(Exception):
    """Nodes that are not free together, as far as it is looked for."""


class NoInventoryError(Exception):
    """A request that needs an inventory while none can be served."""


class TooBusyError(Exception):
    """Costly work for which there is no turn."""


STATUS_OF: Final[Mapping[type[Exception], HTTPStatus]] = {
    BadParametersError: HTTPStatus.BAD_REQUEST,
    NoSuchMomentError: HTTPStatus.NOT_FOUND,
    NotInInventoryError: HTTPStatus.NOT_FOUND,
    NoSuchVersionError: HTTPStatus.NOT_FOUND,
    NotSyncedError: HTTPStatus.NOT_FOUND,
    NotListedError: HTTPStatus.NOT_FOUND,
    NoSlotError: HTTPStatus.NOT_FOUND,
    NotSyncedYetError: HTTPStatus.SERVICE_UNAVAILABLE,
    NoInventoryError: HTTPStatus.SERVICE_UNAVAILABLE,
    InventoryUnreadableError: HTTPStatus.SERVICE_UNAVAILABLE,
    InventoryRefusedError: HTTPStatus.SERVICE_UNAVAILABLE,
    HistoryUnreadableError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}

TYPE_OF: Final[Mapping[type[Exception], str]] = {
    NotSyncedError: "urn:reference-api:not-synced",
    NotListedError: "urn:reference-api:not-listed",
    NoSlotError: "urn:reference-api:no-slot",
    NotSyncedYetError: "urn:reference-api:not-synced",
}


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "about:blank",
    errors: Sequence[ParameterProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error's answer."""
    body = ProblemBody(
        type=kind, title=status.phrase, status=status, detail=detail, errors=list(errors) if errors else None
    )
    # The next request may be answered, and nobody should have to wait for that.
    told = {"Cache-Control": "no-store"} | dict(headers or {})
    return web.Response(body=orjson.dumps(body.to_json()), status=status, content_type=CONTENT_TYPE, headers=told)


class OverlongTargets(EarlyResource):
    """Refuses a target that is too long, or has too many parts, before the router goes through it.

    That it does slash by slash, each time through all of the rest: 10 s for 250 kB of slashes, 30 ms for 8000.
    """

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Nothing for any other target."""
        if len(request.raw_path) > MAX_TARGET_LENGTH:
            return MatchInfoError(web.HTTPRequestURITooLong()), set()
        if request.path.count("/") > MAX_SLASHES:
            return MatchInfoError(web.HTTPNotFound()), set()
        return None, set()


class UnknownExpectations(EarlyResource):
    """Refuses a request that expects what nobody knows, which aiohttp would do past every middleware, in plain text."""

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Nothing for any request without such an expectation."""
        expected = request.headers.get(hdrs.EXPECT)
        if not expected or expected.lower() == "100-continue":
            return None, set()
        return _UnmetError(web.HTTPExpectationFailed()), set()


class _UnmetError(MatchInfoError):
    @property
    def expect_handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
        return _leave_to_middlewares


async def _leave_to_middlewares(_request: web.Request) -> None:
    pass


@web.middleware
async def problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every exception into an answer; nothing else catches what it cannot name."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _of_http(request, error)
    except Exception as error:
        status = STATUS_OF.get(type(error))
        if status is None:
            log.exception("request failed", method=request.method, path=request.path)
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed to answer; it has been logged")
        errors = error.errors if isinstance(error, BadParametersError) else None
        headers = {"Retry-After": "10"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        kind = TYPE_OF.get(type(error), "about:blank")
        return problem(status, str(error), kind=kind, errors=errors, headers=headers)


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    status = HTTPStatus(error.status)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        detail = f"{request.method:.50} is not possible here; {allowed} are"
        return problem(status, detail, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return problem(status, f"there is nothing at {request.path!r:.300}")
    if isinstance(error, web.HTTPRequestURITooLong):
        return problem(status, f"a path and its query may have {MAX_TARGET_LENGTH} characters together")
    if isinstance(error, web.HTTPExpectationFailed):
        return problem(
            status, f"nothing but 100-continue can be expected; {request.headers[hdrs.EXPECT]!r:.100} cannot"
        )
    return problem(status, error.reason or status.phrase)

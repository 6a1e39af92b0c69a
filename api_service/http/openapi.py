"""The contract as handlers tell it: pydantic models, and what goes wrong.

`openapi_document` makes the document of it, when somebody asks for that: what it needs is a tenth of a start.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from pydantic import BaseModel

type Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Contract:
    """The document of an application.

    Attributes:
        made: It, as JSON; takes some 0.3 s, once.
    """

    made: Callable[[], bytes]


OPENAPI: Final = web.AppKey("openapi", Contract)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a handler asks and answers; its docstring is the summary.

    Attributes:
        returns: The model of a good answer, or a media type that is not JSON.
        tag: The group that it is shown in.
        query: The model of its query string.
        errors: What can go wrong, by status.
        bodies: Models of other answers that are no problems, by status.
        example: A good answer that is not JSON.
        stored: Whether a good answer may be stored, so that a client need not get it again.
    """

    returns: type[BaseModel] | str
    tag: str
    query: type[BaseModel] | None
    errors: Mapping[int, str]
    bodies: Mapping[int, type[BaseModel]]
    example: str | None
    stored: bool


DOCUMENTED: Final[dict[Endpoint, Told]] = {}
"""Every handler that is part of the contract."""


def documented(
    *,
    returns: type[BaseModel] | str,
    tag: str,
    query: type[BaseModel] | None = None,
    errors: Mapping[int, str] | None = None,
    bodies: Mapping[int, type[BaseModel]] | None = None,
    example: str | None = None,
    stored: bool = True,
) -> Callable[[Endpoint], Endpoint]:
    """Makes a handler part of the contract; the arguments are those of `Told`."""

    def wrap(handler: Endpoint) -> Endpoint:
        DOCUMENTED[handler] = Told(
            returns=returns,
            tag=tag,
            query=query,
            errors=errors or {},
            bodies=bodies or {},
            example=example,
            stored=stored,
        )
        return handler

    return wrap

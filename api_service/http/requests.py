"""Query strings and paths as models, and which commit they ask for."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ValidationError

from api_service.domain.node_query import WindowInThePastError, future_part
from api_service.http.bodies import Bodies
from api_service.http.caching import Answer
from api_service.http.past import PAST, exclusive, version_asked, version_named
from api_service.http.problems import BadParametersError, parameter_problem, unknown_parameter
from api_service.http.queries import TRAVEL, PageQuery, TravelQuery
from api_service.http.ready import Keep, Ready
from api_service.http.representation import bodies_of
from api_service.http.schemas import ParameterProblem
from shared.availability import Interval

FORM: Final = "form"
"""The part of a path that says how to answer, not what."""

_WHOLE_SHA_LENGTH: Final = 40
_CONDITION: Final = re.compile(r"conditions\[(.*)\]", re.DOTALL)


def ids_of(request: web.Request) -> dict[str, str]:
    """The ids in the path; never the form (`.json`, a slash) in which it was asked for."""
    ids = dict(request.match_info)
    ids.pop(FORM, None)
    return ids


def route_name(request: web.Request) -> str:
    """The name of the resource that is asked for, whatever its form."""
    resource = request.match_info.route.resource
    return (resource.name or "").partition(":")[0] if resource else ""


def query_as[M: BaseModel](model: type[M], request: web.Request) -> M:
    """The query string as `model`: a list may be repeated, and split at commas where its field says so.

    Raises:
        BadParametersError: a value is wrong, one that may not is repeated, or, where the model forbids it, a
            name is unknown: then with the nearest known one.
    """
    if not request.query_string:
        unasked: M = _unasked(model)
        return unasked
    given = _given(model, request)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        repeated = {name for name, values in given.items() if isinstance(values, list) and len(values) > 1}
        raise BadParametersError.from_validation(error, repeated) from error


def _given(model: type[BaseModel], request: web.Request) -> dict[str, object]:
    forms = _forms(model)
    given: dict[str, object] = {}
    if model.model_config.get("extra") == "forbid":
        _refuse_unknown(request, forms)
    elif model.model_config.get("extra") == "allow":
        given |= _conditions(request, forms)
    for name in request.query.keys() & forms.keys():
        values = request.query.getall(name)
        match forms[name]:
            case "one" if len(values) > 1:
                raise BadParametersError.of(name, "may be given once only")
            case "one":
                given[name] = values[0]
            case "commas":
                parts = [part.strip(" ") for value in values for part in value.split(",")]
                # `a,,b` and `a, b` are meant well; a parameter with nothing in it may be a mistake.
                given[name] = [part for part in parts if part] or parts[:1]
            case _:
                given[name] = values
    return given


def _conditions(request: web.Request, forms: Mapping[str, str]) -> dict[str, list[str]]:
    """What is asked of fields: each is a parameter, or `conditions[…]`, as clients made of the contract write it."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for name in request.query if name not in forms):
        inner = _CONDITION.fullmatch(name)
        if inner and inner[1] in forms:
            raise BadParametersError([parameter_problem(name, "this is no condition but a parameter of its own")])
        found.setdefault(inner[1] if inner else name, []).extend(request.query.getall(name))
    return found


def asked_of(request: web.Request) -> list[tuple[str, str]]:
    """The query string as it was sent, but for what asks for a commit: links ask for that by themselves."""
    if not request.query_string:
        return []
    return [(name, value) for name, value in request.query.items() if name not in TRAVEL]


async def bodies_at(request: web.Request, query: TravelQuery) -> Bodies:
    """The bodies of the commit that `query` asks for or continues; else those of the snapshot that is being served.

    To be asked for once per request: everything in one answer comes from one snapshot.

    Raises:
        BadParametersError: it asks in two ways at once, or for what is not there.
        InventoryRefusedError: that commit cannot be read, or holds too much.
        TooBusyError: too many others are asked for.
    """
    present = bodies_of(request)
    version = version_asked(present.inventory.history, query) if request.query_string else None
    if isinstance(query, PageQuery) and query.continues is not None:
        if version is not None:
            raise exclusive([*query.given(), "continues"])
        return await continued(request, query)
    return present if version is None else await request.app[PAST].at(version, present.inventory)


async def continued(request: web.Request, query: PageQuery) -> Bodies:
    """The bodies of the commit whose list `query` continues; else those of the snapshot that is being served.

    Their links lead to the present, but for those to other parts of the list. Raises as `bodies_at`.
    """
    present = bodies_of(request)
    if query.continues is None or query.continues == present.inventory.version:
        return present
    version = version_named(present.inventory.history, "continues", query.continues)
    past = await request.app[PAST].at(version, present.inventory)
    return Bodies(past.inventory, present.links)


def answer(query: TravelQuery, bodies: Bodies, ready: Ready, *, good_until: datetime | None = None) -> web.Response:
    """A good answer to `query`; for the rest as `answer_at`."""
    versions = () if query.version is None else (query.version,)
    return answer_at(bodies, ready, *versions, good_until=good_until)


def answer_at(bodies: Bodies, ready: Ready, *versions: str, good_until: datetime | None = None) -> web.Response:
    """A good answer; that to whole shas is good for ever, unless the clone may yet learn of older versions.

    Args:
        bodies: Of the commit that it tells of.
        ready: Its body.
        versions: The commits that were asked for, as they were named.
        good_until: As for `Answer`.
    """
    keep = ready.keep
    may_grow = bodies.inventory.shallow or bodies.inventory.partial
    if versions and not may_grow and all(len(each) == _WHOLE_SHA_LENGTH for each in versions):
        keep = Keep.FOR_EVER
    modified = None if keep is Keep.ASK else bodies.modified
    return Answer(ready, keep=keep, modified=modified, good_until=good_until)


def refuse_travel(request: web.Request) -> None:
    """For what is known of the present only.

    Raises:
        BadParametersError: a commit is asked for.
    """
    if request.query_string and (refused := [name for name in dict.fromkeys(request.query) if name in TRAVEL]):
        told = "availability is known of the present only"
        raise BadParametersError([ParameterProblem(name=name, detail=told) for name in refused])


def refuse_with_travel(query: TravelQuery, *names: str) -> None:
    """For parameters that mean the present.

    Raises:
        BadParametersError: one is given, and a commit is asked for.
    """
    given = [name for name in names if getattr(query, name) is not None]
    if given and (travel := " and ".join(query.given())):
        told = f"availability is known of the present only: leave out this, or {travel}"
        raise BadParametersError([ParameterProblem(name=name, detail=told) for name in given])


def future_window(start: tuple[str, datetime], end: tuple[str, datetime], *, now: datetime) -> Interval:
    """What of a window is not over; each bound comes with the name of its parameter.

    Raises:
        BadParametersError: it is empty, reversed, or wholly in the past.
    """
    (start_name, first), (end_name, last) = start, end
    if first >= last:
        raise BadParametersError.of(end_name, f"must be after {start_name}")
    try:
        return future_part(Interval(first, last), now)
    except WindowInThePastError as error:
        raise BadParametersError.of(end_name, str(error)) from error


def _refuse_unknown(request: web.Request, known: Mapping[str, str]) -> None:
    if unknown := [name for name in dict.fromkeys(request.query) if name not in known]:
        raise BadParametersError([unknown_parameter(name, known.keys()) for name in unknown[:20]])


@cache
def _unasked(model: type[BaseModel]) -> Any:
    # Frozen, so one does for all.
    return model()


@cache
def _forms(model: type[BaseModel]) -> Mapping[str, str]:
    schema = model.model_json_schema()["properties"]
    forms = {}
    for name, described in schema.items():
        kinds = [described, *described.get("anyOf", ())]
        many = any(kind.get("type") == "array" for kind in kinds)
        forms[name] = "commas" if any(kind.get("comma") for kind in kinds) else "many" if many else "one"
    return forms

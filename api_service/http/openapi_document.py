"""Pydantic models are the contract; aiohttp-apispec carries it to `/openapi.json` as OpenAPI 3.1.

As it comes, aiohttp-apispec 3.0.0b2 speaks Swagger 2.0 only, lists HEAD and changes what it documents; this is the
only module that knows it.
"""

import copy
import inspect
import re
import warnings
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp_apispec import AiohttpApiSpec, docs
from aiohttp_apispec.utils import get_path_keys
from apispec import APISpec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api_service.http.costly import BUSY
from api_service.http.openapi import DOCUMENTED, Endpoint, Told
from api_service.http.queries import MAX_CONDITIONS, MAX_LENGTH, NodeFilters, TravelQuery
from api_service.http.schemas import ProblemBody

TITLE: Final = "Reference API"
REF: Final = "#/components/schemas/{model}"
PROBLEM: Final = "application/problem+json"
DESCRIPTION: Final = (
    "Which hardware a testbed has, and when each node is free. Every JSON resource answers the same with `.json` "
    "or a slash appended; every answer links to what is related; errors are RFC 9457 problems."
)
CONDITIONS: Final[dict[str, Any]] = {
    "in": "query",
    "name": "conditions",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {
        "type": "object",
        "maxProperties": MAX_CONDITIONS,
        "additionalProperties": {"type": "string", "maxLength": MAX_LENGTH},
    },
    "description": "Any other parameter is a condition of a field of the nodes by dotted path. A list on the way means "
    "any of its elements, and `count` after a list is how many it has. A repeated one means any of its values. After "
    "the path may come `__n` (no element equals any of the values), `__ic` (contains, whatever the case), `__isw` "
    "(starts with), `__gt`, `__gte`, `__lt`, `__lte`, or `__empty` (true or false).",
    "example": {"processor.model__ic": "EPYC", "gpu.gpu_count__gte": "4", "storage_devices.media_type": "SSD"},
}
"""What a search takes beside the parameters that it has names for."""


NO_INVENTORY: Final = "No inventory is loaded, or the commit cannot be read."
"""What may befall each answer that may be stored: all of them are made of the inventory."""

HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "ETag": ("Of these very bytes; `If-None-Match` with it is answered 304 while nothing changes.", '"0f3a-zstd"'),
    "Last-Modified": ("When what is told last changed.", "Sun, 22 Nov 2026 08:00:00 GMT"),
    "Cache-Control": ("How long the answer may be given without asking again.", "public, no-cache"),
    "Vary": ("There is a form for each coding: zstd, gzip, and as it is.", "Accept-Encoding"),
}
"""What every answer that may be stored has, with an example each."""


def _described(handler: Endpoint, told: Told) -> dict[str, Any]:
    """A handler as aiohttp-apispec wants it."""
    found = {200: _answer(told.returns, told.example)} | {
        status: _answer(model) for status, model in told.bodies.items()
    }
    wrong = ({400: "A parameter is wrong; `errors` names it."} if told.query else {}) | dict(told.errors)
    if told.query and issubclass(told.query, TravelQuery):
        wrong |= {404: "No such resource, version or branch.", 503: BUSY}
    if told.stored:
        found = _with_headers(found)
        wrong |= {
            406: "`Accept-Encoding` refuses every coding that there is.",
            503: " ".join(filter(None, [NO_INVENTORY, wrong.get(503)])),
        }
    responses = {str(status): answer for status, answer in found.items()}
    responses |= {str(status): _problem(description) for status, description in wrong.items()}
    summary, _, more = (inspect.getdoc(handler) or "").partition("\n")
    return {
        "summary": summary,
        **({"description": " ".join(more.split())} if more else {}),
        "tags": [told.tag],
        "parameters": _parameters(told.query) if told.query else [],
        "responses": responses,
    }


def _answer(returns: type[BaseModel] | str, example: str | None = None) -> dict[str, Any]:
    if isinstance(returns, str):
        content = {"schema": {"type": "string"}, **({} if example is None else {"example": example})}
        return {"description": "OK", "content": {returns: content}}
    return {"description": inspect.getdoc(returns), "content": {"application/json": {"schema": _ref(returns)}}}


def _with_headers(found: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    not_sent_again = {"description": "The client has it already.", "headers": told}
    return found | {200: found[200] | {"headers": told}, 304: not_sent_again}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": _ref(ProblemBody)}}}


@cache
def _ref(model: type[BaseModel]) -> Mapping[str, str]:
    (reference,) = models_json_schema([(model, "serialization")], ref_template=REF)[0].values()
    return {"$ref": str(reference["$ref"])}


def _models() -> set[type[BaseModel]]:
    """Of all answers."""
    told = DOCUMENTED.values()
    named = {model for each in told for model in (each.returns, *each.bodies.values()) if not isinstance(model, str)}
    return {ProblemBody, *named}


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    properties = model.model_json_schema(ref_template=REF)["properties"]
    named = [_parameter(name, described) for name, described in properties.items()]
    return [*named, CONDITIONS] if issubclass(model, NodeFilters) else named


def _parameter(name: str, described: dict[str, Any]) -> dict[str, Any]:
    about = {key: described.pop(key) for key in ("description",) if key in described}
    if examples := described.pop("examples", ()):
        about["example"] = examples[0]
    # A parameter is absent, never null.
    kinds = [kind for kind in described.pop("anyOf", []) if kind != {"type": "null"}]
    schema = described | (kinds[0] if kinds else {})
    unsaid = {"title", "comma", *(("default",) if schema.get("default", ...) is None else ())}
    return {
        "in": "query",
        "name": name,
        "required": False,
        "schema": {key: value for key, value in schema.items() if key not in unsaid},
        **about,
    }


class _Spec(AiohttpApiSpec):  # type: ignore[misc] # the package has no types
    def _register_route(self, route: web.AbstractRoute, method: str, view: Endpoint) -> None:
        if told := DOCUMENTED.get(view):
            # It writes on what it documents: on something of our own, since another thread may make this too.
            view = docs(**_described(view, told))(partial(view))
            super()._register_route(route, method, view)

    def _update_paths(self, data: dict[str, Any], method: str, url_path: str) -> None:
        if method == "head" or "{form}" in url_path:
            return
        data = copy.deepcopy({key: value for key, value in data.items() if key != "produces"})
        path = [
            {"in": "path", "name": key, "required": True, "schema": {"type": "string"}}
            for key in get_path_keys(url_path)
        ]
        data["parameters"] = path + data["parameters"]
        data["operationId"] = "_".join([method, *re.findall(r"\w+", url_path)])
        if path:
            data["responses"].setdefault("404", _problem("There is no such resource."))
        data["responses"]["414"] = _problem("The path and its query are too long.")
        data["responses"]["500"] = _problem("The service failed; it has been logged.")
        super()._update_paths(data, method, url_path)


def openapi_document(app: web.Application, *, version: str, root_path: str) -> bytes:
    """The document of every documented route, as JSON; to be made when all routes are in place."""
    found = _Spec(url=None, title=TITLE, version=version)
    models = sorted(_models(), key=str)
    schemas = models_json_schema([(model, "serialization") for model in models], ref_template=REF)[1]["$defs"]
    found.spec = APISpec(
        TITLE,
        version,
        "3.1.0",
        info={"description": DESCRIPTION, "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": root_path or "/"}],
        components={"schemas": schemas, "headers": {name: _header(*about) for name, about in HEADERS.items()}},
    )
    with warnings.catch_warnings():  # its keys of the application are strings
        warnings.simplefilter("ignore", web.NotAppKeyWarning)
        found.register(app, in_place=True)
    return orjson.dumps(found.swagger_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"

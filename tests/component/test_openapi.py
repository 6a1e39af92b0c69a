"""The contract tells the truth about the service."""

from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api_service.app import contract
from api_service.http.routes import OTHERS, RESOURCES
from tests.component.serving import AiohttpClient, Service, serving

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
CALENDARS = {path for _, path, _ in OTHERS if path.endswith(".ics")}


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    return await serving(aiohttp_client)


@pytest.fixture
async def document(service: Service) -> Any:
    return await service.json("/openapi.json")


async def test_the_document_is_valid_openapi_31(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


async def test_the_schemas_of_parameters_use_the_words_of_json_schema_only(document: Any) -> None:
    words = {"type", "format", "pattern", "enum", "items", "default", "$ref", "additionalProperties"}
    bounds = {"minimum", "maximum", "minLength", "maxLength", "maxItems", "maxProperties"}
    for path, operations in document["paths"].items():
        for each in operations["get"]["parameters"]:
            for schema in (each["schema"], each["schema"].get("items", {})):
                assert schema.keys() <= words | bounds, (path, each["name"])


async def test_every_number_that_a_client_sends_has_its_bounds_in_the_contract(document: Any) -> None:
    numbers = [
        schema
        for operations in document["paths"].values()
        for each in operations["get"]["parameters"]
        for schema in (each["schema"], each["schema"].get("items", {}))
        if schema.get("type") == "integer"
    ]
    assert len(numbers) > 50
    assert all(schema.keys() >= {"minimum", "maximum"} for schema in numbers)


async def test_every_json_resource_is_documented_once(document: Any) -> None:
    assert set(document["paths"]) == {path for _, path, _ in RESOURCES} | {"/events", "/metrics"} | CALENDARS
    for path, operations in document["paths"].items():
        assert set(operations) == {"get"}, path
        operation = operations["get"]
        assert operation["summary"], path
        assert operation["tags"], path
        named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}, path


async def test_every_model_of_an_answer_has_an_example_that_is_one(document: Any) -> None:
    models = document["components"]["schemas"]
    bodies = {name: model for name, model in models.items() if name.endswith("Body")}
    for model in bodies.values():
        for each in model.get("examples", ()):
            OAS31Validator({**document, **model}).validate(each)
    without = {name for name, model in bodies.items() if not model.get("examples")}
    parts = {"DifferingNodeBody", "FlavorSegmentBody", "PatchedNodeBody", "ReservationBody"}
    assert without == {"AllVersionsBody", "StatusBody", *parts}


async def test_only_how_the_service_is_and_what_has_no_end_cannot_be_had_already(document: Any) -> None:
    never = {path for path, operations in document["paths"].items() if "304" not in operations["get"]["responses"]}
    assert never == {"/events", "/healthz", "/readyz", "/status", "/metrics"}
    for path, operations in document["paths"].items():
        headers = operations["get"]["responses"]["200"].get("headers", {})
        assert headers.keys() == (set() if path in never else {"ETag", "Last-Modified", "Cache-Control", "Vary"}), path


async def test_operations_have_ids_of_their_own(document: Any) -> None:
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


async def test_making_the_document_twice_gives_the_same() -> None:
    assert contract.__wrapped__("") == contract.__wrapped__("")


async def test_the_committed_document_is_current() -> None:
    assert COMMITTED.read_bytes() == contract(""), "run `make generate`"


async def test_the_page_needs_nothing_from_elsewhere_and_reads_no_address(service: Service) -> None:
    response = await service.get("/docs")
    page = await response.text()
    assert "://" not in page
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "init.js", "favicon-32x32.png"):
        assert f'"/docs/assets/{name}"' in page
        assert (await service.get(f"/docs/assets/{name}")).status == 200
    script = await (await service.get("/docs/assets/init.js")).text()
    assert "validatorUrl: null" in script
    assert "location" not in script


async def test_only_the_pages_own_files_are_served(service: Service) -> None:
    for name in ("index.html", "..%2f..%2froutes.py", "LICENSE"):
        assert (await service.get(f"/docs/assets/{name}")).status == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/asyncapi.json", "/docs/assets/init.js"])
async def test_documents_answer_with_a_slash_too(path: str, service: Service) -> None:
    bare, slashed = await service.get(path), await service.get(f"{path}/")
    assert bare.status == slashed.status == 200
    assert await bare.read() == await slashed.read()


async def test_numbers_answer_with_a_slash_too(service: Service) -> None:
    assert (await service.get("/metrics/")).status == 200

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import asyncapi
from shared.messages import MESSAGES, encode
from shared.topology import DEAD_QUEUE, STREAM_ARGUMENTS, Subject, Topic
from tests.snapshots import flavors, site

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads(asyncapi.rendered())


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(reference: str) -> Any:
    part: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_the_committed_document_is_what_the_code_says() -> None:
    assert (ROOT / asyncapi.DOCUMENT).read_bytes() == asyncapi.rendered(), "run `make generate`"


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 10
    for reference in found:
        assert resolved(reference)


def test_every_message_is_described_with_the_headers_that_are_sent() -> None:
    for snapshot in (site(generation=2, follows=1), flavors(generation=2, follows=1)):
        sent = encode(snapshot, source="/test")
        (described,) = (each for each in DOCUMENT["components"]["messages"].values() if each["name"] == sent.type)
        bare = encode(replace(snapshot, follows=None), source="/test")
        assert set(described["headers"]["required"]) == set(bare.headers)
        for name, facts in described["headers"]["properties"].items():
            assert sent.headers[name] == facts.get("const", sent.headers[name])
            assert re.search(facts.get("pattern", ""), str(sent.headers[name]))
        assert described["bindings"]["amqp"]["contentEncoding"] == sent.content_encoding
        assert described["contentType"] == sent.content_type
    assert {each["name"] for each in DOCUMENT["components"]["messages"].values()} == set(MESSAGES)


@pytest.mark.parametrize("subject", Subject)
def test_every_subject_is_published_to_its_key_and_read_from_its_stream(subject: Subject) -> None:
    topic = Topic("tacc", subject)
    published = resolved(DOCUMENT["operations"][f"publish_{subject}"]["channel"]["$ref"])
    read = resolved(DOCUMENT["operations"][f"read_{subject}"]["channel"]["$ref"])
    assert published["address"].format(site_id="tacc") == topic.routing_key
    assert read["address"].format(site_id="tacc") == topic.stream
    assert read["bindings"]["amqp"]["queue"]["name"].format(site_id="tacc") == topic.stream
    assert read["x-arguments"] == STREAM_ARGUMENTS
    assert published["messages"] == read["messages"]


def test_the_dead_letter_queue_is_described() -> None:
    assert DOCUMENT["channels"]["deadLetters"]["address"] == DEAD_QUEUE


def test_units_and_bounds_are_told() -> None:
    schema = DOCUMENT["components"]["schemas"]["SiteAvailabilityMessage"]["properties"]
    assert schema["poll_interval_seconds"]["maximum"] == 86_400
    assert "poll's first request" in schema["observed_at"]["description"]
    assert schema["follows"]["description"]


def test_the_command_writes_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert asyncapi.main(["--check"]) == 1
    assert "docs/asyncapi.json is not what the code says" in capsys.readouterr().err
    assert asyncapi.main([]) == 0
    assert asyncapi.main(["--check"]) == 0

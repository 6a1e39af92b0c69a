"""Every version of every message that was ever published stays readable, and is written as it always was."""

import json
import zlib
from base64 import b64decode
from pathlib import Path

import pytest

from shared.messages import MESSAGES, Envelope, decode, encode
from tests.contract.golden import GOLDEN

FILES = Path(__file__).parents[1] / "data" / "messages"


def golden(name: str) -> Envelope:
    content = json.loads((FILES / f"{name}.json").read_text())
    return Envelope(b64decode(content.pop("body_base64")), **content)


@pytest.mark.parametrize("name", sorted(path.stem for path in FILES.iterdir()))
def test_a_golden_message_says_what_it_always_said(name: str) -> None:
    assert decode(golden(name)) == GOLDEN[name]


@pytest.mark.parametrize("name", ["site.v1", "site.v1.empty", "flavors.v1"])
def test_a_message_is_written_as_it_always_was(name: str) -> None:
    old, new = golden(name), encode(GOLDEN[name], source="/reference-api/sync/replica-1")
    assert json.loads(zlib.decompress(new.body)) == json.loads(zlib.decompress(old.body))
    assert (new.headers, new.message_id, new.type) == (old.headers, old.message_id, old.type)
    assert (new.content_type, new.content_encoding) == (old.content_type, old.content_encoding)


def test_every_type_has_a_golden_message() -> None:
    assert {golden(name).type for name in GOLDEN} == set(MESSAGES)

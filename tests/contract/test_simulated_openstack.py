"""The simulated cloud answers in the forms that a real Keystone, Blazar and Nova were recorded in."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.openstack import SimulatedCloud
from shared.availability import utc_now
from tests.openstack_answers import FORBIDDEN, QUESTIONS, Answer, Cloud, differences

SAMPLES = Path(__file__).parents[1] / "data" / "openstack"


def sample(name: str) -> Answer:
    return Answer(**json.loads((SAMPLES / f"{name}.json").read_text()))


@pytest.fixture
async def cloud() -> AsyncIterator[SimulatedCloud]:
    hosts = ["03129bbe-330c-4591-bc17-96d7e15d3e74", "048c2acc-cc3f-422e-88e2-ed1ffb48e4c9", None]
    async with SimulatedCloud({"uc": hosts}, flavors={"uc": ["m1.tiny"]}) as cloud:
        now = utc_now()
        cloud.sites["uc"].add_lease(hosts[0] or "", now, now + timedelta(hours=1))
        yield cloud


@pytest.fixture
async def asked(cloud: SimulatedCloud, tmp_path: Path) -> Cloud:
    path = tmp_path / "clouds.yaml"
    path.write_text(cloud.clouds_yaml())
    return await asyncio.to_thread(Cloud, path, "uc")


@pytest.mark.parametrize("name", QUESTIONS)
async def test_an_answer_has_the_form_of_the_real_one(name: str, asked: Cloud) -> None:
    answer = Answer.of(await asyncio.to_thread(QUESTIONS[name], asked))
    assert differences(answer, sample(name)) == []


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_what_policy_forbids_is_refused_as_the_real_one_refuses_it(
    name: str, cloud: SimulatedCloud, asked: Cloud
) -> None:
    cloud.sites["uc"].admin_only = True
    answer = Answer.of(await asyncio.to_thread(FORBIDDEN[name], asked))
    assert differences(answer, sample(name)) == []
    assert answer.body == sample(name).body


def test_every_sample_is_compared_with_something() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == QUESTIONS.keys() | FORBIDDEN.keys()


def test_the_samples_hold_nobodys_name_and_no_token() -> None:
    for path in SAMPLES.glob("*.json"):
        text = path.read_text()
        for address in (word for word in text.split('"') if "@" in word):
            assert address.endswith("@example.invalid"), f"{path.name} names {address}"
        assert "gAAAA" not in text, f"{path.name} holds a token"
        assert "secret" not in text, f"{path.name} holds a secret"


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        ({"id": 1, "when": "2026-11-22 10:47"}, "body.id is {'int'}"),
        ({"id": "1", "when": "2026-11-22T10:47:00Z"}, "body.when is {'text'}"),
        ({"id": "1"}, "body always has {'id'}"),
        ({"id": "1", "when": "2026-11-22 10:47", "also": None}, "body always has"),
    ],
)
def test_the_comparison_sees_another_form(answer: object, difference: str) -> None:
    real = Answer(200, {}, {"id": "7", "when": "2026-11-23 09:00"})
    assert any(difference in each for each in differences(Answer(200, {}, answer), real))

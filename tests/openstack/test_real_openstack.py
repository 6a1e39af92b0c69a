"""What the simulated cloud is held to, and what the adapter does, against a real Keystone and Blazar."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local.openstack import faults
from shared.availability import Interval
from shared.logs import LogFormat, configure_logging
from sync_service.adapters.blazar import BlazarFlavors, BlazarSite
from sync_service.domain.ports import SourceError
from tests.blazar_cases import CloudUnderTest, CredentialCases, FaultCases, ReadingCases, RegionCases
from tests.openstack_answers import QUESTIONS, Answer, Cloud, differences

SAMPLES = Path(__file__).parents[1] / "data" / "openstack"


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_samples_are_still_in_the_forms_of_the_real_one(name: str, asked: Cloud) -> None:
    sample = Answer(**json.loads((SAMPLES / f"{name}.json").read_text()))
    assert differences(Answer.of(QUESTIONS[name](asked)), sample) == []


class TestReading(ReadingCases):
    pass


class TestRegions(RegionCases):
    pass


class TestCredentials(CredentialCases):
    pass


class TestFaults(FaultCases):
    pass


async def test_the_capacity_of_flavors_is_told_by_name(flavors: BlazarFlavors) -> None:
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    capacity = await flavors.capacity(Interval(start, start + timedelta(days=90)))
    assert "m1.tiny" in capacity.flavors
    assert capacity.unreadable == 0


async def test_not_even_debug_logs_hold_names_secrets_or_tokens(
    cloud: CloudUnderTest, source: BlazarSite, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging(LogFormat.JSON, debug=True)
    try:
        await source.hosts()
        await source.allocations()
        for fault in (faults.unauthorized, faults.truncated, faults.reset):
            await cloud.blazar.break_with(fault)
            with pytest.raises(SourceError):
                await source.allocations()
        logging.getLogger("sync_service").debug("a debug line")
    finally:
        root.handlers = handlers
        root.setLevel(level)
    logged = capfd.readouterr().err
    assert "a debug line" in logged
    entry = json.loads(cloud.clouds_file.read_text())["clouds"][cloud.site]["auth"]
    assert cloud.people
    for secret in (*cloud.people, entry["application_credential_secret"], "gAAAAA"):
        assert secret not in logged

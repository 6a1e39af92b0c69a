"""docs/operations.md names what exists, and so do the alert rules."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry

from api_service.adapters.topic_reader import Fate, Incident
from api_service.app import create_app as create_api
from api_service.settings import Settings as ApiSettings
from shared.embedded import EmbeddedTransport
from shared.probes import PROBED
from shared.sessions import SessionState
from sync_service.app import create_app as create_sync
from sync_service.domain.ports import PollResult, TroubleKind
from sync_service.settings import Settings as SyncSettings

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "operations.md").read_text()
SOURCES = [path for package in ("api_service", "sync_service", "shared") for path in (PROJECT / package).rglob("*.py")]
MONITORING = PROJECT / "deploy" / "monitoring"


def load(name: str) -> Any:
    return yaml.safe_load((MONITORING / name).read_text())


RULES = [rule for group in load("alerts.yaml")["groups"] for rule in group["rules"]]


def families(registry: CollectorRegistry) -> set[str]:
    return {metric.name for metric in registry.collect()}


async def test_every_metric_is_documented() -> None:
    api = create_api(ApiSettings(), transport=EmbeddedTransport(), contexts=())
    sync = create_sync(SyncSettings(), transport=EmbeddedTransport(), contexts=())
    for name in families(api[PROBED].registry) | families(sync[PROBED].registry):
        family = re.sub(r"_(refusals|stale|lag_seconds)$", "", name)
        assert name in DOCUMENT or f"`{family}" in DOCUMENT, name


def test_every_event_worth_a_warning_is_documented() -> None:
    code = "\n".join(path.read_text() for path in SOURCES)
    told = set(re.findall(r"(?:log|_log)\.(?:warning|error|exception)\(\s*\"([^\"]+)\"", code))
    assert told, "the pattern finds nothing"
    assert {event for event in told if event not in DOCUMENT} == set()


@pytest.mark.parametrize("kinds", [TroubleKind, PollResult, SessionState, Fate, Incident])
def test_every_kind_that_a_metric_tells_apart_is_documented(kinds: type[StrEnum]) -> None:
    assert [kind for kind in kinds if f"`{kind}`" not in DOCUMENT] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_and_which_row_tells_what_to_do(rule: Any) -> None:
    assert rule["for"]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    runbook = re.fullmatch(r'docs/operations\.md, row "(.+)"', rule["annotations"]["runbook"])
    assert runbook
    first, _, _ = DOCUMENT.partition("\n## Metrics\n")
    seen = [line.split(" | ")[0].replace("`", "") for line in first.splitlines() if line.startswith("| ")]
    assert [cell for cell in seen if runbook[1] in cell]


def test_the_section_about_alerts_has_each_and_no_other() -> None:
    _, _, section = DOCUMENT.partition("\n## Alerts\n")
    section, _, _ = section.partition("\n## ")
    assert sorted(re.findall(r"`(Reference\w+)`", section)) == sorted(rule["alert"] for rule in RULES)


def test_the_section_about_alerts_says_within_what_times_each_resolves_as_they_are_tested() -> None:
    tests = [test["name"] for path in MONITORING.glob("alerts_test*.yaml") for test in load(path.name)["tests"]]
    tested = set(re.findall(r"^(Reference\w+) resolves within (\d+) min", "\n".join(tests), re.MULTILINE))
    _, _, section = DOCUMENT.partition("\n## Alerts\n")
    rows = [line.split(" | ") for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert rows
    assert tested == {
        (alert, minutes)
        for alerts, _, times, *_ in rows
        for alert in re.findall(r"`(\w+)`", alerts)
        for minutes in re.findall(r"(\d+) min", times)
    }

"""docs/operations.md names what exists."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from api_service.app import create_app as create_api
from api_service.settings import Settings as ApiSettings
from shared.embedded import EmbeddedTransport
from shared.probes import PROBED
from sync_service.app import create_app as create_sync
from sync_service.settings import Settings as SyncSettings

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "operations.md").read_text()
SOURCES = [path for package in ("api_service", "sync_service", "shared") for path in (PROJECT / package).rglob("*.py")]


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

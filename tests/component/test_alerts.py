"""The alert rules ask for what the services really tell; `make test-monitoring` tests when they fire."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from api_service.app import create_app as create_api
from api_service.settings import Settings as ApiSettings
from deploy.local.openstack import SimulatedCloud, faults
from shared.embedded import EmbeddedTransport
from sync_service.app import create_app as create_sync
from sync_service.domain.ports import TroubleKind
from sync_service.settings import Settings as SyncSettings
from tests.component.serving import AiohttpClient
from tests.eventually import until_answered
from tests.repositories import copy_sample

RULES = Path(__file__).parents[2] / "deploy" / "monitoring" / "alerts.yaml"
OURS = re.compile(r"(reference_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)=~?"([^"]*)"')
NOT_SEEN_HERE: Mapping[str, set[str]] = {"status": {"500"}, "kind": {kind.value for kind in TroubleKind}}
"""Values of labels that a healthy service does not show."""


@dataclass(frozen=True)
class Selector:
    """A metric of ours in a rule, and the values of labels that it is asked for by."""

    metric: str
    matchers: Mapping[str, Collection[str]]


def selectors() -> Iterator[Selector]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            for metric, matchers in OURS.findall(rule["expr"]):
                yield Selector(metric, {label: values.split("|") for label, values in MATCHER.findall(matchers)})


type Told = Mapping[str, Mapping[str, set[str]]]
"""Metric -> label -> the values that were seen."""


async def told(client: Any) -> Told:
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families(await (await client.get("/metrics")).text()):
        for sample in family.samples:
            labels = found[sample.name]
            for label, value in sample.labels.items():
                labels[label].add(value)
    return found


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiohttp_client: AiohttpClient) -> AsyncIterator[Told]:
    """What both services tell once a site is published, another is in trouble, and a request was answered."""
    async with SimulatedCloud({"uc": ["a"], "tacc": ["b"]}) as cloud:
        (tmp_path / "clouds.yaml").write_text(cloud.clouds_yaml())
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        await cloud.sites["tacc"].break_with(faults.status(500))
        sites = {"availability": {"sites": {site: {"cloud": site} for site in cloud.sites}}}
        reference = {"ref_dir": copy_sample(tmp_path / "inventory")}
        transport = EmbeddedTransport()
        sync = await aiohttp_client(create_sync(SyncSettings.model_validate(sites), transport=transport))
        settings = ApiSettings.model_validate({**sites, "reference": reference})
        api = await aiohttp_client(create_api(settings, transport=transport))

        async def everything() -> Told:
            found = {**await told(sync), **await told(api)}
            ages, troubles = "reference_api_site_age_seconds", "reference_sync_troubles_total"
            return found if {ages, troubles, "reference_api_data_faults"} <= found.keys() else {}

        yield await until_answered(everything)


async def test_whatever_the_rules_select_join_or_sum_by_is_told_by_a_running_pair(pair: Told) -> None:
    asked = list(selectors())
    assert len(asked) > 15, "the pattern finds too little"
    for each in asked:
        assert each.metric in pair, each
        for label, values in each.matchers.items():
            assert label in pair[each.metric], each
            assert set(values) <= pair[each.metric][label] | NOT_SEEN_HERE.get(label, set()), each

    given_by_prometheus = {"job", "instance"}
    known = {label for labels in pair.values() for label in labels} | given_by_prometheus
    lists = re.findall(r"\b(?:by|on) \(([^)]*)\)", RULES.read_text())
    assert lists
    assert {label for each in lists for label in each.split(", ")} <= known

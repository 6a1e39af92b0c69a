"""Alert rules and dashboard ask for what the services really tell; `make test-monitoring` has promtool read them."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from api_service.app import create_app as create_api
from api_service.settings import Settings as ApiSettings
from deploy.local.dashboard_rules import queries, rules
from deploy.local.openstack import SimulatedCloud, faults
from shared.embedded import EmbeddedTransport
from sync_service.app import create_app as create_sync
from sync_service.domain.ports import TroubleKind
from sync_service.settings import Settings as SyncSettings
from tests.component.serving import AiohttpClient
from tests.eventually import until_answered
from tests.repositories import copy_sample

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
ALERTS = [
    (rule["alert"], rule["expr"])
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OURS = re.compile(r"(reference_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(?:=~?|!=)"([^"]*)"')
AGGREGATED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
GIVEN_BY_PROMETHEUS = {"job", "instance"}
NOT_SEEN_HERE: Mapping[str, set[str]] = {"status": {"500"}, "kind": {kind.value for kind in TroubleKind}}
"""Values of labels that a healthy service does not show."""


@dataclass(frozen=True)
class Selector:
    """A metric of ours in a rule or a panel, and the values of labels that it is asked for by."""

    where: str
    metric: str
    matchers: Mapping[str, Collection[str]]


def selectors(expressions: Iterable[tuple[str, str]]) -> Iterator[Selector]:
    for where, expression in expressions:
        for metric, matchers in OURS.findall(expression):
            asked = {label: values.split("|") for label, values in MATCHER.findall(matchers) if values != "$site"}
            yield Selector(where, metric, asked)


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


TOLD_LATER = {
    "reference_api_data_faults",
    "reference_api_site_age_seconds",
    "reference_sync_last_success_age_seconds",
    "reference_sync_troubles_total",
}
"""What is there only once something has happened."""


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
            return found if found.keys() >= TOLD_LATER else {}

        yield await until_answered(everything)


@pytest.mark.parametrize("expressions", [ALERTS, list(queries(DASHBOARD))], ids=["alerts", "dashboard"])
async def test_whatever_is_selected_joined_or_summed_by_is_told_by_a_running_pair(
    pair: Told, expressions: list[tuple[str, str]]
) -> None:
    asked = list(selectors(expressions))
    assert len(asked) > 15, "the pattern finds too little"
    for each in asked:
        assert each.metric in pair, each
        for label, values in each.matchers.items():
            assert label in pair[each.metric], each
            assert set(values) <= pair[each.metric][label] | NOT_SEEN_HERE.get(label, set()), each

    for where, expression in expressions:
        known = {label for metric, _ in OURS.findall(expression) for label in pair[metric]} | GIVEN_BY_PROMETHEUS
        assert {label for each in AGGREGATED.findall(expression) for label in each.split(", ")} <= known, where


async def test_a_legend_has_only_labels_that_its_query_leaves(pair: Told) -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = re.findall(r"\bby \(([^)]*)\)", target["expr"])
            given = {label for metric, _ in OURS.findall(target["expr"]) for label in pair[metric]}
            assert shown <= (set(kept[0].split(", ")) if kept else given | GIVEN_BY_PROMETHEUS), panel["title"]


async def test_whatever_the_services_tell_is_on_the_dashboard(pair: Told) -> None:
    shown = {each.metric for each in selectors(queries(DASHBOARD))}
    # Of a histogram the buckets tell the rest.
    assert {metric for metric in pair if metric.startswith("reference_")} - shown == {
        f"reference_{seconds}_{part}"
        for seconds in ("api_request_seconds", "sync_poll_seconds")
        for part in ("sum", "count")
    }


async def test_the_choice_of_sites_is_filled_by_what_a_running_pair_tells(pair: Told) -> None:
    [site] = [each for each in DASHBOARD["templating"]["list"] if each["name"] == "site"]
    asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", site["query"]["query"])
    assert asked
    assert {"tacc", "uc"} <= pair[asked[1]][asked[2]]


def test_every_query_is_checked_as_a_rule_with_nothing_of_grafana_left_in_it() -> None:
    checked: Any = rules(DASHBOARD)["groups"]
    expressions = [rule["expr"] for rule in checked[0]["rules"]]
    assert len(expressions) == sum(len(panel["targets"]) for panel in PANELS)
    assert [expression for expression in expressions if "$" in expression] == []


def test_every_panel_takes_its_data_from_where_the_viewer_says() -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    asking = [*PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert all(each["datasource"] == source for each in asking)
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "site"]
    assert "__inputs" not in DASHBOARD


def test_no_panel_covers_another_or_has_its_number() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_a_panel_names_only_alerts_that_there_are_and_each_is_named() -> None:
    named = {name for panel in PANELS for name in re.findall(r"Reference[A-Z]\w+", panel["description"])}
    assert named == {alert for alert, _ in ALERTS}


RULE_TESTS: list[Any] = [
    test
    for path in sorted(FOLDER.glob("alerts_test*.yaml"))
    for test in yaml.safe_load(path.read_text())["tests"]
    if test["name"].startswith("Reference")
]
FORM = re.compile(r"(?P<alert>Reference\w+) (?P<form>fires|does not fire|resolves within (?P<within>\d+) min) .+")


SECONDS = {"h": 3600, "m": 60, "s": 1}


def seconds(duration: str) -> int:
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def proves_firing(test: Any, alert: str, _: str | None) -> bool:
    """Not yet at one moment, and with its labels at a later one."""
    cases = [case for case in test.get("alert_rule_test", ()) if case["alertname"] == alert]
    silent = [seconds(case["eval_time"]) for case in cases if not case["exp_alerts"]]
    firing = [seconds(case["eval_time"]) for case in cases if case["exp_alerts"]]
    return bool(silent and firing) and max(silent) < min(firing)


def proves_silence(test: Any, alert: str, _: str | None) -> bool:
    """Fires at no evaluation from the beginning to the end."""
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    return any(
        case["expr"] == f"count_over_time({firing}[{case['eval_time']}])" and not case["exp_samples"]
        for case in test.get("promql_expr_test", ())
    )


def proves_resolving(test: Any, alert: str, within: str | None) -> bool:
    """Fires at the last bad sample, and at no evaluation of a long time that begins so many minutes later."""
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    before, after = test["promql_expr_test"]
    window = re.fullmatch(re.escape(f"count_over_time({firing}[") + r"(\w+)\]\)", after["expr"])
    if before["expr"] != f"count({firing})" or not before["exp_samples"] or not window or after["exp_samples"]:
        return False
    begins = seconds(after["eval_time"]) - seconds(window[1])
    return begins - seconds(before["eval_time"]) == 60 * int(within or 0) and seconds(window[1]) >= 30 * 60


PROOFS: Mapping[str, Callable[[Any, str, str | None], bool]] = {
    "fires": proves_firing,
    "does not fire": proves_silence,
    "resolves": proves_resolving,
}


@pytest.mark.parametrize("alert", [name for name, _ in ALERTS])
def test_an_alert_is_tested_to_fire_and_to_stay_silent_once_all_is_mended_and_to_resolve(alert: str) -> None:
    names = [name for test in RULE_TESTS if (name := FORM.fullmatch(test["name"])) and name["alert"] == alert]
    assert {name["form"].partition(" within")[0] for name in names} == set(PROOFS)


@pytest.mark.parametrize("test", RULE_TESTS, ids=lambda test: test["name"])
def test_a_test_of_an_alert_proves_the_form_that_its_name_says(test: Any) -> None:
    name = FORM.fullmatch(test["name"])
    assert name
    assert name["alert"] in {alert for alert, _ in ALERTS}
    assert PROOFS[name["form"].partition(" within")[0]](test, name["alert"], name["within"])

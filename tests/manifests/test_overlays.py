"""Every overlay is sound; every fault that was planted in one is found; and what they say is what the services read."""

import copy
import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml  # type: ignore[import-untyped]

from api_service.settings import load_settings as load_api
from shared.settings_sources import CONFIG_VARIABLE
from sync_service.settings import load_settings as load_sync
from tests.manifests.checks import CHECKS, findings
from tests.manifests.checks.settings import mounted_at
from tests.manifests.conftest import HERE, OVERLAYS, ROOT, Rendered
from tests.manifests.objects import Manifests, label

FAULTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(HERE.glob("faults/*.yaml"))}
COMPONENTS = {path.parent.name for path in ROOT.glob("deploy/k8s/components/*/kustomization.yaml")}
NAMED = re.compile(r"\b(?:base|components|overlays)/[\w./-]*\w")
IN_A_CLUSTER = "amqp://user:password@rabbitmq.reference-api.svc:5672/"
LOADERS = {"api": load_api, "sync": load_sync}

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@every_overlay
def test_an_overlay_has_no_faults(rendered: Rendered, overlay: str) -> None:
    assert not findings(rendered[overlay])


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(rendered: Rendered, name: str) -> None:
    fault = FAULTS[name]
    found = findings(planted(rendered[fault["overlay"]], fault))
    assert any(fault["found"] in finding for finding in found), found


def test_every_check_finds_some_fault(rendered: Rendered) -> None:
    faulty = [planted(rendered[fault["overlay"]], fault) for fault in FAULTS.values()]
    idle = [check.__name__ for check in CHECKS if not any(list(check(each)) for each in faulty)]
    assert not idle


def test_every_component_is_in_some_overlay() -> None:
    used = {
        Path(component).name
        for folder in OVERLAYS.values()
        for component in yaml.safe_load((folder / "kustomization.yaml").read_text()).get("components", ())
    }
    assert used == COMPONENTS


def test_production_has_everything_that_keeps_it_running(rendered: Rendered) -> None:
    kinds = {each["kind"] for each in rendered["production"].objects}
    kept = {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "RabbitmqCluster"}
    assert kept | {"HTTPRoute", "ServiceMonitor", "PodMonitor", "PrometheusRule"} <= kinds


@every_overlay
def test_both_services_load_what_their_pods_are_given(rendered: Rendered, overlay: str, tmp_path: Path) -> None:
    loaded = []
    for pod in rendered[overlay].pods():
        for container in pod.main:
            if load := LOADERS.get(container["name"]):
                environ = {each["name"]: each.get("value", IN_A_CLUSTER) for each in container["env"]}
                volume, name = mounted_at(pod, container, environ[CONFIG_VARIABLE])
                config = rendered[overlay].named("ConfigMap", volume["configMap"]["name"])
                assert config
                (tmp_path / name).write_text(config["data"][name])
                loaded.append(load([], environ | {CONFIG_VARIABLE: str(tmp_path / name)}).settings)
    assert [each.broker.url.get_secret_value() for each in loaded] == [IN_A_CLUSTER] * 2
    assert str(loaded[0].reference.ref_dir).endswith("/data/chameleoncloud")


def test_the_operators_rules_are_those_of_prometheus(rendered: Rendered) -> None:
    rule = rendered["production"].named("PrometheusRule", "reference-api")
    assert rule
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())


def test_whatever_the_guide_names_is_there() -> None:
    folder = ROOT / "deploy/k8s"
    named = NAMED.findall((folder / "README.md").read_text())
    assert len(named) > 10
    assert not [path for path in named if not (folder / path).exists()]


def planted(manifests: Manifests, fault: Mapping[str, Any]) -> Manifests:
    """The manifests with one thing wrong."""
    objects = copy.deepcopy(list(manifests.objects))
    (index,) = (number for number, each in enumerate(objects) if fnmatch(label(each), fault["object"]))
    taken = objects.pop(index)
    if "patch" in fault:
        objects.append(jsonpatch.apply_patch(taken, json.loads(json.dumps(fault["patch"]))))
    elif fault.get("twice"):
        objects += [taken, taken]
    return Manifests(objects, manifests.provided)

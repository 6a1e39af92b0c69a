"""Every field is one that Kubernetes knows, in the oldest version that can run this and in the newest known here."""

import functools
import json
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
from pydantic import ValidationError

from tests.manifests.custom_resources import MODELS
from tests.manifests.objects import Manifests, Object, label

VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""1.30 has native sidecars, a sleep before the end, and autoscaling by one container, all without feature gates."""


def objects_have_known_fields_only(manifests: Manifests) -> Iterator[str]:
    for each in manifests.objects:
        if not each.get("metadata", {}).get("name"):
            yield f"{label(each)}: has no name"
        kind = (each.get("apiVersion", ""), each.get("kind", ""))
        if kind in MODELS:
            yield from _by_model(each)
        else:
            yield from _by_schema(json.dumps(each, sort_keys=True), label(each))
    for each in manifests.of("RabbitmqCluster"):
        yield from _by_schema(json.dumps(_overridden(each)), label(each))


def _by_model(each: Object) -> Iterator[str]:
    try:
        MODELS[each["apiVersion"], each["kind"]].model_validate(each)
    except ValidationError as error:
        for fault in error.errors():
            yield f"{label(each)}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"


@functools.cache
def _by_schema(text: str, name: str) -> tuple[str, ...]:
    """Of each object once: overlays, and the faults in them, have most objects in common."""
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(json.loads(text), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{name}: Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            found.append(f"{name}: Kubernetes {version} has no such kind")
    return tuple(found)


def _overridden(cluster: Object) -> dict[str, Any]:
    """The StatefulSet that the operator would make, as far as we have a say in it."""
    spec = {"selector": {"matchLabels": {}}, "serviceName": "", **cluster["spec"]["override"]["statefulSet"]["spec"]}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x"}, "spec": spec}

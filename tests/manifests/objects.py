"""What an overlay renders, as the checks look at it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

type Object = Mapping[str, Any]
type Check = Callable[["Manifests"], Iterator[str]]
"""Tells in sentences what is wrong; nothing if all is well."""

WORKLOADS = ("Deployment", "StatefulSet")
NAME = "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods of a workload."""

    owner: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    replicas: int
    """How many there are at least."""

    @property
    def name(self) -> str:
        return self.labels.get(NAME, "")

    @property
    def main(self) -> Sequence[Object]:
        return tuple(self.spec.get("containers", ()))

    @property
    def beside(self) -> Sequence[Object]:
        return tuple(self.spec.get("initContainers", ()))

    @property
    def containers(self) -> Sequence[Object]:
        return (*self.beside, *self.main)

    def port(self, wanted: object) -> int | None:
        """The number of a port that a container declares, by its name or number."""
        for container in self.containers:
            for port in container.get("ports", ()):
                if wanted in {port.get("name"), port["containerPort"]}:
                    return int(port["containerPort"])
        return None


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of an overlay, and the Secrets that its reader is told to make."""

    objects: Sequence[Object]
    provided: frozenset[str] = frozenset()

    def of(self, *kinds: str) -> Iterator[Object]:
        return (each for each in self.objects if each.get("kind") in kinds)

    def named(self, kind: str, name: str) -> Object | None:
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def pods(self) -> Iterator[Pod]:
        """Those that we describe ourselves."""
        for each in self.of(*WORKLOADS):
            template = each["spec"]["template"]
            yield Pod(label(each), template["metadata"].get("labels", {}), template["spec"], self._replicas(each))

    def all_pods(self) -> Iterator[Pod]:
        """Those too that RabbitMQ's operator makes, as far as we have a say."""
        yield from self.pods()
        for each in self.of("RabbitmqCluster"):
            labels = {NAME: each["metadata"]["name"], "app.kubernetes.io/component": "rabbitmq"}
            spec = each["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
            yield Pod(label(each), labels, spec, each["spec"]["replicas"])

    def _replicas(self, workload: Object) -> int:
        for scaler in self.of("HorizontalPodAutoscaler"):
            if scaler["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]:
                return int(scaler["spec"].get("minReplicas", 1))
        return int(workload["spec"].get("replicas", 1))


def label(each: Object) -> str:
    """What a finding calls an object."""
    return f"{each.get('kind')}/{each.get('metadata', {}).get('name')}"


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses what has `labels`; an empty one chooses everything, none nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", ()))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def chosen(selector: Mapping[str, Any] | None, pods: Iterable[Pod]) -> list[Pod]:
    """The pods that a label selector chooses."""
    return [pod for pod in pods if selects(selector, pod.labels)]

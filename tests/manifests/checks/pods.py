"""How pods may run: restricted Pod Security, no token, pinned images, probes and bounds."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from tests.manifests.objects import Manifests, Object, Pod, label

PINNED = re.compile(r"(?!.*:latest$)[^\s@]+(:[A-Za-z0-9_][\w.-]{0,127}|@sha256:[0-9a-f]{64})$")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)$")
UNITS: Mapping[str, int | Decimal] = {"": 1, "m": Decimal("0.001"), "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
"""Those that we use."""

OF_THE_NODE = ("hostNetwork", "hostPID", "hostIPC")
VOLUMES = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI", "ephemeral", "csi"}
PATHS = {"livenessProbe": "/healthz", "readinessProbe": "/readyz", "startupProbe": "/healthz"}
OURS = ("api", "sync")
LEAST_TIMEOUT, LEAST_START_SECONDS = 5, 60
CONTAINERS = {"RabbitmqCluster/rabbitmq": {"setup-container", "rabbitmq"}}
"""Those that an operator makes; what we do not say of one of them is left to it."""


def namespaces_demand_restricted_pods(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Namespace"):
        for mode in ("enforce", "audit", "warn"):
            if each["metadata"].get("labels", {}).get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{label(each)}: does not {mode} restricted Pod Security"


def pods_are_restricted(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.all_pods():
        if pod.spec.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.owner}: has no seccomp profile"
        if any(pod.spec.get(field) for field in OF_THE_NODE):
            yield f"{pod.owner}: shares a namespace of the node"
        if names_in(pod) != CONTAINERS.get(pod.owner, names_in(pod)):
            yield f"{pod.owner}: does not say how each of its containers may run"


def volumes_are_bounded(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for volume in pod.spec.get("volumes", ()):
            if len(volume.keys() & VOLUMES) != 1:
                yield f"{pod.owner}: the volume {volume['name']} is of a kind that is not allowed"
            if "sizeLimit" not in volume.get("emptyDir", {"sizeLimit": ""}):
                yield f"{pod.owner}: the volume {volume['name']} may fill the node"


def nobody_is_root(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.all_pods():
        contexts = [each.get("securityContext", {}) for each in (pod.spec, *pod.containers)]
        if contexts[0].get("runAsNonRoot") is not True or any(each.get("runAsNonRoot") is False for each in contexts):
            yield f"{pod.owner}: may run as root"
        if any(each.get("runAsUser") == 0 for each in contexts):
            yield f"{pod.owner}: runs as root"
        if not contexts[0].get("runAsUser") or not contexts[0].get("fsGroup"):
            yield f"{pod.owner}: has no user, or no group that its volumes belong to"


def containers_are_restricted(manifests: Manifests) -> Iterator[str]:
    for pod, container in _containers(manifests.all_pods()):
        context, name = container.get("securityContext", {}), f"{pod.owner}: {container['name']}"
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{name} may gain privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} keeps capabilities"
        if context.get("readOnlyRootFilesystem") is not True and not pod.owner.startswith("RabbitmqCluster/"):
            yield f"{name} may write where no volume is"


def pods_get_nothing_of_kubernetes(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.owner}: gets a service-account token"
        # Links to the Service reference-api would set REFERENCE_API_PORT to an address: our own setting of that name.
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.owner}: gets service links, one of which is taken for a setting"


def images_are_pinned(manifests: Manifests) -> Iterator[str]:
    images = [(pod.owner, str(container["image"])) for pod, container in _containers(manifests.pods())]
    images += [(label(each), str(each["spec"].get("image", ""))) for each in manifests.of("RabbitmqCluster")]
    yield from (f"{owner}: the image {image!r} is not pinned" for owner, image in images if not PINNED.match(image))


def resources_are_bounded(manifests: Manifests) -> Iterator[str]:
    owned = [(f"{pod.owner}: {each['name']}", each.get("resources", {})) for pod, each in _containers(manifests.pods())]
    owned += [(label(each), each["spec"].get("resources", {})) for each in manifests.of("RabbitmqCluster")]
    for name, resources in owned:
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        yield from (f"{name} requests no {kind}" for kind in ("cpu", "memory") if kind not in requests)
        if "memory" not in limits:
            yield f"{name} has no limit of memory"
        for kind in requests.keys() & limits.keys():
            if _amount(requests[kind]) > _amount(limits[kind]):
                yield f"{name} requests more {kind} than it may have"


def probes_ask_the_right_questions(manifests: Manifests) -> Iterator[str]:
    for pod, container in _containers(manifests.pods()):
        wanted = PATHS.keys() if container in pod.main else {"startupProbe"}
        yield from (f"{pod.owner}: {container['name']} has no {kind}" for kind in wanted if kind not in container)
        for kind, path in PATHS.items():
            probe = container.get(kind, {})
            if container["name"] in OURS and probe.get("httpGet", {}).get("path") != path:
                yield f"{pod.owner}: {kind} does not ask {path}"
            if "httpGet" in probe and probe.get("timeoutSeconds", 1) < LEAST_TIMEOUT:
                yield f"{pod.owner}: {kind} gives a busy {container['name']} up at once"
        start = container.get("startupProbe", {})
        if start.get("periodSeconds", 10) * start.get("failureThreshold", 3) < LEAST_START_SECONDS:
            yield f"{pod.owner}: {container['name']} has too little time to start"


def names_in(pod: Pod) -> set[str]:
    return {str(container["name"]) for container in pod.containers}


def _containers(pods: Iterator[Pod]) -> Iterator[tuple[Pod, Object]]:
    return ((pod, container) for pod in pods for container in pod.containers)


def _amount(quantity: object) -> Decimal:
    found = QUANTITY.match(str(quantity))
    assert found, f"{quantity!r} is no quantity"
    return Decimal(found[1]) * UNITS[found[2]]

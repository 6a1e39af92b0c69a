"""What one object says of another is there."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.manifests.objects import WORKLOADS, Manifests, Object, Pod, chosen, label, selects

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def names_are_given_once(manifests: Manifests) -> Iterator[str]:
    counted = Counter(f"{each.get('apiVersion')} {label(each)}" for each in manifests.objects)
    yield from (f"{name}: is there {count} times" for name, count in counted.items() if count > 1)


def everything_is_in_one_namespace(manifests: Manifests) -> Iterator[str]:
    spaces = {each["metadata"]["name"] for each in manifests.of("Namespace")}
    for each in manifests.objects:
        if each["kind"] != "Namespace" and each["metadata"].get("namespace") not in spaces:
            yield f"{label(each)}: is in no namespace of ours"


def workloads_select_their_pods(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of(*WORKLOADS):
        selector = each["spec"]["selector"]
        if not selects(selector, each["spec"]["template"]["metadata"].get("labels", {})):
            yield f"{label(each)}: its selector is not what its pods are labelled with"
        if len(chosen(selector, manifests.pods())) > 1:
            yield f"{label(each)}: its selector takes the pods of another"
    for pod in manifests.all_pods():
        for spread in pod.spec.get("topologySpreadConstraints", ()):
            if chosen(spread.get("labelSelector"), manifests.all_pods()) != [pod]:
                yield f"{pod.owner}: spreads other pods than its own"


def selectors_select(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
        if not chosen(_selector(each), manifests.all_pods()):
            yield f"{label(each)}: selects no pod"
    for each in manifests.of("ServiceMonitor"):
        if not selected_services(each, manifests):
            yield f"{label(each)}: selects no Service"


def selectors_select_one_workload(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Service", "PodDisruptionBudget", "PodMonitor"):
        if len(chosen(_selector(each), manifests.all_pods())) > 1:
            yield f"{label(each)}: selects pods of several workloads"


def probes_ask_at_declared_ports(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            alone = Pod(pod.owner, {}, {"containers": [container]}, 1)
            for kind in PROBES:
                probe = container.get(kind)
                action = probe and (probe.get("httpGet") or probe.get("tcpSocket") or {})
                if action is not None and alone.port(action.get("port", "")) is None:
                    yield f"{pod.owner}: {kind} of {container['name']} asks at a port that is not declared"


def services_lead_to_declared_ports(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Service"):
        wanted = [port.get("targetPort", port["port"]) for port in each["spec"]["ports"]]
        for pod in chosen(_selector(each), manifests.pods()):
            yield from (f"{label(each)}: leads to a port that is not declared" for port in wanted if not pod.port(port))


def monitors_ask_at_declared_ports(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("PodMonitor", "ServiceMonitor"):
        if each["kind"] == "PodMonitor":
            asked = each["spec"].get("podMetricsEndpoints", ())
            there = [_declared(pod) for pod in chosen(_selector(each), manifests.pods())]
        else:
            asked = each["spec"].get("endpoints", ())
            there = [_port_names(service) for service in selected_services(each, manifests)]
        if any(endpoint["port"] not in names for endpoint in asked for names in there):
            yield f"{label(each)}: asks at a port that is not declared"


def routes_lead_somewhere(manifests: Manifests) -> Iterator[str]:
    for each, name, port in _backends(manifests):
        service = manifests.named("Service", name)
        if service is None:
            yield f"{label(each)}: leads to a Service that is not there"
        elif port not in _port_names(service):
            yield f"{label(each)}: leads to a port that its Service does not have"


def volumes_are_there_and_used(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        claimed = {
            claim["metadata"]["name"]
            for workload in manifests.of("StatefulSet")
            if label(workload) == pod.owner
            for claim in workload["spec"].get("volumeClaimTemplates", ())
        }
        there = claimed | {volume["name"] for volume in pod.spec.get("volumes", ())}
        used = set()
        for container in pod.containers:
            mounts = container.get("volumeMounts", ())
            used |= {mount["name"] for mount in mounts}
            if len({mount["mountPath"] for mount in mounts}) < len(mounts):
                yield f"{pod.owner}: {container['name']} mounts two volumes at one place"
        yield from (f"{pod.owner}: mounts the volume {name}, which is not there" for name in sorted(used - there))
        yield from (f"{pod.owner}: nobody mounts the volume {name}" for name in sorted(there - used))


def configuration_exists(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for kind, name, key in _configuration(pod):
            found = manifests.named(kind, name)
            if found is not None and key is not None and key not in _keys(found):
                yield f"{pod.owner}: {kind}/{name} has no key {key}"
            if found is None and not (kind == "Secret" and name in _made_by_others(manifests)):
                yield f"{pod.owner}: {kind}/{name} is not there, and nobody is told to make it"
    for each in manifests.of("Ingress"):
        for tls in each["spec"].get("tls", ()):
            if tls["secretName"] not in _made_by_others(manifests):
                yield f"{label(each)}: Secret/{tls['secretName']} is not there, and nobody is told to make it"


def _selector(each: Object) -> Mapping[str, Any] | None:
    spec = each["spec"]
    if each["kind"] == "Service":
        return {"matchLabels": spec["selector"]} if spec.get("selector") else None
    found: Mapping[str, Any] | None = spec.get("podSelector" if each["kind"] == "NetworkPolicy" else "selector")
    return found


def selected_services(monitor: Object, manifests: Manifests) -> list[Object]:
    """The Services that a ServiceMonitor chooses."""
    services = manifests.of("Service")
    return [each for each in services if selects(monitor["spec"]["selector"], each["metadata"].get("labels", {}))]


def _declared(pod: Pod) -> set[object]:
    return {port.get("name") for container in pod.containers for port in container.get("ports", ())}


def _port_names(service: Object) -> set[object]:
    return {name for port in service["spec"]["ports"] for name in (port.get("name"), port["port"])}


def _backends(manifests: Manifests) -> Iterator[tuple[Object, str, object]]:
    for each in manifests.of("HTTPRoute"):
        for rule in each["spec"]["rules"]:
            yield from ((each, backend["name"], backend["port"]) for backend in rule["backendRefs"])
    for each in manifests.of("Ingress"):
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield each, service["name"], service["port"].get("name") or service["port"].get("number")


def _configuration(pod: Pod) -> Iterator[tuple[str, str, str | None]]:
    for volume in pod.spec.get("volumes", ()):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], None
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], None
    for container in pod.containers:
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                if field in source:
                    yield kind, source[field]["name"], source[field]["key"]


def _keys(each: Object) -> set[str]:
    return {key for field in ("data", "stringData", "binaryData") for key in each.get(field) or {}}


def _made_by_others(manifests: Manifests) -> set[str]:
    by_operator = {f"{each['metadata']['name']}-default-user" for each in manifests.of("RabbitmqCluster")}
    return by_operator | manifests.provided

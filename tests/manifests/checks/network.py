"""Network policies let through what is needed, and nothing else."""

from collections.abc import Iterator
from itertools import product

from tests.manifests.objects import NAME, Manifests, label
from tests.manifests.traffic import Party, allowed

API, SYNC, BROKER = "reference-api", "reference-sync", "rabbitmq"
STRANGER = Party()
OPERATOR = Party(namespace="rabbitmq-system")
NAMES = Party({"k8s-app": "kube-dns"}, "kube-system")
OTHER_NAMES = (Party({"k8s-app": "other"}, "kube-system"), Party({"k8s-app": "kube-dns"}, "elsewhere"))
GITHUB = [Party(address=each) for each in ("140.82.112.3", "143.55.64.1", "185.199.108.133", "192.30.255.112")]
CLOUD, METADATA = Party(address="203.0.113.10"), Party(address="169.254.169.254")
PRIVATE = [Party(address=each) for each in ("10.96.0.1", "172.16.0.1", "192.168.0.1")]
"""Where Kubernetes' own API may be."""

OPENSTACK_PORTS = (443, 1234, 5000, 8774)
BETWEEN_NODES = (4369, 25672, 6000, 6500)
"""Of RabbitMQ: who is there, what they say to each other, and the first and last port over which streams are copied."""


def policies_say_whom_and_where(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("NetworkPolicy"):
        for way, peers in (("egress", "to"), ("ingress", "from")):
            for rule in each["spec"].get(way, ()):
                selectors = [selector for peer in rule.get(peers) or [{}] for selector in peer.values() or [{}]]
                ports = [port.get("port") for port in rule.get("ports") or [{}]]
                if not all(selectors) or not all(any(each.values()) for each in selectors) or None in ports:
                    yield f"{label(each)}: a rule for {way} does not say whom, or on which port"


def somebody_may_ask(manifests: Manifests) -> Iterator[str]:
    if any(manifests.of("NetworkPolicy")) and not (_gateways(manifests) and _prometheus(manifests)):
        yield "network: no Gateway may ask the API, or no Prometheus both services"


def what_is_needed_passes(manifests: Manifests) -> Iterator[str]:
    for source, target, port, protocol in _needed(_parties(manifests), manifests):
        if not allowed(manifests, source, target, port, protocol):
            yield f"network: {source} cannot reach {target} on {port}"


def nothing_else_passes(manifests: Manifests) -> Iterator[str]:
    if not any(manifests.of("NetworkPolicy")):
        return  # an overlay without any relies on something else
    for source, target, port in _unwanted(_parties(manifests), manifests):
        if allowed(manifests, source, target, port):
            yield f"network: {source} can reach {target} on {port}"


def _parties(manifests: Manifests) -> dict[str, Party]:
    return {pod.name: Party(pod.labels, pod=pod) for pod in manifests.all_pods()}


def _gateways(manifests: Manifests) -> list[Party]:
    """Whoever may ask the API, but not the probes of the sync service: an overlay says where they are."""
    return [Party(namespace=name) for name in _admitted(manifests, API) - _admitted(manifests, SYNC)]


def _prometheus(manifests: Manifests) -> list[Party]:
    return [Party(namespace=name) for name in _admitted(manifests, SYNC)]


def _admitted(manifests: Manifests, name: str) -> set[str]:
    """The namespaces that a policy names."""
    policy = manifests.named("NetworkPolicy", name) or {"spec": {}}
    peers = (peer for rule in policy["spec"].get("ingress", ()) for peer in rule.get("from", ()))
    labels = (peer.get("namespaceSelector", {}).get("matchLabels", {}) for peer in peers)
    return {each["kubernetes.io/metadata.name"] for each in labels if each}


def _needed(ours: dict[str, Party], manifests: Manifests) -> Iterator[tuple[Party, Party, int, str]]:
    for gateway in _gateways(manifests):
        yield gateway, ours[API], 8000, "TCP"
    for prometheus in _prometheus(manifests):
        yield prometheus, ours[API], 8000, "TCP"
        yield prometheus, ours[SYNC], 8081, "TCP"
    yield from ((ours[API], github, 443, "TCP") for github in GITHUB)
    yield ours[API], ours[BROKER], 5672, "TCP"
    yield ours[SYNC], ours[BROKER], 5672, "TCP"
    for port in OPENSTACK_PORTS:
        yield ours[SYNC], CLOUD, port, "TCP"
    for each in ours.values():
        for protocol in ("UDP", "TCP"):
            yield each, NAMES, 53, protocol
    for port in BETWEEN_NODES:
        yield ours[BROKER], ours[BROKER], port, "TCP"
    yield OPERATOR, ours[BROKER], 15672, "TCP"
    yield from ((ours[BROKER], private, port, "TCP") for private in PRIVATE for port in (443, 6443))


def _unwanted(ours: dict[str, Party], manifests: Manifests) -> Iterator[tuple[Party, Party, int]]:
    api, sync, broker = ours[API], ours[SYNC], ours[BROKER]
    outside = (*_gateways(manifests), *_prometheus(manifests), STRANGER, Party({NAME: API}, "elsewhere"))
    yield from product((api, broker, STRANGER), (CLOUD,), OPENSTACK_PORTS)
    yield from product((broker, STRANGER), GITHUB, (443,))
    yield from product((api, sync, broker, STRANGER), (METADATA, CLOUD), (80,))
    yield from product((api, sync, STRANGER), (METADATA, *PRIVATE), (443,))
    yield from product((api, sync, broker, STRANGER), OTHER_NAMES, (53,))
    yield from product(outside, (broker,), (5672,))
    yield from product((api, sync, STRANGER), (broker,), BETWEEN_NODES)
    for target, port in ((api, 8000), (sync, 8081)):
        yield from product((STRANGER, Party(namespace="elsewhere"), CLOUD, broker), (target,), (port,))
    yield sync, api, 8000
    yield STRANGER, NAMES, 53
    yield CLOUD, STRANGER, 80

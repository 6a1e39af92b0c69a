"""Network policies let through what is needed, and nothing else."""

from collections.abc import Iterator

from tests.manifests.objects import NAME, Manifests
from tests.manifests.traffic import Party, allowed

API, SYNC, BROKER = "reference-api", "reference-sync", "rabbitmq"
STRANGER = Party()
OPERATOR = Party(namespace="rabbitmq-system")
NAMES = Party({"k8s-app": "kube-dns"}, "kube-system")
GITHUB, CLOUD = Party(address="140.82.112.3"), Party(address="203.0.113.10")
METADATA, KUBERNETES = Party(address="169.254.169.254"), Party(address="10.96.0.1")
OPENSTACK_PORTS = (443, 1234, 5000, 8774)
BETWEEN_NODES = (4369, 25672, 6000, 6500)
"""Of RabbitMQ: who is there, what they say to each other, and the first and last port over which streams are copied."""


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
    yield ours[API], GITHUB, 443, "TCP"
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
    yield ours[BROKER], KUBERNETES, 443, "TCP"


def _unwanted(ours: dict[str, Party], manifests: Manifests) -> Iterator[tuple[Party, Party, int]]:
    for port in OPENSTACK_PORTS:
        for each in (ours[API], ours[BROKER], STRANGER):
            yield each, CLOUD, port
    for each in (*ours.values(), STRANGER):
        yield each, METADATA, 80
        yield each, CLOUD, 80
    for source in (*_gateways(manifests), *_prometheus(manifests), STRANGER, Party({NAME: API}, "elsewhere")):
        yield source, ours[BROKER], 5672
    for source in (STRANGER, ours[API], ours[SYNC]):
        yield from ((source, ours[BROKER], port) for port in BETWEEN_NODES)
    for source in (STRANGER, Party(namespace="elsewhere"), CLOUD, ours[BROKER]):
        yield source, ours[API], 8000
        yield source, ours[SYNC], 8081
    yield ours[SYNC], ours[API], 8000
    yield ours[SYNC], KUBERNETES, 443
    yield ours[API], KUBERNETES, 443
    yield STRANGER, NAMES, 53
    yield CLOUD, STRANGER, 80

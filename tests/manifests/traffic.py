"""What network policies allow, as Kubernetes reads them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.manifests.objects import Manifests, Object, Pod, selects

OURS = "reference-api"
"""The namespace."""


@dataclass(frozen=True)
class Party:
    """One end of a connection: a pod of some namespace, or an address outside."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = OURS
    address: str | None = None
    pod: Pod | None = None

    def __str__(self) -> str:
        return self.address or f"{self.namespace}/{self.labels.get('app.kubernetes.io/name', 'another pod')}"


def allowed(manifests: Manifests, source: Party, target: Party, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` may open a connection to `target`."""
    return _passes(manifests, "Egress", source, target, target, port, protocol) and _passes(
        manifests, "Ingress", target, source, target, port, protocol
    )


def _passes(manifests: Manifests, way: str, held: Party, peer: Party, target: Party, port: int, protocol: str) -> bool:
    """Whether the policies that `held` is subject to let `peer` through."""
    policies = list(_policies(manifests, way, held))
    rules = [rule for policy in policies for rule in policy["spec"].get(way.lower()) or ()]
    peers = "to" if way == "Egress" else "from"
    return not policies or any(
        (not rule.get(peers) or any(_is(each, peer) for each in rule[peers]))
        and _covers(rule.get("ports") or (), target, port, protocol)
        for rule in rules
    )


def _policies(manifests: Manifests, way: str, held: Party) -> Iterator[Object]:
    if held.namespace != OURS or held.address:
        return
    for policy in manifests.of("NetworkPolicy"):
        if way in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], held.labels):
            yield policy


def _is(described: Mapping[str, Any], peer: Party) -> bool:
    if block := described.get("ipBlock"):
        return peer.address is not None and _within(block, peer.address)
    if peer.address is not None:
        return False
    spaces = described.get("namespaceSelector")
    there = (
        peer.namespace == OURS if spaces is None else selects(spaces, {"kubernetes.io/metadata.name": peer.namespace})
    )
    return there and ("podSelector" not in described or selects(described["podSelector"], peer.labels))


def _within(block: Mapping[str, Any], address: str) -> bool:
    inside = ip_address(address) in ip_network(block["cidr"])
    return inside and not any(ip_address(address) in ip_network(each) for each in block.get("except", ()))


def _covers(ports: Sequence[Mapping[str, Any]], target: Party, port: int, protocol: str) -> bool:
    if not ports:
        return True
    for each in ports:
        first = target.pod.port(each["port"]) if isinstance(each["port"], str) and target.pod else each["port"]
        if each.get("protocol", "TCP") == protocol and port in range(first or 0, each.get("endPort", first or 0) + 1):
            return True
    return False

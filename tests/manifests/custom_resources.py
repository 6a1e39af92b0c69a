"""The parts that we use of resources that Kubernetes itself does not know; anything else is taken for a slip."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[str, Field(pattern=r"^\d+(ms|s|m|h)$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: str
    namespace: str
    labels: dict[str, str] = {}


class Selector(Strict):
    matchLabels: dict[str, str] = Field(min_length=1)  # noqa: N815 - Kubernetes' own names


class Parent(Strict):
    name: str
    namespace: str
    sectionName: str | None = None  # noqa: N815


class PathMatch(Strict):
    type: Literal["PathPrefix", "Exact"]
    value: str


class Match(Strict):
    path: PathMatch


class Backend(Strict):
    name: str
    port: Port


class RouteRule(Strict):
    matches: list[Match] = Field(min_length=1)
    backendRefs: list[Backend] = Field(min_length=1)  # noqa: N815


class RouteSpec(Strict):
    parentRefs: list[Parent] = Field(min_length=1)  # noqa: N815
    hostnames: list[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]] = Field(min_length=1)
    rules: list[RouteRule] = Field(min_length=1)


class Endpoint(Strict):
    port: str
    path: str
    interval: Seconds


class ServiceMonitorSpec(Strict):
    jobLabel: str  # noqa: N815
    selector: Selector
    endpoints: list[Endpoint] = Field(min_length=1)


class PodMonitorSpec(Strict):
    jobLabel: str  # noqa: N815
    selector: Selector
    podMetricsEndpoints: list[Endpoint] = Field(min_length=1)  # noqa: N815


class AlertRule(Strict):
    alert: str
    expr: str
    for_: Seconds = Field(alias="for")
    labels: dict[str, str]
    annotations: dict[str, str]


class RuleGroup(Strict):
    name: str
    rules: list[AlertRule] = Field(min_length=1)


class RulesSpec(Strict):
    groups: list[RuleGroup] = Field(min_length=1)


class Persistence(Strict):
    storage: str


class Configuration(Strict):
    additionalConfig: str  # noqa: N815


class StatefulSetOverride(Strict):
    spec: dict[str, Any]
    """Held to Kubernetes' own schema of a StatefulSet."""


class Override(Strict):
    statefulSet: StatefulSetOverride  # noqa: N815


class ClusterSpec(Strict):
    replicas: Annotated[int, Field(ge=1)]
    image: str
    persistence: Persistence
    resources: dict[str, dict[str, str]]
    rabbitmq: Configuration
    override: Override


class Resource[Spec: Strict](Strict):
    apiVersion: str  # noqa: N815
    kind: str
    metadata: Metadata
    spec: Spec


MODELS: dict[tuple[str, str], type[BaseModel]] = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): Resource[RouteSpec],
    ("monitoring.coreos.com/v1", "ServiceMonitor"): Resource[ServiceMonitorSpec],
    ("monitoring.coreos.com/v1", "PodMonitor"): Resource[PodMonitorSpec],
    ("monitoring.coreos.com/v1", "PrometheusRule"): Resource[RulesSpec],
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): Resource[ClusterSpec],
}
"""By version and kind."""

"""Replicas, and what happens while they come and go."""

from collections.abc import Iterator

from tests.manifests.objects import WORKLOADS, Manifests, chosen, label

SHUTDOWN_SECONDS = {"reference-api": 10, "reference-sync": 5}
"""docs/operations.md, "Bounds": the end of each service."""

ROOM_SECONDS = 5
"""A node is slower than a bench."""


def autoscalers_can_work(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("HorizontalPodAutoscaler"):
        spec = each["spec"]
        target = manifests.named(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        if target is None:
            yield f"{label(each)}: scales something that is not there"
            continue
        if "replicas" in target["spec"]:
            yield f"{label(target)}: sets the replicas that an autoscaler owns"
        if not 2 <= spec.get("minReplicas", 1) < spec["maxReplicas"]:
            yield f"{label(each)}: must have two replicas at least, and room for more"
        requests = {
            container["name"]: container.get("resources", {}).get("requests", {})
            for container in target["spec"]["template"]["spec"]["containers"]
        }
        for metric in spec.get("metrics") or [{}]:
            source = metric.get("containerResource", {})
            percent = source.get("target", {}).get("averageUtilization", 0)
            if source.get("name") not in requests.get(source.get("container"), ()) or not 0 < percent < 100:
                yield f"{label(each)}: measures what no container requests"


def replicas_are_said(manifests: Manifests) -> Iterator[str]:
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in manifests.of("HorizontalPodAutoscaler")}
    for each in manifests.of(*WORKLOADS):
        if "replicas" not in each["spec"] and each["metadata"]["name"] not in scaled:
            yield f"{label(each)}: does not say how many replicas there are"


def disruptions_are_bounded(manifests: Manifests) -> Iterator[str]:
    pods = list(manifests.all_pods())
    for each in manifests.of("PodDisruptionBudget"):
        for pod in chosen(each["spec"]["selector"], pods):
            least, most = each["spec"].get("minAvailable"), each["spec"].get("maxUnavailable")
            if (least is None) == (most is None) or most == 0 or (isinstance(least, int) and least >= pod.replicas):
                yield f"{label(each)}: lets no node be drained"
            if isinstance(most, int) and most >= pod.replicas > 1:
                yield f"{label(each)}: lets all replicas go at once"
    budgets = [each["spec"]["selector"] for each in manifests.of("PodDisruptionBudget")]
    for pod in pods:
        if pod.replicas > 1 and not any(chosen(budget, [pod]) for budget in budgets):
            yield f"{pod.owner}: has replicas, and no disruption budget"


def replicas_are_spread(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.all_pods():
        over = {each["topologyKey"] for each in pod.spec.get("topologySpreadConstraints", ())}
        if pod.replicas > 1 and not {"topology.kubernetes.io/zone", "kubernetes.io/hostname"} <= over:
            yield f"{pod.owner}: its replicas may share one zone or one node"


def rollouts_leave_replicas(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Deployment"):
        rolling = each["spec"].get("strategy", {}).get("rollingUpdate", {})
        least = 0 if each["metadata"]["name"] == "reference-api" else 1
        if rolling.get("maxUnavailable") not in range(least + 1) or rolling.get("maxSurge") in {0, None}:
            yield f"{label(each)}: a rollout takes more replicas away than it may"


def pods_have_time_to_end(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of(*WORKLOADS):
        spec = each["spec"]["template"]["spec"]
        waits = [
            container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            for container in spec["containers"]
        ]
        needed = max(waits) + SHUTDOWN_SECONDS.get(each["metadata"]["name"], 0) + ROOM_SECONDS
        if spec.get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{label(each)}: is killed before it has ended, which takes {needed} s"
        if each["metadata"]["name"] == "reference-api" and not max(waits):
            yield f"{label(each)}: ends while requests are still sent to it"

"""Prometheus finds both services under the names that the alert rules know them by."""

import re
from collections.abc import Iterator

from tests.manifests.checks.references import selected_services
from tests.manifests.objects import Manifests, chosen, label

JOB = re.compile(r'\bjob=~?"([^"]+)"')


def jobs_are_named_as_the_rules_want(manifests: Manifests) -> Iterator[str]:
    wanted = {
        name
        for each in manifests.of("PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        for names in JOB.findall(rule["expr"])
        for name in names.split("|")
    }
    jobs = set(_jobs(manifests))
    yield from (f"monitoring: the rules know the job {name}, and nothing is named so" for name in sorted(wanted - jobs))
    yield from (f"monitoring: no rule knows the job {name}" for name in sorted(jobs - wanted))


def metrics_are_asked_for(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("ServiceMonitor", "PodMonitor"):
        for endpoint in each["spec"].get("endpoints") or each["spec"].get("podMetricsEndpoints") or ():
            if endpoint.get("path", "/metrics") != "/metrics":
                yield f"{label(each)}: does not ask /metrics"


def _jobs(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("ServiceMonitor"):
        for service in selected_services(each, manifests):
            yield service["metadata"]["labels"].get(each["spec"].get("jobLabel"), service["metadata"]["name"])
    for each in manifests.of("PodMonitor"):
        for pod in chosen(each["spec"]["selector"], manifests.pods()):
            yield pod.labels.get(each["spec"].get("jobLabel", ""), label(each))

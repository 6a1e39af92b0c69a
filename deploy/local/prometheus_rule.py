"""`python -m deploy.local.prometheus_rule [--check]`: the alert rules in the form that Prometheus' operator reads.

kustomize puts no file into a list of an object, and `kubectl apply -k` reads none from beside the component.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

RULES: Final = Path("deploy/monitoring/alerts.yaml")
WRAPPED: Final = Path("deploy/k8s/components/monitoring/rules.yaml")
HEAD: Final = """\
# Made of deploy/monitoring/alerts.yaml by `make generate`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: reference-api
  labels:
    app.kubernetes.io/name: reference-api
spec:
"""


def wrapped(rules: str) -> str:
    """The object that holds `rules`, a rule file of Prometheus."""
    return HEAD + "".join(f"  {line}" if line.strip() else line for line in rules.splitlines(keepends=True))


def main(arguments: Sequence[str]) -> int:
    """Writes the file, or with `--check` compares it; answers the process's exit status."""
    current = wrapped(RULES.read_text())
    if "--check" not in arguments:
        WRAPPED.write_text(current)
        return 0
    if WRAPPED.is_file() and WRAPPED.read_text() == current:
        return 0
    sys.stderr.write(f"{WRAPPED} is not what the alert rules say: run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

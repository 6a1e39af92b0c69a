"""`python -m deploy.local.dashboard_rules FILE`: the dashboard's queries as rules, for promtool knows nothing else."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

DASHBOARD: Final = Path("deploy/monitoring/dashboard.json")
VARIABLES: Final = {"$__rate_interval": "5m", "$site": ".*"}
"""What Grafana would put in their place."""


def queries(dashboard: Any) -> Iterator[tuple[str, str]]:
    """A panel's title, and what it asks for."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def rules(dashboard: Any) -> dict[str, object]:
    """A rule file, which may be JSON as well."""
    found = []
    for number, (title, query) in enumerate(queries(dashboard)):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)  # noqa: PLW2901
        found.append({"record": f"dashboard:query:{number}", "labels": {"panel": title}, "expr": query})
    return {"groups": [{"name": "dashboard", "rules": found}]}


def main() -> None:
    """Makes the folder of the file, too."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rules(json.loads(DASHBOARD.read_text())), indent=2))


if __name__ == "__main__":
    main()

"""Whether both services are ready and every simulated site has been polled once."""

import json
import urllib.request
from typing import Any

from deploy.local.plan import Plan


def missing(plan: Plan) -> str:
    """What is not yet there: nothing, if there is something to see. Real sites may take as long as they like."""
    for url in (plan.sync_url, plan.api_url):
        if not _json(f"{url}/readyz"):
            return f"{url}/readyz does not say ok"
    sites = _unsynced(plan) if plan.simulated else ()
    return f"nothing is known of {', '.join(sites)}" if sites else ""


def _unsynced(plan: Plan) -> list[str]:
    known = {site["site_id"]: site["last_synced"] for site in _json(f"{plan.api_url}/status").get("sites", [])}
    return [site_id for site_id in plan.settings.availability.sites if not known.get(site_id)]


def _json(url: str) -> dict[str, Any]:
    """What a service answers with status 200; nothing otherwise."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own service, on loopback
            answer: dict[str, Any] = json.load(response)
            return answer
    except (OSError, ValueError):
        return {}

"""Waiting until both services are ready and every simulated site has been polled once."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from typing import Any, Final

from deploy.local.plan import Plan
from deploy.local.processes import Process

READY_SECONDS: Final = 90.0
STEP_SECONDS: Final = 0.1


class NotReadyError(Exception):
    """A service ended, or is not ready in time; tells its last lines."""

    def __init__(self, service: Process, reason: str | None = None) -> None:
        reason = reason or f"ended with status {service.status}"
        super().__init__("\n".join([f"the process {service.name!r} {reason}; its last lines were:", *service.tail]))


def until_ready(plan: Plan, services: Sequence[Process], *, seconds: float = READY_SECONDS) -> None:
    """Returns once there is something to see: real sites may take longer, a simulated one may not.

    Raises:
        NotReadyError: within `seconds` it is not so, or a service ended.
    """
    deadline = time.monotonic() + seconds
    while missing := _missing(plan):
        for service in services:
            if service.status is not None:
                raise NotReadyError(service)
        if time.monotonic() > deadline:
            raise NotReadyError(services[0], f"is not ready after {seconds:.0f} s: {missing}")
        time.sleep(STEP_SECONDS)


def unsynced(plan: Plan) -> Collection[str]:
    """The configured sites of which the API service knows nothing yet."""
    known = {site["site_id"]: site["last_synced"] for site in _json(f"{plan.api_url}/status").get("sites", [])}
    return [site_id for site_id in plan.settings.availability.sites if not known.get(site_id)]


def _missing(plan: Plan) -> str:
    for url in (plan.sync_url, plan.api_url):
        if not _json(f"{url}/readyz"):
            return f"{url}/readyz does not say ok"
    sites = unsynced(plan) if plan.simulated else ()
    return f"nothing is known of {', '.join(sites)}" if sites else ""


def _json(url: str) -> dict[str, Any]:
    """What a service answers with status 200; nothing otherwise."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own service, on loopback
            answer: dict[str, Any] = json.load(response)
            return answer
    except (OSError, ValueError):
        return {}

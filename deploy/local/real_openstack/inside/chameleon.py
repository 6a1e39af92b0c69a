"""What the fork that the Chameleon sites run answers beyond upstream's Blazar, added to upstream's.

The fork is on no registry. A host has three more columns, each reservation of an allocation names a person, and there
is a route for the capacity of flavors, whose numbers are invented here.
"""

import importlib
import json
import os
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy

FLAVORS_VARIABLE: Final = "SIMULATED_NOVA_FLAVORS"
"""Where Nova tells its flavors."""

MINUTE: Final = "%Y-%m-%d %H:%M"
TOTAL: Final = 28
STEP: Final = timedelta(hours=60)


def add_columns() -> None:
    """Hosts are disabled and deleted by columns."""
    host = importlib.import_module("blazar.db.sqlalchemy.models").ComputeHost
    never = sqlalchemy.false()
    host.disabled = sqlalchemy.Column(sqlalchemy.Boolean, nullable=False, server_default=never, default=False)
    host.deleted = sqlalchemy.Column(sqlalchemy.String(36), nullable=True)
    host.deleted_at = sqlalchemy.Column(sqlalchemy.DateTime, nullable=True)


def add_people() -> None:
    """Reservations say whose they are; who is no administrator sees less of them."""
    plugin = importlib.import_module("blazar.plugins.oshosts.host_plugin").PhysicalHostPlugin
    reservations_of = importlib.import_module("blazar.db.utils").get_reservation_allocations_by_host_ids
    hidden = {"host_ids", "project_id", "lease_name", "status"}

    def query_allocations(
        _plugin: object, hosts: list[str], lease_id: str | None = None, reservation_id: str | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {host: [] for host in hosts}
        now = datetime.now(UTC).replace(tzinfo=None)
        for row in reservations_of(hosts, now, date.max, lease_id, reservation_id):
            shown = {key: value for key, value in row.items() if key not in hidden}
            shown["extras"] = {"user_name": f"user{row['lease_id'][:4]}@example.invalid"}
            for host in found.keys() & set(row["host_ids"]):
                found[host].append(dict(shown))
        return found

    plugin.query_allocations = query_allocations


def add_flavor_availability() -> None:
    """`GET /v1/flavor-instances/availability`, behind the same tokens as every other route."""
    app: Any = importlib.import_module("blazar.api.v1.app")
    utils: Any = importlib.import_module("blazar.api.v1.utils")
    rest = utils.Rest("flavor_instances_v1_0", __name__, url_prefix="/v1/flavor-instances")

    def availability(_request: object, query: dict[str, str]) -> object:
        return utils.render(flavor_instances=_capacities(query))

    rest.get("/availability", query=True)(availability)

    make_plain: Callable[[], Any] = app.make_app

    def make_app() -> Any:
        # Flask takes no blueprint any more once the tokens' middleware stands before it: that is put off.
        with_tokens, app.auth_token.filter_factory = app.auth_token.filter_factory, lambda _conf: lambda inner: inner
        try:
            made = make_plain()
        finally:
            app.auth_token.filter_factory = with_tokens
        made.register_blueprint(rest, url_prefix=rest.url_prefix)
        made.wsgi_app = with_tokens(made.config)(made.wsgi_app)
        return made

    app.make_app = make_app


def _capacities(query: dict[str, str]) -> list[dict[str, Any]]:
    """As in the fork, whatever cannot be understood or found is an error of the server."""
    now = datetime.now(UTC).replace(tzinfo=None)
    start = _moment(query["start_date"]) if query.get("start_date") else now
    end = _moment(query["end_date"]) if query.get("end_date") else start + timedelta(days=30)
    with urllib.request.urlopen(os.environ[FLAVORS_VARIABLE], timeout=5) as answer:  # noqa: S310 - our own, loopback
        flavors = json.load(answer)["flavors"]
    wanted = [flavor for flavor in flavors if query.get("flavor_id") in {None, flavor["id"]}]
    if query.get("flavor_id") and not wanted:
        raise LookupError("there is no such flavor")
    return [
        {
            "flavor_id": flavor["id"],
            "resource_spec": {"vcpus": flavor["vcpus"], "memory_mb": flavor["ram"], "disk_gb": flavor["disk"]},
            "availability": _segments(start, end),
        }
        for flavor in wanted
    ]


def _segments(start: datetime, end: datetime) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = []
    while start < end:
        until = min(start + STEP, end)
        available = (7 * len(segments)) % (TOTAL + 1)
        during = {"start": start.strftime(MINUTE), "end": until.strftime(MINUTE)}
        segments.append({**during, "available": available, "total": TOTAL})
        start = until
    return segments


def _moment(text: str) -> datetime:
    exceptions = importlib.import_module("blazar.exceptions")
    try:
        return datetime.strptime(text, MINUTE)  # noqa: DTZ007 - Blazar's times are naive UTC
    except ValueError as error:
        raise exceptions.BlazarException(f"not a date: {text}") from error

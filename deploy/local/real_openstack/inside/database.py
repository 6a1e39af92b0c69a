"""`python -m … database CONFIG SEED`: makes Blazar's tables and fills them from a JSON file."""

import importlib
import json
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.local.real_openstack.inside import chameleon


class Rows:
    """What goes into the tables."""

    def __init__(self) -> None:
        self._models = importlib.import_module("blazar.db.sqlalchemy.models")
        self._now = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._properties: dict[str, str] = {}
        self._aggregates = count(1000)

    def add_host(self, host_id: str, host: dict[str, Any]) -> None:
        """A host and its capabilities."""
        name = host["hostname"]
        self._add(
            "ComputeHost",
            id=host_id,
            vcpus=48,
            cpu_info="baremetal cpu",
            hypervisor_type="ironic",
            hypervisor_version=1,
            hypervisor_hostname=name,
            service_name=name,
            memory_mb=196_608,
            local_gb=200,
            availability_zone="nova",
            trust_id=uuid4().hex,
            reservable=host.get("reservable", True),
            disabled=host.get("disabled", False),
        )
        for key, value in host["capabilities"].items():
            if key not in self._properties:
                kind = {"resource_type": "physical:host", "property_name": key, "private": False}
                self._properties[key] = self._add("ResourceProperty", **kind)
            property_id = self._properties[key]
            self._add(
                "ComputeHostExtraCapability", computehost_id=host_id, property_id=property_id, capability_value=value
            )

    def add_lease(self, host_ids: list[str], start_minutes: float, end_minutes: float) -> None:
        """A lease of some hosts, its bounds counted from now; the manager neither starts nor ends it."""
        start, end = (self._now + timedelta(minutes=minutes) for minutes in (start_minutes, end_minutes))
        status = ("ACTIVE", "active") if start_minutes <= 0 else ("PENDING", "pending")
        people = {"user_id": uuid4().hex, "project_id": uuid4().hex}
        lease_id = self._add(
            "Lease", name="seeded", start_date=start, end_date=end, status=status[0], degraded=False, **people
        )
        held = str(uuid4())
        reservation_id = self._add(
            "Reservation",
            lease_id=lease_id,
            resource_id=held,
            resource_type="physical:host",
            status=status[1],
            missing_resources=False,
            resources_changed=False,
        )
        self._add(
            "ComputeHostReservation",
            id=held,
            reservation_id=reservation_id,
            aggregate_id=next(self._aggregates),
            count_range=f"{len(host_ids)}-{len(host_ids)}",
            resource_properties="",
            hypervisor_properties="",
            before_end="",
        )
        for kind, time in (("start_lease", start), ("end_lease", end)):
            self._add("Event", lease_id=lease_id, event_type=kind, time=time, status="DONE")
        for host_id in host_ids:
            self._add("ComputeHostAllocation", compute_host_id=host_id, reservation_id=reservation_id)

    def insert(self) -> None:
        """Writes everything, in the order in which it was first added."""
        facade = importlib.import_module("blazar.db.sqlalchemy.facade_wrapper")
        with facade.session_for_write() as session:
            for model, rows in self._rows.items():
                session.execute(getattr(self._models, model).__table__.insert(), rows)

    def _add(self, model: str, **columns: Any) -> str:
        row = {"id": str(uuid4()), "created_at": self._now, **columns}
        self._rows.setdefault(model, []).append(row)
        return str(row["id"])


def make_tables(config: str) -> None:
    """From the models: Blazar's migrations do not run on SQLite, and are only said to have run."""
    cfg = importlib.import_module("oslo_config.cfg").CONF
    migration: Any = importlib.import_module("blazar.db.migration.cli")
    cfg(["--config-file", config, "current"], project="blazar")
    importlib.import_module("oslo_db.options").set_defaults(cfg)
    importlib.import_module("blazar.db.sqlalchemy.api").setup_db()
    alembic = importlib.import_module("alembic.config").Config(
        str(Path(str(migration.__file__)).with_name("alembic.ini"))
    )
    alembic.blazar_config = cfg
    importlib.import_module("alembic.command").stamp(alembic, "head")


def main(config: str, seed: str) -> None:
    """Ends once the database is there."""
    chameleon.add_columns()
    make_tables(config)
    content = json.loads(Path(seed).read_text())
    rows = Rows()
    for number, host in enumerate(content["hosts"], 1):
        rows.add_host(str(number), host)
    for lease in content["leases"]:
        rows.add_lease(lease["host_ids"], lease["start_minutes"], lease["end_minutes"])
    rows.insert()


if __name__ == "__main__":
    main(*sys.argv[1:])

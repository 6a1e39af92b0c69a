"""What is run: the settings as given, completed with what was not given."""

import json
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from api_service.adapters import git_repository
from api_service.domain.inventory import Inventory, InventoryRefusedError
from api_service.settings import load_settings
from deploy.local.sample import write_sample
from shared.logs import LogFormat
from shared.settings import CloudSettings, SharedSettings, SyncSettings
from shared.topology import SITE_ID, Subject, Topic
from sync_service.settings import load_settings as load_sync_settings

LOOPBACK: Final = "127.0.0.1"
LIVELY: Final[Mapping[str, float]] = {"poll_interval_seconds": 5, "hosts_interval_seconds": 30}
"""How a simulated cloud is polled, so that there is something to see."""


class PlanError(Exception):
    """What was asked for cannot be run. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the services need but the broker.

    Attributes:
        simulated: No site is configured, so the sites' clouds are to be simulated.
        sample: The inventory was made up.
    """

    settings: SharedSettings
    inventory: Inventory = field(repr=False)
    simulated: bool
    sample: bool

    @property
    def ref_dir(self) -> Path:
        """The inventory's folder."""
        return self.settings.reference.ref_dir

    @property
    def api_url(self) -> str:
        """Where the API service answers."""
        return _url(self.settings.server.host, self.settings.server.port)

    @property
    def sync_url(self) -> str:
        """Where the sync service's probes answer."""
        return _url(self.settings.sync.host, self.settings.sync.port)

    @property
    def topics(self) -> frozenset[Topic]:
        """All that the services may put on a broker."""
        sites = {*self.inventory.sites, *self.settings.availability.sites, *self.settings.flavor_availability.sites}
        return frozenset(Topic(site, subject) for site in sites if SITE_ID.fullmatch(site) for subject in Subject)

    def with_clouds(self, clouds: Collection[str]) -> "Plan":
        """The same with every site of the inventory polled that has a cloud of its name, and polled often."""
        sites = {uid: site for uid, site in self.inventory.sites.items() if uid in clouds}
        polled = {uid: CloudSettings(cloud=uid) for uid, site in sites.items() if any(site.nodes())}
        flavors = {uid: CloudSettings(cloud=uid) for uid, site in sites.items() if site.flavors}
        updates: dict[str, dict[str, Any]] = {
            "availability": {**LIVELY, "sites": polled},
            "flavor_availability": {"sites": flavors},
        }
        return replace(self, settings=_updated(self.settings, updates))

    def write(self, path: Path) -> None:
        """Writes the settings' file; the broker's address, a secret, goes by the environment."""
        path.write_text("\n".join(_toml(self.settings)) + "\n")


def planned(environ: Mapping[str, str], folder: Path) -> Plan:
    """The settings of both services, and an inventory: a sample in `folder` unless there is one.

    Raises:
        PlanError: the inventory holds no site, or a port is taken.
        SystemExit: the settings are wrong, which has been told.
    """
    settings = _addressed(environ)
    ref_dir = settings.reference.ref_dir
    # The default folder is used if somebody has cloned the real repository there.
    sample = "ref_dir" not in settings.reference.model_fields_set and not ref_dir.exists()
    if sample:
        ref_dir = write_sample(folder, now=datetime.now(UTC))
    inventory = _loaded(ref_dir)
    settings = _updated(settings, {"reference": {"ref_dir": ref_dir.absolute()}})
    simulated = not (settings.availability.sites or settings.flavor_availability.sites)
    return Plan(settings, inventory, simulated, sample)


def _addressed(environ: Mapping[str, str]) -> SharedSettings:
    """The settings as both services would read them, but on loopback unless something else was asked for."""
    api, sync = load_settings([], environ).settings, load_sync_settings([], environ).settings
    updates: dict[str, dict[str, Any]] = {}
    for name, section in (("server", api.server), ("sync", sync.sync)):
        host = section.host if "host" in section.model_fields_set else LOOPBACK
        updates[name] = {**section.model_dump(), "host": host}
    updates["server"]["port"] = _free_port(updates["server"]["host"], api.server.port, "REFERENCE_API")
    updates["sync"]["port"] = _sync_port(sync.sync, updates["sync"]["host"], updates["server"]["port"])
    if api.log.format is LogFormat.AUTO:
        updates["log"] = {"format": LogFormat.TEXT}
    return _updated(api, updates)


def _sync_port(sync: SyncSettings, host: str, taken: int) -> int:
    """The port of the sync service's probes: another than asked for where nobody asked, since few look at them."""
    if "port" not in sync.model_fields_set:
        with suppress(PlanError):
            return _free_port(host, 0 if sync.port == taken else sync.port, "REFERENCE_SYNC")
        return _free_port(host, 0, "REFERENCE_SYNC")
    if sync.port == taken:
        raise PlanError(f"both services cannot have port {taken}; REFERENCE_SYNC_PORT names another")
    return _free_port(host, sync.port, "REFERENCE_SYNC")


def _updated(settings: SharedSettings, updates: Mapping[str, Mapping[str, Any]]) -> SharedSettings:
    sections = {name: getattr(settings, name).model_copy(update=dict(values)) for name, values in updates.items()}
    return settings.model_copy(update=sections)


def _loaded(ref_dir: Path) -> Inventory:
    try:
        inventory = git_repository.load(ref_dir)
    except InventoryRefusedError as error:
        raise PlanError(f"{ref_dir}: {error}") from error
    if not inventory.usable:
        raise PlanError(f"{ref_dir} holds no site; REFERENCE_API_REF_DIR names the folder above `sites`")
    return inventory


def _free_port(host: str, port: int, variable: str) -> int:
    """`port`, or one that is free if it is 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as server:
            free: int = server.getsockname()[1]
            return free
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # the address is told already
        raise PlanError(
            f"port {port} of {host} cannot be used ({reason}); {variable}_PORT or {variable}_HOST names another"
        ) from None


def _url(host: str, port: int) -> str:
    """Where to reach what listens on `host`, which may be every address."""
    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _toml(settings: SharedSettings) -> Iterator[str]:
    for section, values in settings.model_dump(mode="json", exclude={"broker": {"url"}}).items():
        sites = values.pop("sites", {})
        yield from _table(section, values)
        for site_id, cloud in sites.items():
            yield from _table(f"{section}.sites.{json.dumps(site_id)}", cloud)


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())

"""Starts a real Keystone, and for each site a real Blazar on a stand-in for Nova; stops them in the reverse order."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import requests

from deploy.local.ports import free_ports
from deploy.local.processes import Process, wait_until
from deploy.local.rabbitmq import RabbitNode
from deploy.local.real_openstack import configuration
from deploy.local.real_openstack.identity import SERVICE_USER, Directory, Identity, IdentityError
from deploy.local.real_openstack.seed import seeded

INSIDE: Final = "deploy.local.real_openstack.inside"
START_SECONDS: Final = 120.0


class CommandError(Exception):
    """A command of Keystone's or Blazar's failed; tells its last words."""


@dataclass(frozen=True, slots=True)
class Site:
    """A region: its Blazar, and what stands in for its Nova and Placement."""

    site_id: str
    hosts: Sequence[str]
    blazar_port: int
    nova_port: int

    @property
    def blazar_url(self) -> str:
        """With its version, as the catalog has it."""
        return f"http://127.0.0.1:{self.blazar_port}/v1"

    def endpoints(self, keystone_url: str) -> Mapping[str, tuple[str, str]]:
        """What the catalog offers in this region: name and URL by type."""
        nova = f"http://127.0.0.1:{self.nova_port}"
        return {
            "identity": ("keystone", keystone_url),
            "compute": ("nova", f"{nova}/compute/v2.1"),
            "placement": ("placement", f"{nova}/placement"),
            "reservation": ("blazar", self.blazar_url),
        }


@dataclass(slots=True)
class RealOpenStack:
    """Everything, for as long as `stack` lasts.

    Attributes:
        python: The interpreter of the environment in which Keystone and Blazar are installed.
        folder: Where everything is written.
    """

    stack: ExitStack
    python: Path
    folder: Path
    processes: list[Process] = field(default_factory=list)

    def start(self, hosts: Mapping[str, Sequence[str]]) -> Path:
        """Returns clouds.yaml once every site answers.

        Args:
            hosts: Hostnames by site id; each site gets odd ones beside them.

        Raises:
            CommandError: a database could not be made.
            IdentityError: Keystone refused something.
            ProcessFailedError: a service ended, or did not answer in time.
            RabbitNodeError: RabbitMQ is missing or does not start.
        """
        node = RabbitNode(self.folder / "rabbitmq")
        self.stack.callback(node.close)
        node.launch()
        ports = free_ports(2 * len(hosts))
        sites = [Site(site_id, names, ports.pop(), ports.pop()) for site_id, names in hosts.items()]
        admin = self._keystone(sites[0].site_id)
        directory = Directory(admin)
        directory.fill({site.site_id: site.endpoints(admin.url) for site in sites})
        self._await("RabbitMQ", node.answers)
        for site in sites:
            self._blazar(site, node, admin.url, directory.passwords[SERVICE_USER])
        for site in sites:
            self._await(f"Blazar of {site.site_id}", _answers(f"{site.blazar_url}/leases", admin))
        return self._clouds({name: entry for site in sites for name, entry in directory.clouds(site.site_id).items()})

    def _keystone(self, region: str) -> Identity:
        folder = self.folder / "keystone"
        config = configuration.write_keystone(folder)
        (port,) = free_ports(1)
        admin = Identity(f"http://127.0.0.1:{port}/identity/v3", "admin", secrets.token_urlsafe(12), "admin")
        manage = (str(self.python.with_name("keystone-manage")), "--config-file", str(config))
        owner = ("--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid()))
        self._run(*manage, "db_sync")
        self._run(*manage, "fernet_setup", *owner)
        self._run(*manage, "credential_setup", *owner)
        urls = [text for kind in ("public", "internal", "admin") for text in (f"--bootstrap-{kind}-url", admin.url)]
        self._run(
            *(*manage, "bootstrap", "--bootstrap-service-name", "keystone", "--bootstrap-region-id", region, *urls),
            OS_BOOTSTRAP_PASSWORD=admin.password,
        )
        self._start("keystone", f"{INSIDE}.serve", "keystone", str(port), OS_KEYSTONE_CONFIG_DIR=str(folder))
        self._await("Keystone", _answers(admin.url))
        return admin

    def _blazar(self, site: Site, node: RabbitNode, keystone_url: str, password: str) -> None:
        node.control("add_vhost", site.site_id)
        node.control("set_permissions", "-p", site.site_id, "guest", ".*", ".*", ".*")
        folder = self.folder / site.site_id
        config = configuration.write_blazar(
            folder,
            site_id=site.site_id,
            port=site.blazar_port,
            keystone_url=keystone_url,
            password=password,
            broker_url=f"rabbit://guest:guest@127.0.0.1:{node.port}/{site.site_id}",
        )
        content = seeded(site.hosts)
        seed = folder / "seed.json"
        seed.write_text(json.dumps(content))
        self._run(str(self.python), "-m", f"{INSIDE}.database", str(config), str(seed))
        self._nova(site, [host["hostname"] for host in content["hosts"]], folder / "hosts.json")
        self._start(
            f"blazar of {site.site_id}",
            *(f"{INSIDE}.serve", "blazar", str(site.blazar_port)),
            OS_BLAZAR_CONFIG_DIR=str(folder),
            SIMULATED_NOVA_FLAVORS=f"http://127.0.0.1:{site.nova_port}/compute/v2.1/flavors/detail",
        )
        self._start(f"manager of {site.site_id}", f"{INSIDE}.manager", "--config-file", str(config))

    def _nova(self, site: Site, hostnames: list[str | None], file: Path) -> None:
        """Runs on our own interpreter: it is our own stand-in."""
        file.write_text(json.dumps(hostnames))
        arguments = ("deploy.local.real_openstack.nova", str(site.nova_port), str(file))
        process = Process(f"nova of {site.site_id}", arguments, os.environ, quiet=True)
        self.processes.append(self.stack.enter_context(process))

    def _clouds(self, entries: Mapping[str, object]) -> Path:
        clouds = self.folder / "clouds.yaml"
        clouds.touch(mode=0o600)
        clouds.write_text(json.dumps({"clouds": entries}, indent=2))  # JSON is YAML
        return clouds

    def _start(self, name: str, *arguments: str, **variables: str) -> None:
        process = Process(name, arguments, _environment(variables), python=self.python, quiet=True)
        self.processes.append(self.stack.enter_context(process))

    def _run(self, *command: str, **variables: str) -> None:
        done = subprocess.run(command, env=_environment(variables), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CommandError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")

    def _await(self, what: str, there: Callable[[], bool]) -> None:
        wait_until(lambda: "" if there() else what, self.processes, seconds=START_SECONDS)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Warnings of other people's code are not ours to hear."""
    return {**os.environ, "PYTHONWARNINGS": "ignore", **variables}


def _answers(url: str, user: Identity | None = None) -> Callable[[], bool]:
    def there() -> bool:
        try:
            headers = {"X-Auth-Token": user.token()} if user else {}
            return requests.get(url, headers=headers, timeout=10).ok
        except (requests.RequestException, IdentityError):
            return False

    return there

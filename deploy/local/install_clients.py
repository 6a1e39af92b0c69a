"""`python -m deploy.local.install_clients`: programs of others that ask such services, in environments of their own."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError, Machine, install
from deploy.local.environments import CACHE, InstallError, environment

LOCK: Final = Path("tests/clients/package-lock.json")
NODE_CLIENTS: Final = CACHE / "clients-node"
"""Where `node_modules` is."""


def python_of_clients() -> Path:
    """The interpreter that has the clients in Python; made again if their requirements changed.

    Raises:
        InstallError: with what pip said.
    """
    return environment("clients", "clients in Python")


def install_node_clients() -> None:
    """Leaves the clients in JavaScript in `NODE_CLIENTS`, as their lock has them.

    Raises:
        InstallError: with what npm said.
        CannotInstallError: Node is neither there nor to be had.
    """
    stamp = NODE_CLIENTS / ".complete"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    install("npm", "Node, with npm", Machine(_npm))
    print(f"installing clients in JavaScript into {NODE_CLIENTS} …", flush=True)
    shutil.rmtree(NODE_CLIENTS, ignore_errors=True)
    NODE_CLIENTS.mkdir(parents=True)
    for name in ("package.json", LOCK.name):
        shutil.copy(LOCK.parent / name, NODE_CLIENTS)
    done = subprocess.run(
        ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        cwd=NODE_CLIENTS,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(f"npm failed:\n{done.stderr[-3000:]}")
    shutil.copy(LOCK, stamp)


def _npm() -> Path | None:
    found = shutil.which("npm")
    return Path(found) if found else None


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        python_of_clients()
        install_node_clients()
    except (InstallError, CannotInstallError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

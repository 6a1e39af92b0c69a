"""`python -m deploy.local.real_openstack COMMAND…`: runs a command beside a real Keystone and Blazar.

They are installed where they are missing, started, told to the command by `REFERENCE_API_TEST_CLOUDS`, and stopped
when it ends, whose status is ours. Without a command they stay until Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from deploy.local.debian_packages import CannotInstallError
from deploy.local.environments import InstallError, environment
from deploy.local.install_rabbitmq import install_rabbitmq
from deploy.local.openstack.bookings import inventory
from deploy.local.processes import ProcessFailedError
from deploy.local.rabbitmq import RabbitNodeError
from deploy.local.real_openstack.identity import IdentityError
from deploy.local.real_openstack.stack import CommandError, RealOpenStack

VARIABLE: Final = "REFERENCE_API_TEST_CLOUDS"
SITES: Final = ("uc", "tacc")
REF_DIR: Final = Path("tests/data/chameleoncloud")
FAILURES: Final = (
    CannotInstallError, CommandError, IdentityError, InstallError, ProcessFailedError, RabbitNodeError,
)  # fmt: skip


def main(command: Sequence[str]) -> int:
    """Returns the command's exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        install_rabbitmq()
        python = environment("openstack", "Keystone and Blazar")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="real-openstack-")))
            hosts = {site_id: nodes for site_id, nodes, _ in inventory(REF_DIR) if site_id in SITES}
            clouds = RealOpenStack(stack, python, folder).start({site_id: hosts[site_id] for site_id in SITES})
            return _beside(command, clouds)
    except KeyboardInterrupt:
        return 130
    except FAILURES as error:
        print(f"real OpenStack: {error}", file=sys.stderr)
        return 1


def _beside(command: Sequence[str], clouds: Path) -> int:
    if not command:
        print(f"{VARIABLE}={clouds}", flush=True)
        signal.pause()
    return subprocess.run(command, env={**os.environ, VARIABLE: str(clouds)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

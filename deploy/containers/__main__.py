"""`python -m deploy.containers COMMAND…`: runs a command beside a Docker engine that has the base images.

The command finds the engine in `DOCKER_HOST`, the client in `REFERENCE_DOCKER`, Compose and the linter of Dockerfiles
in `PATH`, and its exit status is ours.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from deploy.containers.base_images import make_present
from deploy.containers.engine import EngineError, engine
from deploy.local.debian_packages import CannotInstallError
from deploy.local.environments import InstallError, environment

VARIABLE: Final = "REFERENCE_DOCKER"
NAMED: Final = re.compile(r"^(?:FROM|\s+image:) ([a-z]+:[\w.-]+)(?: AS .*)?$", re.MULTILINE)


def main(command: Sequence[str]) -> int:
    """Returns the command's exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        tools = environment("containers", "Compose and hadolint").parent
        with ExitStack() as stack:
            found = engine(stack)
            make_present(found, sorted(set(base_images())))
            path = f"{tools}{os.pathsep}{os.environ['PATH']}"
            variables = {**found.environment, VARIABLE: str(found.client), "PATH": path}
            return subprocess.run(command, env=variables, check=False).returncode
    except KeyboardInterrupt:
        return 130
    except (CannotInstallError, EngineError, InstallError) as error:
        print(f"containers: {error}", file=sys.stderr)
        return 1


def base_images() -> Iterator[str]:
    """What the Dockerfile and compose.yaml begin with."""
    for file in ("Dockerfile", "compose.yaml"):
        yield from NAMED.findall(Path(file).read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m deploy.local`, which is `make run`: both services, until Ctrl-C."""

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from deploy.local import guide, readiness
from deploy.local.broker import BrokerUnusableError, broker
from deploy.local.plan import Plan, PlanError, planned
from deploy.local.processes import Process, ProcessFailedError, wait_until
from deploy.local.rabbitmq import RabbitNodeError

READY_SECONDS: Final = 90.0
CLOUD_SECONDS: Final = 30.0
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CHANGE_SECONDS: Final = 15
"""How often a simulated site's leases change."""


class StoppedError(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Runs everything; returns the exit status."""
    logging.getLogger().addHandler(logging.NullHandler())  # what a client library says of a missing broker, we say
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-api-")))
            _run(stack, folder, environ)
    except StoppedError:
        with contextlib.suppress(OSError):  # there may be no terminal any more
            print("stopped", flush=True)
        return 0
    except (PlanError, BrokerUnusableError, RabbitNodeError, ProcessFailedError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


def _run(stack: ExitStack, folder: Path, environ: Mapping[str, str]) -> NoReturn:
    """Starts everything in its order; leaving `stack` stops it in the reverse one."""
    # The plan has read every setting there is: what named it once must not name it again.
    started = _Started(stack, {name: value for name, value in environ.items() if not name.startswith("REFERENCE_")})
    plan = planned(environ, folder / "repository")
    if plan.simulated:
        plan = _with_simulated_cloud(plan, started, folder / "clouds.yaml")
    config = folder / "config.toml"
    plan.write(config)
    simulated = plan.topics if plan.simulated else ()
    found = stack.enter_context(broker(environ, folder / "rabbitmq", simulated=simulated))
    guide.tell_sources(plan, found)
    if found.url is None:
        started.start("both", "deploy.local.single", "--config", str(config))
    else:
        started.environment["REFERENCE_API_BROKER_URL"] = found.url
        started.start("sync", "sync_service", "--config", str(config))
        started.start("api", "api_service", "--config", str(config))
    wait_until(lambda: readiness.missing(plan), started.processes, seconds=READY_SECONDS)
    guide.tell_what_to_try(plan)
    on_a_terminal = sys.stdout.isatty()
    # Whoever closes the terminal of `make` itself ends this only so.
    wait_until(lambda: "" if on_a_terminal and not sys.stdout.isatty() else "somebody to stop it", started.processes)
    raise StoppedError


@dataclass(slots=True)
class _Started:
    """What runs, and the environment of what is still to run."""

    stack: ExitStack
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def start(self, name: str, *arguments: str) -> None:
        """Starts a Python module; it is stopped when `stack` is left."""
        self.processes.append(self.stack.enter_context(Process(name, arguments, self.environment)))


def _with_simulated_cloud(plan: Plan, started: _Started, clouds_yaml: Path) -> Plan:
    arguments = ("--ref-dir", str(plan.ref_dir), "--clouds", str(clouds_yaml), "--every", str(CHANGE_SECONDS))
    started.start("cloud", "deploy.local.openstack", *arguments)
    wait_until(lambda: "" if _clouds_in(clouds_yaml) else "no cloud yet", started.processes, seconds=CLOUD_SECONDS)
    started.environment["OS_CLIENT_CONFIG_FILE"] = str(clouds_yaml)
    return plan.with_clouds(_clouds_in(clouds_yaml))


def _clouds_in(clouds_yaml: Path) -> Collection[str]:
    """The names in a simulated cloud's clouds.yaml, which is JSON; none while it is not yet whole."""
    try:
        names: dict[str, object] = json.loads(clouds_yaml.read_bytes())["clouds"]
    except (OSError, ValueError):
        return ()
    return names.keys()


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    # Whoever presses Ctrl-C twice must not stop the stopping.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise StoppedError


if __name__ == "__main__":
    sys.exit(main())

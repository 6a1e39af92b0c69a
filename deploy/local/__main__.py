"""`python -m deploy.local`, which is `make run`: both services, until Ctrl-C."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from deploy.local import guide
from deploy.local.broker import broker
from deploy.local.plan import Plan, PlanError, planned
from deploy.local.processes import Process
from deploy.local.rabbitmq import RabbitNodeError
from deploy.local.readiness import NotReadyError, until_ready

STEP_SECONDS: Final = 0.2


class StoppedError(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Runs everything; returns the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-api-")))
            _run(stack, folder, environ)
    except StoppedError:
        print("stopped", flush=True)
        return 0
    except (PlanError, RabbitNodeError, NotReadyError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


def _run(stack: ExitStack, folder: Path, environ: Mapping[str, str]) -> NoReturn:
    plan = planned(stack, folder, environ)
    found = stack.enter_context(broker(environ, folder / "rabbitmq"))
    guide.tell_sources(plan, found)
    services = _started(stack, plan, found.url)
    until_ready(plan, services)
    guide.tell_what_to_try(plan)
    while True:
        for service in services:
            if service.status is not None:
                raise NotReadyError(service)
        time.sleep(STEP_SECONDS)


def _started(stack: ExitStack, plan: Plan, broker_url: str | None) -> list[Process]:
    """The services; they stop in the reverse order, the API service first."""
    environment = dict(plan.environment)
    modules = {"both": "deploy.local.single"}
    if broker_url is not None:
        environment["REFERENCE_API_BROKER_URL"] = broker_url
        modules = {"sync": "sync_service", "api": "api_service"}
    services = []
    for name, module in modules.items():
        services.append(Process(name, [module, "--config", str(plan.config)], environment))
        stack.callback(services[-1].stop)
    return services


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    # Whoever presses Ctrl-C twice must not stop the stopping.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise StoppedError


if __name__ == "__main__":
    sys.exit(main())

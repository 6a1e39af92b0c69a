"""The images that ours begin with, and stand-ins for them where no hub answers."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.containers.engine import Engine, EngineError
from deploy.local.debian_packages import CannotInstallError, Machine, install

SUITE: Final = "trixie"
BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
PULL_SECONDS: Final = 600.0
LABEL: Final = "reference-api.stand-in"
"""Marks what was made here."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """What is put together of Debian's packages in the place of an image from a hub.

    Attributes:
        packages: Beside Debian's least.
        hooks: Shell commands; `$1` is where the image's root is being made.
        changes: What a Dockerfile would say of the whole.
    """

    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


TRUSTED: Final = (
    # A machine whose way out has certificates of its own: only what is made here needs them, nothing is exported.
    f'mkdir -p "$1/etc/ssl/certs" && cp {BUNDLE} "$1/etc/ssl/certs/"',
    f'printf "[global]\\ncert = {BUNDLE}\\n" > "$1/etc/pip.conf"',
)
PATH: Final = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STAND_INS: Final[Mapping[str, StandIn]] = {
    "python:3.13-slim": StandIn(
        ("python3", "python3-venv"),
        (*TRUSTED, 'ln -s /usr/bin/python3 "$1/usr/local/bin/python"'),
        (PATH, 'CMD ["python"]'),
    ),
    "rabbitmq:4-management": StandIn(
        ("rabbitmq-server",),
        (
            # The image's number, and the plugins that its name promises.
            'chroot "$1" sh -c "groupmod -g 999 rabbitmq && usermod -u 999 -g 999 rabbitmq"',
            'chroot "$1" chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq',
            'printf "[rabbitmq_management].\\n" > "$1/etc/rabbitmq/enabled_plugins"',
        ),
        (PATH, "ENV RABBITMQ_LOGS=-", "VOLUME /var/lib/rabbitmq", 'CMD ["rabbitmq-server"]'),
    ),
}


def make_present(engine: Engine, names: Iterable[str]) -> None:
    """Returns once the engine has every image: from its hub, or else a stand-in.

    Raises:
        CannotInstallError: an image is neither to be had nor to be made here.
        EngineError: the engine refuses what was made.
    """
    for name in names:
        if engine.does("image", "inspect", name) or engine.does("pull", "--quiet", name, seconds=PULL_SECONDS):
            continue
        _make(engine, name)


def _make(engine: Engine, name: str) -> None:
    plan = STAND_INS.get(name)
    if plan is None:
        raise CannotInstallError(f"no hub answers for the image {name}, and there is no stand-in for it")
    if os.geteuid() != 0:
        raise CannotInstallError(f"no hub answers for the image {name}, and only root can make a stand-in")
    install("mmdebstrap", "mmdebstrap", Machine(find=_mmdebstrap))
    print(f"making a stand-in for {name} of Debian {SUITE} …", flush=True)
    archive = subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(plan.packages)}"),
            *(f"--customize-hook={hook}" for hook in plan.hooks),
            *(SUITE, "-"),
        ],
        capture_output=True,
        check=False,
    )
    if archive.returncode != 0:
        raise EngineError(f"mmdebstrap failed:\n{archive.stderr.decode(errors='replace')[-2000:]}")
    changes = (f"--change={change}" for change in (*plan.changes, f"LABEL {LABEL}=true"))
    engine.says("import", *changes, "-", name, told=archive.stdout)


def _mmdebstrap() -> Path | None:
    found = shutil.which("mmdebstrap")
    return Path(found) if found else None

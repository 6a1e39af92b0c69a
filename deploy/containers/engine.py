"""A Docker engine: the one that answers, or one of our own that changes nothing on this machine."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from deploy.local.debian_packages import CannotInstallError, Machine, install

DATA: Final = Path(".cache/docker")
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 1800.0
"""A build that fetches everything; what takes longer hangs."""

ANSWER_SECONDS: Final = 30.0
DEBIANS_CLIENT: Final = Path("/usr/bin/docker")

APART: Final = (
    "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none",
    "--storage-driver=overlay2", "--exec-opt=native.cgroupdriver=cgroupfs",
)  # fmt: skip
"""Nothing of the host's network is touched; containers find each other on networks of their own."""


class EngineError(Exception):
    """An engine is not there, or did not do what it was told. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A client, and where its engine is.

    Attributes:
        client: A Docker client that builds with BuildKit.
        variables: By which every client finds the engine.
    """

    client: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Ours, and what leads to the engine."""
        return {**os.environ, **self.variables, "DOCKER_BUILDKIT": "1"}

    def says(self, *arguments: str, told: bytes | None = None) -> str:
        """What a command of the client's prints.

        Args:
            arguments: The command.
            told: What it reads.

        Raises:
            EngineError: it failed, with its last words, or takes too long.
        """
        command = [str(self.client), *arguments]
        try:
            done = subprocess.run(
                command, env=self.environment, input=told, capture_output=True, timeout=LONGEST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"docker {' '.join(arguments[:2])} took more than {LONGEST_SECONDS:.0f} s") from None
        if done.returncode != 0:
            words = (done.stdout + done.stderr).decode(errors="replace")[-3000:]
            raise EngineError(f"docker {' '.join(arguments[:2])} failed:\n{words}")
        return done.stdout.decode()

    def does(self, *arguments: str, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether a command succeeds within `seconds`."""
        command = [str(self.client), *arguments]
        try:
            done = subprocess.run(command, env=self.environment, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def engine(stack: ExitStack) -> Engine:
    """One that answers; it ends with `stack` if it was started here.

    Raises:
        CannotInstallError: Docker is neither there nor to be had.
        EngineError: it does not start.
    """
    client = _client()
    if client and (found := Engine(client)).does("info"):
        return found
    if os.geteuid() != 0:
        raise CannotInstallError("no Docker engine answers, and only root can start one")
    install("docker.io", "Docker", Machine(find=_daemon))
    client, daemon = _client(), _daemon()
    if client is None or daemon is None:
        raise CannotInstallError("Docker was installed, but no client that builds with BuildKit was found")
    return _started(stack, client, daemon)


def _client() -> Path | None:
    """From version 23 on a client needs a plugin to build; Debian's 20.10 does not."""
    for candidate in dict.fromkeys((shutil.which("docker"), str(DEBIANS_CLIENT))):
        if candidate and Path(candidate).exists():
            version = _output(candidate, "version", "--format", "{{.Client.Version}}")
            major = version.partition(".")[0]
            if (major.isdigit() and int(major) < 23) or _output(candidate, "buildx", "version"):  # noqa: PLR2004
                return Path(candidate)
    return None


def _output(*command: str) -> str:
    """On one line; nothing if there is none. The client tells its version even where no engine answers."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _daemon() -> Path | None:
    found = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def _started(stack: ExitStack, client: Path, daemon: Path) -> Engine:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="docker-", ignore_cleanup_errors=True)))
    DATA.mkdir(parents=True, exist_ok=True)
    socket, log = folder / "socket", folder / "log"
    places = (f"--data-root={DATA.absolute()}", f"--exec-root={folder / 'run'}", f"--pidfile={folder / 'pid'}")
    print("starting a Docker engine …", flush=True)
    with log.open("wb") as output:
        command: Sequence[str] = (str(daemon), *APART, *places, f"--host=unix://{socket}")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    stack.callback(_stop, process)
    found = Engine(client, {"DOCKER_HOST": f"unix://{socket}"})
    deadline = monotonic() + START_SECONDS
    while not found.does("info"):
        if process.poll() is not None or monotonic() > deadline:
            raise EngineError(f"a Docker engine does not start here; its last words:\n{log.read_text()[-2000:]}")
        sleep(0.2)
    return found


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

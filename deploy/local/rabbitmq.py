"""A private RabbitMQ node: loopback only, its own ports, node name, epmd and directories, nobody else's files."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.local.ports import free_ports
from deploy.local.rabbitmq_server import environment, find_server

BOOT_SECONDS: Final = 90.0
STOP_SECONDS: Final = 30.0
STEP_SECONDS: Final = 0.02


class RabbitNodeError(Exception):
    """The node could not be found, started or commanded; says why."""


class RabbitNode:
    """One node and the files it lives on; it can be stopped, killed, and started again on its data.

    The node dies with the thread that launched it (where the system has `setpriv`), so launch it from the main one.

    Attributes:
        directory: Everything the node writes.
        name: What other nodes, and `rabbitmqctl`, call it.
        home: Where its cookie is.
        environment: Variables of its processes, and of whatever speaks to it as Erlang does.
        settings: More lines for its rabbitmq.conf, which is written whenever it is launched.
    """

    def __init__(self, directory: Path, *, server: Path | None = None, beside: "RabbitNode | None" = None) -> None:
        """Chooses free ports; starts nothing.

        Args:
            directory: Where to keep its files; made if missing.
            server: RabbitMQ's start script; by default wherever `find_server` sees it.
            beside: A node whose epmd and cookie this one shares, so that they can form a cluster; launched first,
                closed last.

        Raises:
            RabbitNodeError: RabbitMQ is not installed.
        """
        found = server or find_server()
        if found is None:
            raise RabbitNodeError("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
        self._server = found
        self.directory = directory
        self._beside = beside
        self.port, distribution_port, epmd_port = free_ports(3)
        self.epmd_port: int = beside.epmd_port if beside else epmd_port
        self.home: Path = beside.home if beside else (directory / "home").absolute()
        self.name = f"private{self.port}@localhost"
        self.settings: list[str] = []
        self._broker: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.environment = environment(
            found,
            directory,
            name=self.name,
            home=self.home,
            port=self.port,
            distribution_port=distribution_port,
            epmd_port=self.epmd_port,
        )

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def running(self) -> bool:
        """Whether the process lives; it may not answer yet."""
        return self._broker is not None and self._broker.poll() is None

    def launch(self) -> None:
        """Starts the processes and returns at once; the node `answers` some seconds later."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make_cookie()
        (self.directory / "enabled_plugins").write_text("[].\n")
        settings = (
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "loopback_users = none",
            "log.file.level = warning",
            *self.settings,
        )
        (self.directory / "rabbitmq.conf").write_text("\n".join((*settings, "")))
        if self._epmd is None and self._beside is None:
            # A foreground child, instead of the daemon that Erlang would leave behind.
            self._epmd = self._child("epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1")
        self._broker = self._child(str(self._server))

    def start(self, *, seconds: float = BOOT_SECONDS) -> None:
        """Launches the node and returns once it answers: 4 to 8 s.

        Raises:
            RabbitNodeError: with the end of its console, if it does not come up in time.
        """
        self.launch()
        for _ in _until(seconds):
            if self.answers():
                return
            if not self.running:
                break
        console = (self.directory / "console.log").read_text(errors="replace")[-3000:]
        self.close()
        raise RabbitNodeError(f"RabbitMQ did not start:\n{console}")

    def answers(self) -> bool:
        """Whether the node speaks AMQP, rather than merely accepting connections."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def kill(self) -> None:
        """Like a power cut: SIGKILL to the node and its port programs."""
        self._signal(signal.SIGKILL)
        if self._broker is not None:
            self._broker.wait(STOP_SECONDS)
        self._await_oblivion()

    def stop(self) -> None:
        """In good order; killed if that takes too long."""
        if self._broker is not None and self.running:
            self._broker.terminate()
            try:
                self._broker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._await_oblivion()

    def freeze(self) -> None:
        """Stops the node's time: its sockets stay open and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen node go on."""
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forgets all queues and messages; the node must be down."""
        if self.running:
            raise RabbitNodeError("a running node cannot be wiped")
        shutil.rmtree(self.directory / "mnesia", ignore_errors=True)

    def control(self, *arguments: str, seconds: float = 60) -> str:
        """What `rabbitmqctl` answers; about 2 s each.

        Raises:
            RabbitNodeError: it failed, or took longer than `seconds`.
        """
        command = [str(self._server.with_name("rabbitmqctl")), "-n", self.name, *arguments]
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=seconds, check=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            told = error.stderr or "no answer in time"
            raise RabbitNodeError(f"rabbitmqctl {arguments[0]}: {told!s:.500}") from error
        return done.stdout

    def close(self) -> None:
        """Ends every process of this node; its files stay."""
        self.thaw()
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(STOP_SECONDS)
            self._epmd = None

    def _make_cookie(self) -> None:
        """Erlang would make one, but two nodes that start together would each make their own."""
        self.home.mkdir(parents=True, exist_ok=True)
        cookie = self.home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)

    def _child(self, *command: str) -> subprocess.Popen[bytes]:
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self.directory / "console.log").open("ab") as console:
            return subprocess.Popen(
                [*leash, *command],
                env=self.environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self._broker is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._broker.pid, number)

    def _await_oblivion(self) -> None:
        """Until epmd forgets the name, which may outlive a killed node for a moment and refuse its successor."""
        name = f"name {self.name.partition('@')[0]} ".encode()
        for _ in _until(5):
            try:
                with socket.create_connection(("127.0.0.1", self.epmd_port), timeout=1) as epmd:
                    epmd.sendall(b"\x00\x01n")
                    if name not in epmd.makefile("rb").read():
                        return
            except OSError:
                return


def _until(seconds: float) -> Iterator[None]:
    """Turns of a waiting loop, until the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(STEP_SECONDS)

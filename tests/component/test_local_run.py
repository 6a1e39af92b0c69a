"""`make run`: what it finds, what it makes, and that nothing is left of it."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api_service.adapters import git_repository
from api_service.settings import load_settings
from deploy.local.broker import BrokerUnusableError, broker
from deploy.local.debian_packages import CannotInstallError, Machine
from deploy.local.install_rabbitmq import install_rabbitmq
from deploy.local.plan import PlanError, planned
from deploy.local.processes import Process, ProcessFailedError, wait_until
from deploy.local.rabbitmq import RabbitNode
from deploy.local.sample import write_sample
from shared.broker import BrokerTransport
from shared.topology import Topic
from sync_service.settings import load_settings as load_sync_settings
from tests.eventually import LONG_SECONDS
from tests.rabbitmq import add_vhost, unique_topic
from tests.unmeasured import unmeasured

ROOT = Path(__file__).parents[2]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
FREE_PORTS = {"REFERENCE_API_PORT": "0", "REFERENCE_SYNC_PORT": "0"}
DEADLINE_SECONDS = LONG_SECONDS


# The sample repository


def test_the_sample_has_three_sites_forty_nodes_and_nothing_wrong_with_it(tmp_path: Path) -> None:
    inventory = git_repository.load(write_sample(tmp_path, now=NOW))
    assert list(inventory.sites) == ["kvm", "tacc", "uc"]
    assert len(list(inventory.nodes())) == 40
    assert [uid for uid, site in inventory.sites.items() if site.flavors] == ["kvm"]
    assert inventory.faults == ()


def test_the_sample_has_a_history(tmp_path: Path) -> None:
    history = git_repository.load(write_sample(tmp_path, now=NOW)).history
    assert len(history.commits) == 4
    assert all(commit.committed_at < NOW for commit in history.commits.values())
    assert history.commits[str(history.head)].subject == "Half of a node's memory was broken"


# Installing RabbitMQ


class Apt:
    """A stand-in for apt-get that notes what it is asked, and whether services might start meanwhile."""

    def __init__(self, folder: Path, script: str) -> None:
        self.policy, self.server, self._calls = folder / "policy-rc.d", folder / "server", folder / "calls"
        program = folder / "apt-get"
        program.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *update*) what=update;; *) what=install;; esac\n'
            f"echo $what $(sh {self.policy}; echo $?) >>{self._calls}\n"
            f"server={self.server}\n{script}\n"
        )
        program.chmod(stat.S_IRWXU)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def machine(self, *, root: bool = True) -> Machine:
        return Machine(lambda: self.server if self.server.exists() else None, lambda: root, self.policy)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Apt]:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return lambda script: Apt(tmp_path, script)


def test_nothing_is_installed_where_rabbitmq_is(apt: Callable[[str], Apt]) -> None:
    debian = apt("exit 1")
    debian.server.touch()
    install_rabbitmq(debian.machine())
    assert debian.calls == []


def test_rabbitmq_is_installed_without_starting_its_service(apt: Callable[[str], Apt]) -> None:
    debian = apt("touch $server")
    install_rabbitmq(debian.machine())
    assert debian.calls == ["install 101"]  # Debian's "action forbidden by policy"
    assert not debian.policy.exists()


def test_a_policy_that_is_there_stays_as_it_is(apt: Callable[[str], Apt]) -> None:
    debian = apt("touch $server")
    debian.policy.write_text("exit 7")
    install_rabbitmq(debian.machine())
    assert debian.calls == ["install 7"]
    assert debian.policy.read_text() == "exit 7"


def test_missing_lists_of_packages_are_fetched_once(apt: Callable[[str], Apt]) -> None:
    debian = apt('grep -q update "${0%/*}/calls" && touch $server')
    install_rabbitmq(debian.machine())
    assert debian.calls == ["install 101", "update 101", "install 101"]


def test_a_failed_installation_tells_why_and_leaves_no_policy(apt: Callable[[str], Apt]) -> None:
    debian = apt("echo no such package; exit 100")
    with pytest.raises(CannotInstallError, match="no such package"):
        install_rabbitmq(debian.machine())
    assert not debian.policy.exists()


def test_whoever_is_not_root_is_told_what_to_do(apt: Callable[[str], Apt]) -> None:
    debian = apt("touch $server")
    with pytest.raises(CannotInstallError, match="as root: apt-get install rabbitmq-server"):
        install_rabbitmq(debian.machine(root=False))
    assert debian.calls == []


def test_a_machine_without_apt_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotInstallError, match="only Debian's packages"):
        install_rabbitmq(Machine(lambda: None, lambda: True, tmp_path / "policy"))


# Finding a broker


def nothing_to_install() -> None:
    raise CannotInstallError("not today")


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A port on which something answers each connection with the same bytes, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_named_broker_is_taken_as_it_is_and_never_shown(rabbitmq: RabbitNode, tmp_path: Path) -> None:
    environ = {"REFERENCE_API_BROKER_URL": rabbitmq.url}
    with broker(environ, tmp_path, simulated=[unique_topic()], install=nothing_to_install) as found:
        assert found.url == rabbitmq.url
        assert "guest" not in found.told


def test_a_named_broker_that_is_not_there_is_told_in_a_sentence_without_its_password(tmp_path: Path) -> None:
    environ = {"REFERENCE_API_BROKER_URL": "amqp://user:hush@127.0.0.1:1/"}
    with (
        pytest.raises(BrokerUnusableError, match=r"RabbitMQ at 127.0.0.1:1 cannot be used: .*failed") as told,
        broker(environ, tmp_path, install=nothing_to_install),
    ):
        pass
    assert "hush" not in str(told.value)


def test_none_is_used_if_that_is_asked_for(tmp_path: Path) -> None:
    environ = {"BROKER": "embedded", "REFERENCE_API_BROKER_URL": "amqp://elsewhere/"}
    with broker(environ, tmp_path, install=nothing_to_install) as found:
        assert found.url is None
        assert "one process" in found.told


def test_a_broker_on_this_machine_is_used(rabbitmq: RabbitNode, tmp_path: Path) -> None:
    with broker({}, tmp_path, local_url=rabbitmq.url, install=nothing_to_install) as found:
        assert found.url == rabbitmq.url
        assert str(rabbitmq.port) in found.told


def test_a_broker_on_this_machine_that_serves_nobody_is_left_as_it_was(rabbitmq: RabbitNode, tmp_path: Path) -> None:
    url, topic = add_vhost(rabbitmq, "lent"), unique_topic()
    for _ in range(2):
        with broker({}, tmp_path, simulated=[topic], local_url=url, install=nothing_to_install) as found:
            assert found.url == url
            asyncio.run(declared(url, topic))
    listed = rabbitmq.control("list_queues", "--quiet", "--no-table-headers", "-p", "lent", "name")
    assert listed.split() == []


def test_nothing_simulated_is_put_where_others_would_take_it_for_the_truth(
    rabbitmq: RabbitNode, tmp_path: Path
) -> None:
    url, topic = add_vhost(rabbitmq, "serving"), unique_topic()
    asyncio.run(declared(url, topic))
    with broker({}, tmp_path, simulated=[topic], local_url=url, install=nothing_to_install) as found:
        assert found.url is None
    with broker({}, tmp_path, local_url=url, install=nothing_to_install) as found:
        assert found.url == url
    listed = rabbitmq.control("list_queues", "--quiet", "--no-table-headers", "-p", "serving", "name")
    assert topic.stream in listed.split()


async def declared(url: str, topic: Topic) -> None:
    async with BrokerTransport(url, name="test").session("test") as session:
        await session.declare([topic])
        await session.declare_tokens([topic])


def test_a_broker_that_does_not_let_us_in_is_not_used(rabbitmq: RabbitNode, tmp_path: Path) -> None:
    url = rabbitmq.url.replace("guest:guest", "guest:wrong")
    with broker({}, tmp_path, local_url=url, install=nothing_to_install) as found:
        assert found.url is None


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x01\x00\x00"])
def test_what_is_no_broker_is_not_taken_for_one(answer: bytes, tmp_path: Path) -> None:
    with (
        listening(answer) as port,
        broker({}, tmp_path, local_url=f"amqp://localhost:{port}/", install=nothing_to_install) as found,
    ):
        assert found.url is None
        assert "not today" in found.told


# What is run


def settings_of(plan_file: Path) -> tuple[Any, Any]:
    arguments = ["--config", str(plan_file)]
    return load_settings(arguments, {}).settings, load_sync_settings(arguments, {}).settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a configuration."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def test_without_anything_a_sample_is_served_on_loopback(project: Path, tmp_path: Path) -> None:
    plan = planned(FREE_PORTS, tmp_path / "sample")
    assert plan.sample
    assert plan.simulated
    assert plan.settings.server.host == plan.settings.sync.host == "127.0.0.1"
    assert plan.ref_dir.is_relative_to(tmp_path / "sample")


def test_the_services_read_the_plan_as_it_was_made(project: Path, tmp_path: Path) -> None:
    (project / "etc").mkdir()
    (project / "etc/config.toml").write_text(
        '[server]\nroot_path = "/hardware"\ncors_origins = ["https://ü.example"]\n[sync]\nmax_concurrent_polls = 2\n'
    )
    plan = planned(FREE_PORTS, tmp_path / "sample").with_clouds(["uc", "kvm", "elsewhere"])
    plan.write(tmp_path / "config.toml")
    for settings in settings_of(tmp_path / "config.toml"):
        assert settings.model_dump() == plan.settings.model_dump()
        assert settings.server.root_path == "/hardware"
        assert set(settings.availability.sites) == {"uc", "kvm"}
        assert set(settings.flavor_availability.sites) == {"kvm"}


def test_the_brokers_password_is_in_no_file(project: Path, tmp_path: Path) -> None:
    plan = planned({**FREE_PORTS, "REFERENCE_API_BROKER_URL": "amqp://user:hush@host/"}, tmp_path / "sample")
    plan.write(tmp_path / "config.toml")
    assert "hush" not in (tmp_path / "config.toml").read_text()


def test_real_sites_are_polled_as_they_are_configured(project: Path, tmp_path: Path) -> None:
    config = tmp_path / "real.toml"
    config.write_text('[availability.sites.uc]\ncloud = "chi_uc"\n')
    plan = planned({**FREE_PORTS, "REFERENCE_API_CONFIG": str(config)}, tmp_path / "sample")
    assert not plan.simulated
    assert plan.settings.availability.sites["uc"].cloud == "chi_uc"
    assert plan.settings.availability.poll_interval_seconds == 60


def test_an_inventory_that_is_named_is_used_wherever_it_was_named_from(project: Path, tmp_path: Path) -> None:
    write_sample(project / "mine", now=NOW)
    plan = planned({**FREE_PORTS, "REFERENCE_API_REF_DIR": "mine/data/example"}, tmp_path / "sample")
    assert not plan.sample
    assert plan.ref_dir == project / "mine/data/example"


def test_an_inventory_in_the_default_folder_is_used(project: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "other", now=NOW)
    (project / "reference-repository/data").mkdir(parents=True)
    (project / "reference-repository/data/chameleoncloud").symlink_to(tmp_path / "other/data/example")
    assert not planned(FREE_PORTS, tmp_path / "sample").sample


@pytest.mark.parametrize("named", ["missing", "empty"])
def test_an_inventory_without_a_site_is_refused_in_a_sentence(named: str, project: Path, tmp_path: Path) -> None:
    (project / "empty").mkdir()
    with pytest.raises(PlanError, match=named):
        planned({**FREE_PORTS, "REFERENCE_API_REF_DIR": named}, tmp_path / "sample")


@pytest.mark.parametrize("variable", FREE_PORTS)
def test_a_port_in_use_is_told_in_a_sentence(variable: str, project: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(PlanError, match=f"port {port} of 127.0.0.1 cannot be used.*{variable} or .*names another"):
            planned({**FREE_PORTS, variable: port}, tmp_path / "sample")


def test_where_nobody_chose_a_port_for_the_sync_service_one_that_is_taken_gives_way_to_a_free_one(
    project: Path, tmp_path: Path
) -> None:
    with suppress(OSError), socket.create_server(("127.0.0.1", 8081)):  # or somebody else has it already
        plan = planned({"REFERENCE_API_PORT": "0"}, tmp_path / "sample")
    assert plan.settings.sync.port not in {0, 8081}
    assert plan.sync_url.endswith(f":{plan.settings.sync.port}")


def test_so_does_one_that_was_chosen_for_the_api_service(project: Path, tmp_path: Path) -> None:
    elsewhere = {"REFERENCE_API_HOST": "127.77.3.9", "REFERENCE_API_PORT": "8081"}  # where nobody else listens
    plan = planned(elsewhere, tmp_path / "sample")
    assert plan.settings.server.port == 8081 != plan.settings.sync.port


def test_one_port_for_both_services_is_told_in_a_sentence(project: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with pytest.raises(PlanError, match=f"both services cannot have port {port}"):
        planned(dict.fromkeys(FREE_PORTS, port), tmp_path / "sample")


# Processes


def python(folder: Path, script: str) -> Process:
    (folder / "child.py").write_text(script)
    return Process("child", ["child"], {**os.environ, "PYTHONPATH": str(folder)})


def test_what_a_process_says_is_told_behind_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        python(tmp_path, "print('hello', flush=True)\nimport sys\nsys.exit('bye')") as process,
        pytest.raises(ProcessFailedError, match=r"'child' ended with status 1; its last lines:\nhello\nbye"),
    ):
        wait_until(lambda: "more", [process], seconds=DEADLINE_SECONDS)
    assert capsys.readouterr().out.splitlines() == ["child| hello", "child| bye"]


def test_a_process_that_is_not_ready_in_time_is_told_with_what_is_missing(tmp_path: Path) -> None:
    with (
        python(tmp_path, "import signal\nsignal.pause()") as process,
        pytest.raises(ProcessFailedError, match=r"is not ready after 0 s: the answer"),
    ):
        wait_until(lambda: "the answer", [process], seconds=0)


def test_a_process_is_asked_to_end_and_has_ended_afterwards(tmp_path: Path) -> None:
    script = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\nprint('up', flush=True)\n"
    with python(tmp_path, script + "signal.pause()") as process:
        wait_until(lambda: "" if process.tail else "output", [process], seconds=DEADLINE_SECONDS)
    assert process.status == 3


# The whole


class Run:
    """`python -m deploy.local` as a user has it."""

    def __init__(self, tmp_path: Path, environ: Mapping[str, str], terminal: int | None) -> None:
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir()
        self.output = tmp_path / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                cwd=ROOT,
                env={**unmeasured(), "TMPDIR": str(self.temporary), **FREE_PORTS, **environ},
                stdout=output if terminal is None else terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def told(self) -> str:
        return self.output.read_text()

    def until_told(self, what: str) -> str:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while what not in self.told:
            assert self.process.poll() is None, self.told
            assert time.monotonic() < deadline, self.told
            time.sleep(0.05)
        return self.told

    def children(self) -> dict[str, int]:
        """The processes that it started, by what they are."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout
        return {arguments: int(pid) for pid, arguments in (line.split(maxsplit=1) for line in listed.splitlines())}

    def child(self, module: str) -> int:
        [pid] = [pid for arguments, pid in self.children().items() if f"-m {module}" in arguments]
        return pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def nothing_is_left(self, children: Mapping[str, int]) -> bool:
        return not any(map(alive, children.values())) and not list(self.temporary.iterdir())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    started: list[Run] = []

    def start(*, terminal: int | None = None, **environ: str) -> Run:
        started.append(Run(tmp_path, environ, terminal))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end()


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as response:
        return json.load(response)


def curls(told: str) -> list[str]:
    return re.findall(r"curl -s '?(http[^'\s]+)", told)


def test_two_services_and_a_broker_serve_the_sample_and_leave_nothing_behind(
    run: Callable[..., Run], rabbitmq: RabbitNode
) -> None:
    local = run(REFERENCE_API_BROKER_URL=rabbitmq.url)
    told = local.until_told("Ctrl-C stops everything")
    sites, search, node = map(fetched, curls(told))
    assert [site["uid"] for site in sites["items"]] == ["kvm", "tacc", "uc"]
    assert len(search["items"]) == 3
    assert node["availability"] in {"available", "reserved", "maintenance", "unknown"}
    assert node["last_updated"]
    children = local.children()
    assert len(children) == 3
    assert local.end(signal.SIGINT) == 0
    assert local.nothing_is_left(children), local.told


def test_without_a_broker_one_process_serves_all_of_it(run: Callable[..., Run]) -> None:
    local = run(BROKER="embedded")
    told = local.until_told("Ctrl-C stops everything")
    assert "both services run in one process" in told
    assert all(map(fetched, curls(told)))
    children = local.children()
    assert len(children) == 2
    assert local.end(signal.SIGTERM) == 0
    assert local.nothing_is_left(children), local.told


def test_a_service_that_dies_ends_everything_with_a_reason(run: Callable[..., Run], rabbitmq: RabbitNode) -> None:
    local = run(REFERENCE_API_BROKER_URL=rabbitmq.url)
    local.until_told("Ctrl-C stops everything")
    children = local.children()
    os.kill(local.child("sync_service"), signal.SIGKILL)
    assert local.process.wait(DEADLINE_SECONDS) == 1
    assert "the process 'sync' ended with status -9" in local.told
    assert local.nothing_is_left(children), local.told


def test_it_can_be_stopped_before_it_is_ready(run: Callable[..., Run]) -> None:
    local = run(BROKER="embedded")
    local.until_told("inventory ")
    children = local.children()
    assert local.end(signal.SIGINT) == 0
    assert local.nothing_is_left(children), local.told


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path, run: Callable[..., Run]) -> None:
    terminal, inside = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as seen:
        local = run(BROKER="embedded", terminal=inside)
        os.close(inside)
        told = b""
        while b"Ctrl-C stops everything" not in told:
            told += seen.read(1000)
        children = local.children()
    assert local.process.wait(DEADLINE_SECONDS) == 0
    assert local.nothing_is_left(children)


def test_wrong_settings_are_one_line(run: Callable[..., Run]) -> None:
    local = run(BROKER="embedded", REFERENCE_API_PORT="hush")
    assert local.process.wait(DEADLINE_SECONDS) == 2
    [line] = local.told.splitlines()
    assert "REFERENCE_API_PORT" in line
    assert "hush" not in line

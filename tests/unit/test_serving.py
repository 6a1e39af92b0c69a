"""How either service is served, as processes."""

import gc
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from shared.serving import SWITCH_SECONDS, serve, set_aside_anew
from tests.eventually import LONG_SECONDS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_threads_give_way_sooner_than_python_lets_them_by_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
        serve(web.Application(), prog="any", host="127.0.0.1", port=taken.getsockname()[1], shutdown_seconds=0)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)


class Lasting:
    """Something that only the garbage collector can let go."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_lasts_is_passed_over_by_the_collector_until_it_is_needed_no_more() -> None:
    lasting: Lasting | None = Lasting()
    seen = weakref.ref(lasting)
    set_aside_anew()
    assert not any(each is lasting for each in gc.get_objects())
    lasting = None
    gc.collect()
    assert seen() is not None
    set_aside_anew()
    assert seen() is None


@pytest.mark.parametrize(
    ("module", "prog", "variable", "workers"),
    [
        ("api_service", "reference-api", "REFERENCE_API", 1),
        ("api_service", "reference-api", "REFERENCE_API", 3),
        ("sync_service", "reference-sync", "REFERENCE_SYNC", 1),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told_in_one_line(
    module: str, prog: str, variable: str, workers: int, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nworkers = {workers}\n[log]\nformat = "json"\n[reference]\nref_dir = "{tmp_path}"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", module, "--config", str(config)],
            cwd=ROOT,
            env={
                f"{variable}_HOST": "127.0.0.1",
                f"{variable}_PORT": port,
                "REFERENCE_API_BROKER_URL": "amqp://[::1]:1/",
            },
            capture_output=True,
            text=True,
            timeout=LONG_SECONDS,
            check=False,
        )
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith(f"{prog}: error: cannot listen on port {port} of 127.0.0.1: ")

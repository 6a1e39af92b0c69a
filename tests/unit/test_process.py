"""How a process ends: asked of real ones."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import until
from tests.unmeasured import unmeasured

ROOT = Path(__file__).parents[2]

BEGINNING = """
import atexit, os, sys, threading, time
from shared.process import ending_in_good_order, stop_requested
"""


def script(text: str, **pipes: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BEGINNING + text]
    environment = unmeasured(PYTHONUNBUFFERED="")  # as users run them: it is the buffer whose lock is fatal
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def test_threads_that_write_while_the_process_ends_do_not_abort_it() -> None:
    # Without what is tested here, two of three such processes are aborted.
    text = """
def write():
    while True:
        sys.stderr.write("x" * 100 + chr(10))

with ending_in_good_order():
    for _ in range(4):
        threading.Thread(target=write, daemon=True).start()
    time.sleep(0.2)
"""
    for _ in range(10):
        process = script(text, stderr=subprocess.PIPE)
        process.communicate()
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("work", "status", "said", "told"),
    [
        ("print('done')", 0, "done\nclosed\n", ""),
        ("print('usage'); sys.exit(0)", 0, "usage\nclosed\n", ""),
        ("sys.exit()", 0, "closed\n", ""),
        ("sys.exit(2)", 2, "closed\n", ""),
        ("sys.exit('no')", 1, "closed\n", "no\n"),
        ("1 / 0", 1, "closed\n", "ZeroDivisionError"),
    ],
)
def test_a_process_ends_with_what_it_would_end_with_and_everything_said_and_done(
    work: str, status: int, said: str, told: str
) -> None:
    text = f"with ending_in_good_order():\n    atexit.register(print, 'closed')\n    {work}"
    process = script(text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.communicate()
    assert (process.returncode, out) == (status, said)
    assert told in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_good_order_before_it_serves(number: signal.Signals, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    process = script(
        f"with ending_in_good_order():\n"
        f"    atexit.register(print, 'closed')\n"
        f"    open({str(begun)!r}, 'w')\n"
        f"    time.sleep(600)",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await until(begun.exists)
    process.send_signal(number)
    assert process.communicate() == ("closed\n", "")
    assert process.returncode == 0


async def test_a_signal_of_which_something_makes_another_error_ends_it_in_good_order(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    process = script(
        f"with ending_in_good_order():\n"
        f"    try:\n"
        f"        open({str(begun)!r}, 'w')\n"
        f"        time.sleep(600)\n"
        f"    except SystemExit as ending:\n"
        f"        raise ValueError from ending",
        stderr=subprocess.PIPE,
    )
    await until(begun.exists)
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[1] == ""
    assert process.returncode == 0


async def test_a_signal_that_something_swallowed_is_not_forgotten(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    process = script(
        f"with ending_in_good_order():\n"
        f"    try:\n"
        f"        open({str(begun)!r}, 'w')\n"
        f"        time.sleep(600)\n"
        f"    except:\n"
        f"        pass\n"
        f"    print(stop_requested())",
        stdout=subprocess.PIPE,
    )
    await until(begun.exists)
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[0] == "True\n"
    assert process.returncode == 0


def test_a_process_leaves_though_there_is_nothing_to_write_to() -> None:
    text = "with ending_in_good_order():\n    os.close(1); print('lost')"
    process = script(text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate() == ("", "")
    assert process.returncode == 0


def test_who_was_stop_requested_before_it_divided_starts_no_workers() -> None:
    text = """
import shared.process
from api_service.workers import divided
shared.process._stop_requested = True  # as a signal does that an import has swallowed
with ending_in_good_order():
    divided(2, [])
    print("a worker")
"""
    process = script(text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate() == ("", "")
    assert process.returncode == 0

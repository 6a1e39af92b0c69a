"""Child processes whose output goes to the terminal, each line behind a name."""

import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

STOP_SECONDS: Final = 10.0
STEP_SECONDS: Final = 0.1
TAIL_LINES: Final = 20


class ProcessFailedError(Exception):
    """A process ended by itself, or does not do in time what it should; tells its last lines."""

    def __init__(self, process: "Process", reason: str) -> None:
        super().__init__("\n".join([f"the process {process.name!r} {reason}; its last lines:", *process.tail]))


class Process:
    """A Python module that runs until its context is left; should we be killed, it ends too."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        python: Path = Path(sys.executable),
        quiet: bool = False,
    ) -> None:
        """Starts `python -m ARGUMENTS` in a session of its own: Ctrl-C is for us, who stop it in its turn.

        Args:
            name: What people call it.
            arguments: The module and what follows it.
            environment: All of it.
            python: The interpreter.
            quiet: Keeps what the process says to itself, until it fails.
        """
        self.name = name
        self._quiet = quiet
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*leash, str(python), "-m", *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._tell, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status once it has ended."""
        return self._process.poll()

    @property
    def tail(self) -> list[str]:
        """The last lines it said."""
        if self.status is not None:
            self._reader.join(1)  # they may still be on their way
        return list(self._tail)

    def _tell(self, output: TextIO) -> None:
        with output:
            for line in output:
                self._tail.append(line.rstrip("\n"))
                if not self._quiet:
                    print(f"{self.name:<5}|", line.rstrip("\n"), flush=True)


def wait_until(missing: Callable[[], str], processes: Sequence[Process], *, seconds: float = float("inf")) -> None:
    """Returns once `missing` says that nothing is.

    Raises:
        ProcessFailedError: a process ended meanwhile, or something is missing after `seconds`: the last one's fault.
    """
    deadline = time.monotonic() + seconds
    while what := missing():
        for process in processes:
            if process.status is not None:
                raise ProcessFailedError(process, f"ended with status {process.status}")
        if time.monotonic() > deadline:
            raise ProcessFailedError(processes[-1], f"is not ready after {seconds:.0f} s: {what}")
        time.sleep(STEP_SECONDS)

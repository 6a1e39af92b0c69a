"""Child processes whose output goes to the terminal, each line behind a name."""

import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

STOP_SECONDS: Final = 10.0
TAIL_LINES: Final = 20
COLOURS: Final = ("36", "35", "33", "32")


class Process:
    """A Python module that runs until it is stopped; left to itself it dies with us."""

    started = 0

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts `python -m ARGUMENTS` in a session of its own: Ctrl-C is for us, who stop it in its turn."""
        self.name = name
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._colour = COLOURS[Process.started % len(COLOURS)]
        Process.started += 1
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*leash, sys.executable, "-m", *arguments],
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

    @property
    def status(self) -> int | None:
        """Its exit status once it has ended."""
        return self._process.poll()

    @property
    def tail(self) -> list[str]:
        """The last lines it said."""
        self._reader.join(1)  # of a process that ended, they may still be on their way
        return list(self._tail)

    def stop(self) -> None:
        """Asks it to end; after `STOP_SECONDS` it is killed."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1)

    def _tell(self, output: TextIO) -> None:
        label = f"{self.name:<5}|"
        if sys.stdout.isatty():
            label = f"\x1b[{self._colour}m{label}\x1b[0m"
        with output:
            for line in output:
                self._tail.append(line.rstrip("\n"))
                print(label, line.rstrip("\n"), flush=True)

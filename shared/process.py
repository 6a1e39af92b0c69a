"""A service as a process: from when on it hears signals, and how it ends."""

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)

_stop_requested = False


def stop_requested() -> bool:
    """Whether a signal came before there was anything to stop: whatever was imported then may have swallowed it."""
    return _stop_requested


@contextmanager
def ending_in_good_order() -> Iterator[None]:
    """For all that a process does: SIGINT and SIGTERM end it with 0 from now on, at whatever it is.

    Once it serves, aiohttp hears them. Whatever the end, the interpreter is not taken apart: threads that wait for a
    site would go on meanwhile, and one that is writing a line of the log, or takes the lock of the interpreter again,
    makes an abort of it. What others have registered with `atexit` since is done.
    """
    ending = _Ending()
    # Registered first, so called last.
    atexit.register(ending.leave)
    for number in STOPPING:
        signal.signal(number, _stop)
    try:
        yield
    except SystemExit as asked:
        ending.status = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
        raise
    except BaseException:
        if not _stop_requested:
            raise
        # What was under way made another error of it, as pydantic does.
        ending.status = 0
        sys.exit(0)
    ending.status = 0


class _Ending:
    """Attributes: status: What the process ends with; 1 after an exception, which the interpreter reports."""

    def __init__(self) -> None:
        self.status = 1

    def leave(self) -> None:
        try:
            sys.stdout.flush()  # standard error is flushed with every line
        finally:  # it may be closed
            os._exit(self.status)


def _stop(_number: int, _frame: FrameType | None) -> None:
    global _stop_requested  # noqa: PLW0603 - a process has one
    _stop_requested = True
    sys.exit(0)

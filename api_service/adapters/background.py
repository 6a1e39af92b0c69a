"""Work in a thread of its own that nobody has to wait for: not even the end of the process."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread


def begun[R](work: Callable[[], R]) -> Future[R]:
    """Begins `work`, and gives what will have its result, or what it raised."""
    done = Future[R]()

    def run() -> None:
        # Who waits for it may be cancelled; the work is not.
        done.set_running_or_notify_cancel()
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            done.set_exception(error)

    try:
        Thread(target=run, daemon=True).start()
    except RuntimeError as error:  # there are too many
        done.set_exception(error)
    return done

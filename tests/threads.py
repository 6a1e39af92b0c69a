"""Whether work was taken off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class CountingThreads(ThreadPoolExecutor):
    """The running loop's threads, and how often they were used."""

    used = 0

    @classmethod
    def installed(cls) -> Self:
        threads = cls(max_workers=2)
        asyncio.get_running_loop().set_default_executor(threads)
        return threads

    def submit[**P, T](self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.used += 1
        return super().submit(work, *args, **kwargs)

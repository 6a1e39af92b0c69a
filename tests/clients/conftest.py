"""Both services as processes, and others' programs, which `make test-clients` installs, to ask them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.install_clients import NODE_CLIENTS, python_of_clients
from tests.e2e.conftest import cloud, repository, world
from tests.eventually import LONG_SECONDS

__all__ = ["cloud", "repository", "world"]

PROGRAMS = Path(__file__).parent / "programs"

type Run = Callable[..., Awaitable[Any]]
type Follow = Callable[[str], AbstractAsyncContextManager[list[dict[str, Any]]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("clients")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a program against the API at a URL, which its client is configured for, and returns what it saw."""

    async def done(program: str, url: str, *arguments: str) -> Any:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / ".python-grid5000.yaml").write_text(json.dumps({"uri": url, "verify_ssl": False}))
        (home / ".execo.conf.py").write_text(f"g5k_configuration = {{'api_uri': {url + '/'!r}}}\n")
        process = await asyncio.create_subprocess_exec(
            await asyncio.to_thread(python_of_clients),
            PROGRAMS / program,
            *arguments,
            env={**os.environ, "HOME": str(home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(LONG_SECONDS):
            said, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return json.loads(said.splitlines()[-1])  # execo logs on standard output

    return done


@pytest.fixture
def follow() -> Follow:
    """Runs event-source-polyfill on a URL; the list of what it heard grows meanwhile."""

    @asynccontextmanager
    async def followed(url: str) -> AsyncIterator[list[dict[str, Any]]]:
        process = await asyncio.create_subprocess_exec(
            "node",
            PROGRAMS / "follow_events.cjs",
            url,
            env={**os.environ, "NODE_PATH": str(NODE_CLIENTS.absolute() / "node_modules")},
            stdout=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        heard: list[dict[str, Any]] = []
        reading = asyncio.create_task(_read(process, heard))
        try:
            yield heard
        finally:
            process.kill()
            await asyncio.gather(reading, process.wait())

    return followed


async def _read(process: asyncio.subprocess.Process, heard: list[dict[str, Any]]) -> None:
    assert process.stdout
    while line := await process.stdout.readline():
        heard.append(json.loads(line))

"""What containers ask whether they are well."""

import asyncio
import subprocess
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.local.ports import free_ports
from shared.health_check import main


async def asked(status: int) -> int:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="as it is")

    app = web.Application()
    app.router.add_get("/healthz", answer)
    async with TestServer(app) as server:
        return await asyncio.to_thread(main, [str(server.make_url("/healthz"))])


async def test_an_answer_of_200_is_good_and_no_other_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert [await asked(status) for status in (200, 503, 404, 204)] == [0, 1, 1, 1]
    assert capsys.readouterr().out.splitlines()[1] == "503 as it is"


def test_nobody_who_listens_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    assert main([f"http://127.0.0.1:{port}/healthz"]) == 1
    assert capsys.readouterr().out == "ConnectionRefusedError: [Errno 111] Connection refused\n"


def test_it_needs_nothing_but_the_standard_library_and_starts_at_once() -> None:
    code = "import shared.health_check, sys; print(len([name for name in sys.modules if name.startswith('aiohttp')]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"

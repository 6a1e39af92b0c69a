"""docs/tutorial.md is true: each of its commands is run, by a shell, and answers what is written there."""

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from api_service import keys
from api_service.http.event_stream import READERS
from api_service.settings import Settings
from shared.settings import ReferenceSettings
from tests.component.serving import AiohttpClient, Service, serving
from tests.eventually import LONG_SECONDS
from tests.tutorial import sample, snapshots

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
WRITTEN = "http://127.0.0.1:8000"
LEFT_OUT = "…"


@dataclass(frozen=True)
class Command:
    """What is typed, and what is written below it."""

    line: str
    answer: str


COMMANDS = [
    Command(line, answer)
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    for line, answer in re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block, re.DOTALL | re.MULTILINE)
]
"""In the order of the document."""


@pytest.fixture
async def service(aiohttp_client: AiohttpClient, tmp_path: Path) -> Service:
    inventory = sample(tmp_path)
    reference = ReferenceSettings(ref_dir=tmp_path / "data/example")
    made = await serving(aiohttp_client, settings=Settings(reference=reference))
    made.serve(inventory)
    made.learn(*snapshots(inventory))
    return made


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a shell finds curl: the machine's, or where there is none a stand-in for what the document uses of it."""
    if shutil.which("curl") is None:
        stand_in = tmp_path / "bin" / "curl"
        stand_in.parent.mkdir()
        stand_in.write_text(
            f"#!{sys.executable}\nimport sys, urllib.request\n"
            "for line in urllib.request.urlopen(sys.argv[-1]):\n    print(line.decode(), end='', flush=True)\n"
        )
        stand_in.chmod(0o755)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


async def started(command: Command, service: Service, path: str) -> Process:
    line = command.line.replace(WRITTEN, str(service.client.make_url("")).rstrip("/"))
    return await asyncio.create_subprocess_exec(
        "sh", "-c", f"exec {line}", env={"PATH": path}, stdout=PIPE, stderr=PIPE
    )


def is_written(answer: Any, written: Any) -> bool:
    """Whether an answer is what is written, where nothing is left out."""
    match answer, written:
        case _, str() if written == LEFT_OUT:
            return True
        case dict(), dict():
            named = written.keys() - {LEFT_OUT}
            whole = LEFT_OUT in written or answer.keys() == named
            return whole and named <= answer.keys() and all(is_written(answer[key], written[key]) for key in named)
        case list(), list():
            return len(answer) == len(written) and all(map(is_written, answer, written))
        case _:
            return bool(answer == written and type(answer) is type(written))


def pattern(written: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, written.rstrip("\n").split(LEFT_OUT))), re.DOTALL)


def test_the_document_answers_ten_questions() -> None:
    assert len(re.findall(r"^## \d+\. ", DOCUMENT, re.MULTILINE)) == 10
    assert len(COMMANDS) == DOCUMENT.count("$ curl") >= 10


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if "-sN" not in each.line], ids=lambda each: each.line[9:]
)
async def test_a_command_answers_what_is_written_below_it(service: Service, path: str, command: Command) -> None:
    process = await started(command, service, path)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    if command.answer.startswith("{"):
        assert is_written(json.loads(out), json.loads(command.answer)), out.decode()
    else:
        assert pattern(command.answer).fullmatch(out.decode().replace("\r\n", "\n").rstrip("\n")), out.decode()


async def test_a_command_that_waits_is_told_of_changes_as_they_come(service: Service, path: str) -> None:
    (command,) = [each for each in COMMANDS if "-sN" in each.line]
    before, _, _ = command.answer.partition("event: availability")
    process = await started(command, service, path)
    heard = ""

    async def until(written: str) -> None:
        nonlocal heard
        assert process.stdout is not None
        while not pattern(written).match(heard):
            line = await process.stdout.readline()
            assert line, heard
            heard += line.decode()

    try:
        async with asyncio.timeout(LONG_SECONDS):
            await until(before)
            assert "event: availability" not in heard
            await end_lease(service)
            await until(command.answer)
    finally:
        process.terminate()
        await process.wait()


async def end_lease(service: Service) -> None:
    """The lease of the node that the document waits for ends early."""
    (tacc,) = [each for each in snapshots(service.app[keys.INVENTORY].current) if each.site_id == "tacc"]
    waited_for = "2e46f7b5-95cc-515e-895a-57a694d4b6f0"
    nodes = {**tacc.nodes, waited_for: replace(tacc.nodes[waited_for], reservations=())}
    service.learn(replace(tacc, generation=2, follows=1, nodes=nodes))
    await service.app[READERS].tell()

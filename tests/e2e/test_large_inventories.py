"""An inventory so large that processes of its own read it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from api_service.adapters.git_repository import MANY_FILES
from tests.e2e.test_starts import until_status
from tests.e2e.world import Service, World
from tests.eventually import LONG_SECONDS, until, until_answered
from tests.repositories import GitRepository, change, write

CLUSTERS = 4
NODES = MANY_FILES // CLUSTERS + 100
LARGE = Path("sites/uc/clusters")


@pytest.fixture
def large(world: World) -> GitRepository:
    for number in range(CLUSTERS):
        cluster = world.repository.data / LARGE / f"large{number}"
        write(cluster / f"large{number}.json", {"uid": f"large{number}", "type": "cluster"})
        for node in range(NODES):
            write(cluster / "nodes" / f"n{node}.json", {"uid": f"n{node}", "type": "node", "number": node})
    world.repository.commit("a large inventory")
    return world.repository


def readers_of(service: Service) -> set[int]:
    """Processes that read for it."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == service.process.pid and b"api_service.adapters.reader" in command:
            found.add(int(stat.parent.name))
    return found


async def test_it_is_served_whole_by_a_service_that_reads_later_commits_itself(
    world: World, large: GitRepository
) -> None:
    service = world.start("api_service")
    await until(lambda: readers_of(service))
    await until_status(world, service, "/readyz", 200)
    assert readers_of(service) == set()
    for number in range(CLUSTERS):
        listed = await world.get(service, f"/{LARGE}/large{number}/nodes")
        assert [each["uid"] for each in listed["items"]] == sorted(f"n{node}" for node in range(NODES))
        assert all(each["uid"] == f"n{each['number']}" for each in listed["items"])
    found = await world.get(service, "/nodes/search?number=7&limit=100")
    assert {(each["cluster_id"], each["uid"]) for each in found["items"]} == {
        (f"large{number}", "n7") for number in range(CLUSTERS)
    }

    change(large.data / LARGE / "large1/nodes/n7.json", number=-7)
    sha = large.commit("another number")

    async def served() -> bool:
        node = await world.get(service, f"/{LARGE}/large1/nodes/n7")
        return bool(node["version"] == sha and node["number"] == -7)

    await until_answered(served)
    assert {line["event"] for line in service.lines() if line["level"] != "info"} == {"data fault"}


async def test_a_service_that_ends_while_it_is_read_leaves_no_process_behind(
    world: World, large: GitRepository
) -> None:
    assert large.head()
    for number, are_stopped in (
        (signal.SIGTERM, False),
        (signal.SIGTERM, True),
        (signal.SIGINT, False),
        (signal.SIGKILL, False),
    ):
        service = world.start("api_service")
        await until(lambda service=service: readers_of(service))  # type: ignore[misc]
        readers = readers_of(service)
        if are_stopped:
            for reader in readers:
                with suppress(ProcessLookupError):  # on a busy machine it may have ended
                    os.kill(reader, signal.SIGSTOP)
            # Until then any signal ends it at once.
            await until_status(world, service, "/healthz", 200)
        service.process.send_signal(number)
        service.process.wait(LONG_SECONDS)
        await until(lambda readers=readers: not any(map(_runs, readers)))  # type: ignore[misc]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

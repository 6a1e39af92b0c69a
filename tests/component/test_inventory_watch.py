"""The served inventory follows the repository: what is noticed, what is refused, and what is told about it."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from api_service.adapters import inventory_watch
from api_service.adapters.git_repository import Revision, load, probe
from api_service.adapters.inventory_watch import InventoryWatch
from api_service.domain.data_faults import DataFault, FaultKind
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryStore, InventoryUnreadableError
from tests.component.test_git_repository import clone_without
from tests.eventually import LONG_SECONDS
from tests.repositories import (
    DATA,
    GPU_NODE,
    HASWELL_NODE,
    SAMPLE,
    TACC_NODES,
    GitRepository,
    change,
    copy_sample,
    write,
)

NODE = TACC_NODES / f"{HASWELL_NODE}.json"
OTHER_NODE = TACC_NODES / f"{GPU_NODE}.json"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.of_sample(tmp_path / "repository")


class Subject:
    """A watch on one folder, its store, and how often each of its two questions was asked."""

    def __init__(
        self,
        ref_dir: Path,
        *,
        probing: Callable[[Path], Revision] = probe,
        loading: Callable[[Path], Inventory] = load,
    ) -> None:
        self.store = InventoryStore()
        self.probes = self.loads = 0
        self.probing, self.loading = probing, loading
        self.watch = InventoryWatch(
            ref_dir, self.store, reload_interval_seconds=0.001, probe=self._probe, load=self._load
        )

    def _probe(self, ref_dir: Path) -> Revision:
        self.probes += 1
        return self.probing(ref_dir)

    def _load(self, ref_dir: Path) -> Inventory:
        self.loads += 1
        return self.loading(ref_dir)

    async def check(self) -> list[dict[str, Any]]:
        """Looks once, and returns what was logged."""
        with capture_logs() as logs:
            await self.watch.check()
        return [dict(line) for line in logs]

    async def events(self) -> list[str]:
        """Looks once, and returns the names of what was logged."""
        return [line["event"] for line in await self.check()]

    @property
    def gpu(self) -> object:
        return self.store.current.node("tacc", "chameleon", HASWELL_NODE).written.document()["gpu"]


async def test_a_history_that_stays_as_it_is_is_read_ever_more_seldom_and_served_once(
    repository: GitRepository, tmp_path: Path
) -> None:
    write(repository.data / NODE, {"uid": HASWELL_NODE})
    repository.commit("a change")
    subject = Subject(clone_without(repository, tmp_path / "clone", "tree:0").data)
    await subject.watch.check()
    assert not subject.store.current.history.whole
    for _ in range(8 * inventory_watch.LOOKS_UNTIL_MENDED):
        await subject.watch.check()
    assert subject.loads == 5  # at first, and after 6, 12, 24 and 48 looks
    assert subject.store.loads == 1


async def test_a_history_that_is_mended_without_another_commit_is_read_again(repository: GitRepository) -> None:
    tree = repository.git("rev-parse", f"HEAD:{DATA}/sites/tacc").strip()
    change(repository.data / NODE, serial="new")
    repository.commit("a change")
    lost = repository.folder / ".git/objects" / tree[:2] / tree[2:]
    kept = lost.read_bytes()
    lost.unlink()
    subject = Subject(repository.data)
    await subject.watch.check()
    assert subject.store.current.partial
    lost.write_bytes(kept)
    for _ in range(inventory_watch.LOOKS_UNTIL_MENDED):
        await subject.watch.check()
    assert not subject.store.current.partial
    assert subject.store.current.history.versions("sites/tacc")
    for _ in range(inventory_watch.LOOKS_UNTIL_MENDED):
        await subject.watch.check()
    assert subject.loads == 2


async def test_the_first_look_loads_and_says_so(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    loaded, fault = await subject.check()
    assert subject.store.loaded
    assert loaded == {
        "event": "inventory loaded", "log_level": "info", "version": repository.head(), "sites": 4, "nodes": 11,
        "versions": 1, "faults": 1,
    }  # fmt: skip
    assert fault == {
        "event": "data fault", "log_level": "warning", "path": "sites/edge/clusters/chameleon.json",
        "kind": "misplaced", "detail": "does not belong here", "left_out": True,
    }  # fmt: skip


async def test_nothing_is_loaded_again_while_nothing_changes(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    await subject.check()
    served = subject.store.current
    for _ in range(5):
        assert await subject.check() == []
    assert (subject.probes, subject.loads) == (6, 1)
    assert subject.store.current is served


async def test_a_new_commit_is_served_whole_and_the_old_inventory_stays_as_it_was(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    await subject.check()
    before = subject.store.current
    change(repository.data / NODE, gpu="new")
    sha = repository.commit("new")
    assert await subject.events() == ["inventory loaded"]
    assert (subject.store.current.version, subject.gpu, subject.store.loads) == (sha, "new", 2)
    assert before.node("tacc", "chameleon", HASWELL_NODE).written.document()["gpu"] == {"gpu": False}
    assert len(before.history.all()) == 1


async def test_a_changed_plain_folder_is_served(tmp_path: Path) -> None:
    subject = Subject(copy_sample(tmp_path))
    await subject.check()
    change(tmp_path / NODE, gpu="new")
    assert await subject.events() == ["inventory loaded"]
    assert subject.gpu == "new"


async def test_a_swapped_link_is_noticed(repository: GitRepository, tmp_path: Path) -> None:
    """As git-sync does it: a new worktree beside the old, then one rename."""
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "old"))
    link = tmp_path / "link"
    link.symlink_to("old")
    subject = Subject(link / DATA)
    await subject.check()
    change(repository.data / NODE, gpu="new")
    sha = repository.commit("new")
    assert await subject.events() == ["inventory loaded"], "a branch leads elsewhere, not the worktree"
    assert subject.store.current.version != sha
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "new"))
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(link)
    repository.git("worktree", "remove", str(tmp_path / "old"))
    assert await subject.events() == ["inventory loaded"]
    assert (subject.store.current.version, subject.gpu) == (sha, "new")


async def test_a_link_swapped_between_the_look_and_the_load_is_served_right_at_once(tmp_path: Path) -> None:
    old, new = copy_sample(tmp_path / "old"), copy_sample(tmp_path / "new")
    change(new / NODE, gpu="new")
    link = tmp_path / "link"
    link.symlink_to(old)

    def swapping(ref_dir: Path) -> Inventory:
        if link.readlink() == old:
            link.unlink()
            link.symlink_to(new)
            shutil.rmtree(old)
        return load(ref_dir)

    subject = Subject(link, loading=swapping)
    for _ in range(2):
        await subject.check()
        assert subject.gpu == "new"
    assert await subject.check() == []


async def test_what_changes_during_the_load_is_noticed_at_the_next_look(repository: GitRepository) -> None:
    def late(ref_dir: Path) -> Inventory:
        inventory = load(ref_dir)
        if len(repository.log()) == 1:
            change(repository.data / NODE, gpu="new")
            repository.commit("during the load")
        return inventory

    subject = Subject(repository.data, loading=late)
    await subject.check()
    assert subject.store.current.version != repository.head()
    await subject.check()
    assert (subject.store.current.version, subject.gpu) == (repository.head(), "new")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: write(data / "chameleoncloud.json", b"{"), "its root file is unusable"),
        (lambda data: shutil.rmtree(data / "sites"), "it has no usable site"),
    ],
)
async def test_a_commit_that_lost_everything_is_refused_once_and_the_recovery_is_told(
    repository: GitRepository, spoil: Callable[[Path], object], reason: str
) -> None:
    subject = Subject(repository.data)
    await subject.check()
    good = subject.store.current
    spoil(repository.data)
    bad = repository.commit("spoilt")
    assert await subject.check() == [
        {
            "event": "inventory refused", "log_level": "warning", "ref_dir": str(repository.data), "reason": reason,
            "version": bad,
        }
    ]  # fmt: skip
    assert (subject.store.current, subject.store.refusal, subject.store.refused_version) == (good, reason, bad)
    for _ in range(3):
        assert await subject.check() == []
    assert subject.loads == 2
    copy_sample(repository.data)
    repository.commit("mended")
    assert await subject.events() == ["inventory loaded", "inventory recovered"]
    assert (subject.store.refusal, subject.store.refusals) == (None, 1)


async def test_going_back_to_the_served_commit_ends_the_refusal(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    await subject.check()
    shutil.rmtree(repository.data / "sites")
    repository.commit("spoilt")
    await subject.check()
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert "inventory recovered" in await subject.events()
    assert (subject.store.current.version, subject.store.refusal) == (repository.head(), None)


async def test_a_missing_folder_is_told_once_and_served_as_soon_as_it_is_there(tmp_path: Path) -> None:
    subject = Subject(tmp_path / "later")
    (refused,) = await subject.check()
    assert (refused["event"], refused["reason"]) == ("inventory refused", "the inventory's folder does not exist")
    assert not subject.store.loaded
    assert await subject.check() == []
    copy_sample(tmp_path / "later")
    assert "inventory recovered" in await subject.events()
    assert subject.store.loaded


async def test_a_folder_that_vanishes_leaves_what_is_served(tmp_path: Path) -> None:
    subject = Subject(copy_sample(tmp_path / "inventory"))
    await subject.check()
    (tmp_path / "inventory").rename(tmp_path / "moved")
    assert await subject.events() == ["inventory refused"]
    assert await subject.events() == []
    assert subject.gpu == {"gpu": False}
    (tmp_path / "moved").rename(tmp_path / "inventory")
    assert await subject.events() == ["inventory loaded", "inventory recovered"]


async def test_a_commit_that_cannot_be_read_is_tried_again_until_it_can(repository: GitRepository) -> None:
    failures = [InventoryUnreadableError("the disk is tired")] * 3

    def tired(ref_dir: Path) -> Inventory:
        if failures:
            raise failures.pop()
        return load(ref_dir)

    subject = Subject(repository.data, loading=tired)
    assert await subject.events() == ["inventory refused"]
    assert subject.store.refused_version == repository.head()
    assert [await subject.events() for _ in range(2)] == [[], []]
    assert "inventory recovered" in await subject.events()
    assert subject.store.refusals == 1


async def test_a_commit_that_holds_too_much_is_not_loaded_again(repository: GitRepository) -> None:
    def refusing(_: Path) -> Inventory:
        raise InventoryRefusedError("it holds too much")

    subject = Subject(repository.data, loading=refusing)
    (refused,) = await subject.check()
    assert (refused["reason"], refused["version"]) == ("it holds too much", repository.head())
    assert await subject.check() == []
    assert subject.loads == 1


async def test_a_look_that_fails_in_a_way_nobody_thought_of_is_told_once(repository: GitRepository) -> None:
    def cursing(_: Path) -> Revision:
        raise RuntimeError("nobody thought of this")

    subject = Subject(repository.data, probing=cursing)
    assert await subject.events() == ["inventory not loaded", "inventory refused"]
    assert await subject.events() == []
    subject.probing = probe
    assert "inventory recovered" in await subject.events()


async def test_a_load_that_fails_in_a_way_nobody_thought_of_leaves_what_is_served(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    await subject.check()
    good = subject.store.current
    cursed = repository.commit("cursed")

    def cursing(_: Path) -> Inventory:
        raise RuntimeError("nobody thought of this")

    subject.loading = cursing
    failed, refused = await subject.check()
    assert (failed["event"], str(failed["exc_info"])) == ("inventory not loaded", "nobody thought of this")
    assert (refused["reason"], refused["version"]) == ("loading it failed", cursed)
    assert await subject.check() == []
    assert subject.loads == 2
    assert subject.store.current is good


async def test_a_fault_is_logged_once_however_many_commits_have_it(repository: GitRepository) -> None:
    subject = Subject(repository.data)
    assert (await subject.events()).count("data fault") == 1
    write(repository.data / NODE, b"{")
    repository.commit("a broken file")
    told = [line["path"] for line in await subject.check() if line["event"] == "data fault"]
    assert told == [NODE.as_posix()]
    change(repository.data / OTHER_NODE, gpu=[])
    repository.commit("something else")
    assert await subject.events() == ["inventory loaded"]
    shutil.copy(SAMPLE / NODE, repository.data / NODE)
    repository.commit("mended")
    await subject.check()
    write(repository.data / NODE, b"{")
    repository.commit("broken again")
    assert await subject.events() == ["inventory loaded", "data fault"]


async def test_a_flood_of_faults_is_logged_in_part(repository: GitRepository) -> None:
    most = inventory_watch.MAX_LOGGED_FAULTS
    faults = tuple(DataFault(f"{n}.json", FaultKind.NOT_JSON, "not JSON") for n in range(most + 5))
    subject = Subject(repository.data, loading=lambda _: Inventory(faults=faults))
    logs = await subject.check()
    assert [line["event"] for line in logs] == ["inventory loaded", *["data fault"] * most, "more data faults"]
    assert logs[-1]["count"] == 5


async def test_a_shallow_clone_is_told_once(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit("another")
    clone = GitRepository(tmp_path / "clone", made=True)
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone.folder))
    subject = Subject(clone.data)
    assert "shallow clone, older versions are missing" in await subject.events()
    change(clone.data / NODE, gpu="new")
    clone.commit("new")
    assert await subject.events() == ["inventory loaded"]


async def test_a_partial_clone_is_logged_once(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit("another")
    clone = clone_without(repository, tmp_path / "clone", "blob:none")
    subject = Subject(clone.data)
    assert "partial clone, files of older versions may be missing" in await subject.events()
    change(clone.data / NODE, gpu="new")
    clone.commit("new")
    assert await subject.events() == ["inventory loaded"]


async def test_the_first_load_serves_what_it_can_even_if_that_is_nothing(tmp_path: Path) -> None:
    subject = Subject(tmp_path)
    assert "inventory loaded" in await subject.events()
    assert not subject.store.loaded
    copy_sample(tmp_path)
    await subject.check()
    assert subject.store.loaded


async def test_loading_does_not_hold_up_the_event_loop(repository: GitRepository) -> None:
    loop, began, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def waiting(ref_dir: Path) -> Inventory:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(LONG_SECONDS)
        return load(ref_dir)

    subject = Subject(repository.data, loading=waiting)
    looking = asyncio.create_task(subject.check())
    async with asyncio.timeout(LONG_SECONDS):
        await began.wait()
        assert not subject.store.loaded
        go_on.set()
        await looking
    assert subject.store.loaded


async def test_the_loop_looks_again_and_again(repository: GitRepository) -> None:
    loop, enough = asyncio.get_running_loop(), asyncio.Event()

    def counting(ref_dir: Path) -> Revision:
        if subject.probes == 3:
            loop.call_soon_threadsafe(enough.set)
        return probe(ref_dir)

    subject = Subject(repository.data, probing=counting)
    running = asyncio.create_task(subject.watch.run())
    async with asyncio.timeout(LONG_SECONDS):
        await enough.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert subject.loads == 1

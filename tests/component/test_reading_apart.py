"""What another process reads of a repository is what this one would have read, and is read here if that one ends."""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from api_service.adapters import json_repository
from api_service.adapters import reading_apart as apart
from api_service.adapters.background import begun
from api_service.adapters.early_reading import EarlyReading
from api_service.adapters.git_objects import RepositoryError
from api_service.adapters.git_repository import begin, load, load_at, read_at
from api_service.adapters.pieces import Part, ReaderLostError, Rest, Sizes, all_of, tell
from api_service.adapters.reading_apart import Place, ReadingApart
from api_service.domain.inventory import Cluster, Inventory, InventoryRefusedError, InventoryUnreadableError
from tests.component.test_git_repository import NODE, SHAPES, change_node, damage, lose
from tests.eventually import LONG_SECONDS, until
from tests.inventories import cluster, inventory, site
from tests.repositories import DATA, GitRepository, write
from tests.unmeasured import unmeasured

type Shape = Callable[[GitRepository, Path], Path]


def itself(repository: GitRepository, _: Path) -> Path:
    return repository.data


def faulty(repository: GitRepository, _: Path) -> Path:
    (repository.data / NODE).write_text('{"uid": "else"}')
    (repository.data / NODE.with_name("empty.json")).write_text("")
    (repository.data / NODE.with_name("own.json")).write_text('{"uid": "own", "version": 1, "gpu": {"gpu": true}}')
    (repository.data / "sites/uc/uc.json").write_text("{")
    repository.commit("faults")
    return repository.data


@pytest.fixture(autouse=True)
def as_users_run_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What measures coverage would be killed with a reader while it writes."""
    for name in set(os.environ) - unmeasured().keys():
        monkeypatch.delenv(name)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.of_sample(tmp_path / "repository")


def told(read: Inventory) -> list[Any]:
    """All that an inventory holds."""
    found: list[Any] = [read.version, read.committed_at, read.document, read.faults, read.shallow, read.history]
    for each in read.sites.values():
        found += [each.uid, each.written.text, [(flavor.uid, flavor.written.text) for flavor in each.flavors.values()]]
        for of_site in each.clusters.values():
            found += [of_site.site_id, of_site.uid, of_site.written.text]
            for uid, node in of_site.nodes.items():
                found += [uid, node.site_id, node.cluster_id, node.uid, node.written.text, node.written.at_hand]
    return found


@pytest.mark.parametrize("shape", [itself, faulty, *SHAPES])
def test_it_is_what_this_process_would_have_read(repository: GitRepository, tmp_path: Path, shape: Shape) -> None:
    repository.commit_each(partial(change_node, gpu="new"))
    ref_dir = shape(repository, tmp_path)
    with capture_logs() as logs:
        found = told(load(ref_dir, many_files=0))
    assert found == told(load(ref_dir))
    assert logs == []


def test_what_cannot_be_read_is_the_same_error(repository: GitRepository) -> None:
    repository.commit_each(partial(change_node, gpu="new"))
    lose(repository, f"HEAD:{DATA}/{NODE}")
    errors = []
    for many_files in (0, 5000):
        with capture_logs() as logs, pytest.raises(InventoryUnreadableError) as caught:
            load(repository.data, many_files=many_files)
        errors.append(str(caught.value))
        assert logs == []
    assert errors[0] == errors[1]
    assert "is missing" in errors[0]


def test_its_documents_are_those_of_commits_that_are_read_here_and_are_not_read_again(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.head()
    change_node(repository.data, gpu="new")
    repository.commit("another gpu")
    present = load(repository.data, many_files=0)
    past = load_at(repository.data, present.history.resolve(first), present.history)
    pairs = list(zip(present.nodes(), past.nodes(), strict=True))
    assert sum(one.written is other.written for one, other in pairs) == len(pairs) - 1
    # Nothing could be started.
    monkeypatch.setattr(sys, "executable", "/nowhere")
    change_node(repository.data, gpu="newer")
    repository.commit("yet another")
    flavors_and_the_like = 20
    with capture_logs() as logs:
        load(repository.data, many_files=flavors_and_the_like)
    assert logs == []


def program(tmp_path: Path, text: str) -> str:
    """To be started instead of Python."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "exit 1",
        "kill -9 $$",
        "echo not what pickle writes",
        f'{sys.executable} "$@" | head -c 2000',
        # Only one of several.
        f'[ "$7" = 0 ] && exec {sys.executable} "$@"',
    ],
)
def test_if_a_process_ends_before_it_has_told_everything_all_is_read_here(
    repository: GitRepository, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "READERS", 2)
    expected = told(load(repository.data))
    monkeypatch.setattr(sys, "executable", program(tmp_path, text))
    with capture_logs() as logs:
        assert told(load(repository.data, many_files=0)) == expected
    assert [line["event"] for line in logs] == ["the process that reads the inventory ended"]


def test_if_no_process_can_be_started_all_is_read_here(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    with capture_logs() as logs:
        assert told(load(repository.data, many_files=0)) == told(load(repository.data))
    assert len(logs) == 1


async def test_processes_of_which_nothing_is_wanted_any_more_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", program(tmp_path, f"touch {folder}/$$; exec sleep 99"))
    subject = ReadingApart(Place("", "", ""))
    await until(lambda: len(list(folder.iterdir())) == apart.READERS)
    subject.close()
    for pid in folder.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.name), 0)
    with pytest.raises(ReaderLostError):
        subject.inventory()


@pytest.mark.parametrize(("readers", "many_files"), [(1, 0), (2, 0), (3, 0), (1, 10**6)])
@pytest.mark.parametrize("beyond", [0, 1])
def test_what_is_more_than_may_be_held_is_refused_whoever_reads_it(
    repository: GitRepository, readers: int, many_files: int, beyond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = read_at(Place(f"{repository.folder}/.git/", repository.head(), str(DATA)), Part())[1]
    most = sizes.nodes + sizes.others - beyond
    monkeypatch.setattr(apart, "READERS", readers)
    monkeypatch.setattr(apart, "MAX_TOTAL_BYTES", most)
    monkeypatch.setattr(json_repository, "MAX_TOTAL_BYTES", most)
    with pytest.raises(InventoryRefusedError, match="more than") if beyond else nullcontext():
        load(repository.data, many_files=many_files)


def test_what_cannot_be_read_is_told_in_the_same_sentence(repository: GitRepository) -> None:
    damage(repository, "HEAD^{tree}", lambda written: written[: len(written) // 2])
    sentences = set()
    for many_files in (0, 10**6):
        with pytest.raises(InventoryUnreadableError) as caught:
            load(repository.data, many_files=many_files)
        sentences.add(str(caught.value))
    assert len(sentences) == 1


def test_readers_that_could_not_read_the_same_are_not_believed(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(load(repository.data))
    other = GitRepository.of_sample(tmp_path / "other")
    (other.data / "sites/tacc/clusters/chameleon/chameleon.json").write_text("")
    sha = other.commit("a cluster that cannot be read")
    # The second of them reads that.
    replaced = f'shift 3; n=$4; [ $n = 1 ] && set -- "{other.folder}/.git/" {sha} "$3" "$4" "$5"; '
    monkeypatch.setattr(apart, "READERS", 2)
    monkeypatch.setattr(
        sys, "executable", program(tmp_path, f'{replaced} exec {sys.executable} -P -m {apart.MODULE} "$@"')
    )
    with capture_logs() as logs:
        assert told(load(repository.data, many_files=0)) == expected
    assert len(logs) == 1


def test_what_lies_in_the_current_folder_is_not_run(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(load(repository.data))
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere / "orjson.py", b"raise SystemExit('not this one')")
    monkeypatch.setattr(sys, "path", list(map(os.path.abspath, sys.path)))
    monkeypatch.chdir(elsewhere)
    with capture_logs() as logs:
        assert told(load(repository.data, many_files=0)) == expected
    assert logs == []


async def test_if_the_history_cannot_be_read_no_process_stays(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", program(tmp_path, f"touch {folder}/$$; exec sleep 99"))
    repository.commit_each(partial(change_node, gpu="new"))
    early = begin(repository.data, many_files=0)
    await until(lambda: len(list(folder.iterdir())) == apart.READERS)
    lose(repository, "HEAD~1")
    with pytest.raises(InventoryUnreadableError):
        load(repository.data, many_files=0, early=early)
    for pid in folder.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.name), 0)


# What begins early


def test_what_has_begun_early_is_not_begun_again(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    early = begin(repository.data, many_files=0)
    monkeypatch.setattr(sys, "executable", "/nowhere")
    with capture_logs() as logs:
        found = told(load(repository.data, many_files=0, early=early))
    assert logs == []
    assert found == told(load(repository.data))


def test_what_has_begun_early_is_of_no_use_once_the_newest_commit_is_another(repository: GitRepository) -> None:
    early = begin(repository.data, many_files=0)
    assert early is not None
    change_node(repository.data, gpu="new")
    repository.commit("another gpu")
    assert told(load(repository.data, early=early)) == told(load(repository.data))
    early.close()


def test_nothing_begins_early_that_is_small_or_is_not_there(repository: GitRepository, tmp_path: Path) -> None:
    assert begin(repository.data) is None
    assert begin(tmp_path / "nowhere") is None
    assert begin(tmp_path) is None


def test_a_watch_loads_what_has_begun_early_and_later_whatever_there_is(repository: GitRepository) -> None:
    subject = EarlyReading(repository.data)
    assert told(subject.load(repository.data)) == told(load(repository.data))
    change_node(repository.data, gpu="new")
    repository.commit("another gpu")
    assert told(subject.load(repository.data)) == told(load(repository.data))


def test_a_folder_that_is_missing_is_told_by_whoever_loads_it(tmp_path: Path) -> None:
    subject = EarlyReading(tmp_path / "nowhere")
    for _ in range(2):
        with pytest.raises(InventoryUnreadableError, match="does not exist"):
            subject.load(tmp_path / "nowhere")


# How it is told


def taken(file: Path) -> Any:
    with file.open("rb") as stream:
        return all_of(stream)


def tell_into(file: Path, read: Callable[[Callable[[Cluster], Cluster]], Rest]) -> None:
    with file.open("wb") as stream:
        tell(read, stream.fileno())


@pytest.mark.parametrize("error", [InventoryRefusedError("it holds more than it may"), RepositoryError(5, "damaged")])
def test_why_there_is_no_inventory_is_told(error: Exception, tmp_path: Path) -> None:
    def read(found: object) -> Rest:
        raise error

    tell_into(tmp_path / "told", read)
    with pytest.raises(type(error)) as caught:
        taken(tmp_path / "told")
    assert (str(caught.value), caught.value.args) == (str(error), error.args)


def test_an_error_of_the_program_is_not_told_but_ends_it(tmp_path: Path) -> None:
    def read(found: object) -> Rest:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tell_into(tmp_path / "told", read)
    with pytest.raises(ReaderLostError):
        taken(tmp_path / "told")


def test_reading_goes_on_while_nobody_takes_what_was_read_and_nothing_of_it_is_held_on_to() -> None:
    out, into = os.pipe()
    all_read = Event()
    documents = [{"uid": f"n{number}", "text": "x" * 1000} for number in range(1000)]

    def read(found: Callable[[Cluster], Cluster]) -> Rest:
        kept = [found(cluster("uc", uid, documents)) for uid in "abc"]
        assert [dict(each.nodes) for each in kept] == [{}] * 3
        all_read.set()
        return inventory(site("uc", *kept)), Sizes(7, 8)

    telling = begun(lambda: tell(read, into))
    assert all_read.wait(timeout=LONG_SECONDS)
    assert not telling.done()
    with os.fdopen(out, "rb") as stream:
        nodes, (_, sizes) = all_of(stream)
    telling.result()
    os.close(into)
    assert {place: len(of_cluster) for place, of_cluster in nodes.items()} == {("uc", uid): 1000 for uid in "abc"}
    assert sizes == Sizes(7, 8)

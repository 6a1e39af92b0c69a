"""Inventories in git repositories of every shape, and their versions compared with what the git program says."""

import gc
import json
import os
import random
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pygit2
import pytest

from api_service.adapters import git_history
from api_service.adapters.git_objects import RepositoryError, _Translated
from api_service.adapters.git_repository import load, load_at, probe
from api_service.domain.data_faults import FaultKind
from api_service.domain.history import HistoryUnreadableError, NoSuchVersionError, Version
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryUnreadableError
from tests.repositories import (
    DATA,
    FIRST_COMMIT_AT,
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


def uids(versions: Iterable[Version]) -> list[str]:
    return [version.uid for version in versions]


def number_of_nodes(inventory: Inventory) -> int:
    return len(list(inventory.nodes()))


def change_node(data: Path, *, gpu: object) -> None:
    change(data / NODE, gpu=gpu)


def gpu_of(inventory: Inventory) -> object:
    return inventory.node("tacc", "chameleon", HASWELL_NODE).written.document()["gpu"]


def every_path(repository: GitRepository) -> list[str]:
    """Every file and folder that was ever in the inventory's folder, relative to it; the folder itself is ""."""
    listed = repository.git("log", "--all", "--format=", "--name-only", "-z", "-m").replace("\n", "\0")
    files = [Path(name) for name in listed.split("\0") if name.startswith(f"{DATA}/")]
    found = {path for file in files for path in (file, *file.parents) if path.is_relative_to(DATA)}
    return sorted("" if path == DATA else path.relative_to(DATA).as_posix() for path in found)


def assert_same_as_git(repository: GitRepository) -> None:
    history = load(repository.data).history
    assert uids(history.all()) == repository.log()
    for path in [*every_path(repository), "nowhere"]:
        assert uids(history.versions(path)) == repository.log("--", str(DATA / path)), path


# What is served


def test_a_commit_is_served_with_its_sha_and_time(repository: GitRepository) -> None:
    inventory = load(repository.data)
    assert inventory.version == repository.head()
    assert inventory.committed_at == datetime.fromtimestamp(FIRST_COMMIT_AT + 60, UTC)
    assert number_of_nodes(inventory) == 11
    assert gpu_of(inventory) == json.loads((SAMPLE / NODE).read_bytes())["gpu"]
    assert [fault.path for fault in inventory.faults] == ["sites/edge/clusters/chameleon.json"]
    assert not inventory.shallow


def test_content_comes_from_the_commit_and_never_from_the_dirty_work_tree(repository: GitRepository) -> None:
    change(repository.data / NODE, gpu="uncommitted")
    (repository.data / OTHER_NODE).unlink()
    write(repository.data / "sites/new/new.json", {"uid": "new"})
    repository.git("add", "--all")
    inventory = load(repository.data)
    assert gpu_of(inventory) == {"gpu": False}
    assert number_of_nodes(inventory) == 11
    assert "new" not in inventory.sites


def test_an_inventory_may_be_the_whole_repository(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    copy_sample(tmp_path)
    repository.commit("the sample")
    write(tmp_path / "README.md", b"read me")
    readme = repository.commit("a file beside")
    inventory = load(tmp_path)
    assert number_of_nodes(inventory) == 11
    assert uids(inventory.history.versions("")) == repository.log("--", ".") == [readme, repository.log()[-1]]
    assert uids(inventory.history.versions("sites")) == repository.log("--", "sites")


def test_names_texts_and_dates_are_told_as_git_tells_them(repository: GitRepository) -> None:
    message = "\n  Subject, with commas \nand é second line\n\n\nbody\n\nmore: body\n\n"
    dates = {"GIT_AUTHOR_DATE": "@1 +0000", "GIT_COMMITTER_DATE": "@1234567890 -0700", "GIT_AUTHOR_NAME": "Ä, Ö <x"}
    repository.git("commit", "--allow-empty", "--cleanup=verbatim", "--message", message, more=dates)
    version = load(repository.data).history.all()[0]
    told = repository.git("log", "-1", "--format=%an%x00%s%x00%b%x00%ct").split("\0")
    assert [version.author, version.subject] == told[:2]
    assert version.subject == "  Subject, with commas and é second line"
    assert version.body == told[2].strip() == "body\n\nmore: body"
    assert version.committed_at == datetime.fromtimestamp(int(told[3]), UTC)
    assert version.committed_at.tzinfo is UTC


def test_texts_and_names_that_are_not_utf8_can_be_told_all_the_same(repository: GitRepository) -> None:
    write(repository.data / TACC_NODES / os.fsdecode(b"\xff.json"), {"uid": "x"})
    repository.git("add", "--all")
    encoded = ("-c", "i18n.commitEncoding=latin1")
    repository.git(*encoded, "commit", "--file=-", stdin=b"caf\xe9", more={"GIT_AUTHOR_NAME": os.fsdecode(b"Ren\xe9")})
    inventory = load(repository.data)
    version = inventory.history.all()[0]
    assert (version.author, version.subject, version.body) == ("René", "café", "")
    assert f"{TACC_NODES}/\\xff.json" in [fault.path for fault in inventory.faults]
    assert uids(inventory.history.versions(f"{TACC_NODES}/\\xff.json")) == [version.uid]


def test_a_message_of_any_length_is_cut(repository: GitRepository) -> None:
    repository.git("commit", "--allow-empty", "--file=-", stdin=b"x\n\n" + b"long line\n" * 100_000)
    assert len(load(repository.data).history.all()[0].body) < 100_000


@pytest.mark.parametrize("date", ["0 +0000", "99999999999999 +0000"])
def test_absurd_dates_do_no_harm(repository: GitRepository, date: str) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}").strip()
    raw = f"tree {tree}\nauthor A <a> {date}\ncommitter A <a> {date}\n\nodd\n"
    sha = repository.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw.encode()).strip()
    repository.git("reset", "--quiet", "--hard", sha)
    inventory = load(repository.data)
    assert inventory.version == sha
    assert inventory.committed_at is not None
    assert inventory.committed_at.year in {1970, 9999}


def test_links_and_submodules_in_a_commit_are_not_followed(repository: GitRepository) -> None:
    link = repository.data / "sites/tacc/clusters/chameleon/nodes/link.json"
    link.symlink_to(NODE.name)
    entry = f"160000,{repository.head()},{DATA}/sites/module"
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", entry)
    repository.git("commit", "--quiet", "--message", "link and module")
    inventory = load(repository.data)
    why = "a symbolic link or a submodule, which is not followed"
    assert {fault.path: fault.detail for fault in inventory.faults if fault.kind is FaultKind.UNREADABLE} == {
        "sites/module": why, link.relative_to(repository.data).as_posix(): why,
    }  # fmt: skip
    assert number_of_nodes(inventory) == 11


def test_a_file_may_be_executable(repository: GitRepository) -> None:
    (repository.data / NODE).chmod(0o755)
    repository.commit("executable")
    assert number_of_nodes(load(repository.data)) == 11
    assert_same_as_git(repository)


# Versions


def test_versions_are_what_git_log_lists_through_changes_renames_and_reverts(repository: GitRepository) -> None:
    repository.commit_each(
        lambda data: change(data / NODE, gpu=[True]),
        lambda data: (data / NODE).rename(data / TACC_NODES / "renamed.json"),
        lambda data: (data / TACC_NODES / "renamed.json").rename(data / NODE),
        lambda data: shutil.copy(SAMPLE / NODE, data / NODE),
        lambda data: write(repository.folder / "README.md", b"outside"),
        lambda data: shutil.rmtree(data / "sites/uc"),
        copy_sample,
        lambda data: (data / NODE).unlink(),
        lambda data: write(data / NODE / "now/a/folder.json", {}),
        lambda data: write(data / "sites/tacc/notes/README.md", b"inside"),
        shutil.rmtree,
        copy_sample,
    )
    assert_same_as_git(repository)


def fast_import(repository: GitRepository, *, commits: int, seed: int) -> None:
    """A random history: branches, merges of two or three sides that took one, mixed or changed all, equal
    dates, dates that go back, several roots, commits that change nothing here, and reverts."""
    rng = random.Random(seed)
    paths = [f"sites/{site}/{name}.json" for site in "ab" for name in (site, "clusters/c/c", "clusters/c/nodes/n")]
    trees: dict[int, dict[str, str]] = {}
    stream = []
    for mark in range(1, commits + 1):
        parents = rng.sample(range(max(1, mark - 6), mark), k=min(mark - 1, rng.choice([0, 1, 1, 1, 1, 2, 2, 3])))
        if mark == commits:  # so that the head reaches all that is left open
            parents = list(range(max(1, mark - 6), mark))
        files = (
            {} if not parents else {path: rng.choice([trees[each] for each in parents]).get(path, "") for path in paths}
        )
        for path in rng.sample([*paths, "../../README.md"], k=rng.choice([0, 0, 1, 2])):
            files[path] = rng.choice(["", "one", "two", "three"])
        trees[mark] = {path: content for path, content in files.items() if content}
        at = FIRST_COMMIT_AT + rng.choice([mark // 3, mark // 3, mark, commits - mark])
        stream.append(f"commit refs/heads/main\nmark :{mark}\ncommitter C <c> {at} +0000\ndata 1\nx")
        # Without this a commit would get the branch's tip as its parent.
        stream.append(f"from :{parents[0]}" if parents else "from " + "0" * 40)
        stream += [f"merge :{each}" for each in parents[1:]]
        stream.append("deleteall")
        stream += [
            f"M 100644 inline {os.path.normpath(DATA / path)}\ndata {len(content)}\n{content}"
            for path, content in trees[mark].items()
        ]
    repository.git("fast-import", "--quiet", "--force", stdin="\n".join([*stream, ""]).encode())


@pytest.mark.parametrize("seed", range(6))
def test_versions_are_what_git_log_lists_in_any_history(tmp_path: Path, seed: int) -> None:
    repository = GitRepository(tmp_path)
    fast_import(repository, commits=80, seed=seed)
    repository.data.mkdir(parents=True)
    if not repository.git("ls-tree", "HEAD", str(DATA)):
        write(repository.data / "root.json", {"uid": "root"})
        repository.commit("so that it is there")
    assert repository.git("log", "--merges", "--format=%H")
    assert len(repository.git("log", "--max-parents=0", "--format=%H").split()) > 1
    assert_same_as_git(repository)


@pytest.mark.parametrize("seed", range(6))
def test_a_time_names_the_commit_that_git_finds_along_first_parents_in_any_history(tmp_path: Path, seed: int) -> None:
    repository = GitRepository(tmp_path)
    fast_import(repository, commits=80, seed=seed)
    repository.data.mkdir(parents=True, exist_ok=True)
    write(repository.data / "root.json", {"uid": "root"})
    repository.commit("so that it is there", at=FIRST_COMMIT_AT + 40)
    history = load(repository.data).history
    for second in range(FIRST_COMMIT_AT - 1, FIRST_COMMIT_AT + 82):
        expected = repository.git("rev-list", "-1", "--first-parent", f"--until={second}", "HEAD").split()
        try:
            assert [history.at(datetime.fromtimestamp(second, UTC)).uid] == expected
        except NoSuchVersionError:
            assert expected == []


@pytest.mark.parametrize("seed", range(3))
def test_the_last_version_of_a_path_that_is_gone_holds_it_in_any_history(tmp_path: Path, seed: int) -> None:
    repository = GitRepository(tmp_path)
    fast_import(repository, commits=60, seed=seed)
    repository.data.mkdir(parents=True, exist_ok=True)
    write(repository.data / "root.json", {"uid": "root"})
    repository.commit("so that it is there")
    history = load(repository.data).history
    gone = 0
    for uid in repository.log():
        as_of = replace(history, head=uid)
        listed = set(repository.git("ls-tree", "-r", "-t", "--name-only", uid).split())
        for path in every_path(repository):
            last = as_of.last_with(path)
            there = str(DATA / path) in listed
            assert (last is None) == (there or not as_of.versions(path)), (uid, path)
            if last:
                gone += 1
                assert repository.git("ls-tree", last.uid, str(DATA / path)), (uid, path)
    assert gone


def test_the_version_in_force_is_the_one_that_git_log_1_lists(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    fast_import(repository, commits=60, seed=99)
    repository.data.mkdir(parents=True, exist_ok=True)
    write(repository.data / "root.json", {"uid": "root"})
    repository.commit("so that it is there")
    history = load(repository.data).history
    rng = random.Random(1)
    paths = every_path(repository)
    missing = 0
    for version in rng.sample(history.all(), k=25):
        for path in rng.sample(paths, k=4):
            expected = repository.log("-1", version.uid, "--", str(DATA / path))
            try:
                assert [history.in_force(path, version.uid[:10]).uid] == expected
            except NoSuchVersionError:
                missing += 1
                assert expected == []
    assert 0 < missing < 90


def test_a_history_of_any_length_is_cut(repository: GitRepository) -> None:
    repository.commit_each(*[partial(change_node, gpu=n) for n in range(5)])
    inventory = load(repository.data, most_commits=3)
    assert uids(inventory.history.all()) == repository.log("-3")
    assert inventory.shallow
    assert inventory.history.all()[-1].parents == ()


# Time travel


def test_any_commit_can_be_loaded_with_its_own_past(repository: GitRepository) -> None:
    first = repository.head()
    broken, last = repository.commit_each(
        lambda data: write(data / NODE, b"{"),
        lambda data: shutil.copy(SAMPLE / NODE, data / NODE),
    )
    history = load(repository.data).history
    past = load_at(repository.data, history.resolve(first), history)
    assert (past.version, number_of_nodes(past)) == (first, 11)
    assert uids(past.history.all()) == [first]
    faulty = load_at(repository.data, history.resolve(broken), history)
    assert number_of_nodes(faulty) == 10
    assert {fault.kind for fault in faulty.faults} == {FaultKind.NOT_JSON, FaultKind.MISPLACED}
    assert load_at(repository.data, history.resolve(last), history).sites == load(repository.data).sites


def test_a_commit_from_before_the_inventory_is_empty(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    write(tmp_path / DATA.parent, b"a file where the folder is going to be")
    before = repository.commit("before")
    (tmp_path / DATA.parent).unlink()
    copy_sample(repository.data)
    repository.commit("the sample")
    history = load(repository.data).history
    past = load_at(repository.data, history.resolve(before), history)
    assert (past.version, past.usable) == (before, False)
    assert_same_as_git(repository)


def test_a_plain_folder_has_no_past(tmp_path: Path, repository: GitRepository) -> None:
    version = load(repository.data).history.all()[0]
    with pytest.raises(InventoryRefusedError, match="no versions"):
        load_at(copy_sample(tmp_path / "plain"), version, load(repository.data).history)


def test_commits_share_the_documents_of_the_files_that_they_have_in_common(repository: GitRepository) -> None:
    first = repository.head()
    change_node(repository.data, gpu="new")
    repository.commit("another gpu")
    present = load(repository.data)
    past = load_at(repository.data, present.history.resolve(first), present.history)
    one, other = ({node.uid: node.written for node in inventory.nodes()} for inventory in (present, past))
    assert [uid for uid in one if one[uid] is not other[uid]] == [HASWELL_NODE]
    assert (gpu_of(present), gpu_of(past)) == ("new", {"gpu": False})


# Branches


def branch(repository: GitRepository, name: str, *, gpu: object) -> str:
    """A commit on a branch of its own, made of what is checked out, which stays."""
    repository.git("checkout", "--quiet", "-b", name)
    change_node(repository.data, gpu=gpu)
    sha = repository.commit(name)
    repository.git("checkout", "--quiet", "-")
    return sha


def test_commits_of_branches_are_known_and_no_part_of_what_is_served(repository: GitRepository) -> None:
    testing = branch(repository, "testing", gpu="tested")
    head = repository.commit("on")
    history = load(repository.data).history
    assert history.branches == {"main": head, "testing": testing}
    assert testing not in uids(history.all())
    with pytest.raises(NoSuchVersionError, match="no version"):
        history.resolve(testing)
    past = load_at(repository.data, history.of_branch("testing"), history)
    assert (gpu_of(past), uids(past.history.all())) == ("tested", repository.log("testing"))
    assert uids(past.history.versions(str(NODE))) == repository.log("testing", "--", str(DATA / NODE))
    assert_same_as_git(repository)


def test_a_local_branch_goes_before_one_of_the_origin_and_others_are_no_branches(
    repository: GitRepository, tmp_path: Path
) -> None:
    theirs = {name: branch(repository, name, gpu=name) for name in ("both", "deep/only-theirs")}
    clone = GitRepository(tmp_path / "clone", made=True)
    repository.git("clone", "--quiet", str(repository.folder), str(clone.folder))
    ours = branch(clone, "both", gpu="ours")
    clone.git("tag", "a-tag")
    clone.git("update-ref", "refs/remotes/other/only-other", ours)
    found = load(clone.data).history.branches
    assert found == {"main": clone.head(), "both": ours, "deep/only-theirs": theirs["deep/only-theirs"]}


def test_a_branch_that_leads_nowhere_is_no_branch_and_harms_nothing(repository: GitRepository) -> None:
    broken = branch(repository, "broken", gpu="broken")
    Path(repository.folder, ".git/refs/heads/nowhere").write_text("0" * 39 + "1\n")
    Path(repository.folder, ".git/refs/heads/garbage").write_bytes(b"\xff\n")
    Path(os.fsdecode(os.fsencode(repository.folder) + b"/.git/refs/heads/\xff")).write_text(repository.head() + "\n")
    (repository.folder / ".git/objects" / broken[:2] / broken[2:]).unlink()
    inventory = load(repository.data)
    assert inventory.history.branches == {"main": repository.head()}
    assert number_of_nodes(inventory) == 11
    assert broken not in inventory.history.commits


def test_a_branch_that_moves_is_noticed(repository: GitRepository) -> None:
    before = probe(repository.data)
    branch(repository, "testing", gpu="tested")
    assert probe(repository.data) != before


# Where a repository may lie


def test_a_folder_without_git_is_served_without_versions(tmp_path: Path) -> None:
    inventory = load(copy_sample(tmp_path))
    assert (inventory.version, inventory.committed_at, inventory.history.all()) == (None, None, ())
    assert number_of_nodes(inventory) == 11
    assert probe(tmp_path).version is None


def test_an_untracked_folder_in_another_repository_does_not_get_its_commits(repository: GitRepository) -> None:
    plain = copy_sample(repository.folder / "elsewhere")
    assert load(plain).version is None
    assert number_of_nodes(load(plain)) == 11
    assert probe(plain).version is None


def test_a_repository_without_commits_is_a_plain_folder(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    copy_sample(repository.data)
    repository.git("add", "--all")
    assert (load(repository.data).version, number_of_nodes(load(repository.data))) == (None, 11)


def test_the_folder_of_git_itself_is_a_plain_folder(repository: GitRepository) -> None:
    assert load(repository.folder / ".git").version is None


def worktree(repository: GitRepository, beside: Path) -> Path:
    repository.git("worktree", "add", "--quiet", "--detach", str(beside / "tree"))
    return beside / "tree" / DATA


def linked(repository: GitRepository, beside: Path) -> Path:
    """As git-sync publishes a worktree."""
    folder = worktree(repository, beside).parents[1]
    (beside / "link").symlink_to(folder.relative_to(beside), target_is_directory=True)
    return beside / "link" / DATA


def worktree_of_bare(repository: GitRepository, beside: Path) -> Path:
    repository.git("clone", "--quiet", "--bare", ".", str(beside / "bare.git"))
    return worktree(GitRepository(beside / "bare.git", made=True), beside)


def submodule(repository: GitRepository, beside: Path) -> Path:
    outer = GitRepository(beside / "outer")
    outer.git("submodule", "--quiet", "add", str(repository.folder), "reference")
    outer.commit("a submodule")
    return outer.folder / "reference" / DATA


def detached(repository: GitRepository, _: Path) -> Path:
    repository.git("checkout", "--quiet", "--detach")
    return repository.data


def packed(repository: GitRepository, _: Path) -> Path:
    repository.git("gc", "--quiet", "--prune=now")
    assert not (repository.folder / ".git/refs/heads/main").exists()
    return repository.data


def owned_by_another(repository: GitRepository, _: Path) -> Path:
    # Only root may give a file away; for anybody else the setting below has to be proof enough.
    if os.geteuid() == 0:
        for path in (repository.folder, *repository.folder.rglob("*")):
            os.chown(path, 12345, 12345, follow_symlinks=False)
    assert not pygit2.settings.owner_validation
    return repository.data


def read_only(repository: GitRepository, _: Path) -> Path:
    for path in (repository.folder, *repository.folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return repository.data


SHAPES = [worktree, linked, worktree_of_bare, submodule, detached, packed, owned_by_another, read_only]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_repository_of_any_shape_is_read(
    repository: GitRepository, tmp_path: Path, shape: Callable[[GitRepository, Path], Path]
) -> None:
    repository.commit_each(partial(change_node, gpu="new"))
    commits = repository.log()
    ref_dir = shape(repository, tmp_path)
    inventory = load(ref_dir)
    assert inventory.version == probe(ref_dir).version == commits[0]
    assert gpu_of(inventory) == "new"
    assert uids(inventory.history.versions(NODE.as_posix())) == commits


def test_a_bare_repository_of_the_inventory_alone_is_read(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "work")
    copy_sample(repository.folder)
    head = repository.commit("the sample")
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    assert load(tmp_path / "bare.git").version == head


def test_a_shallow_clone_is_served_with_the_versions_that_it_has(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit_each(*[partial(change_node, gpu=n) for n in range(5)])
    clone = GitRepository(tmp_path / "clone", made=True)
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.folder}", str(clone.folder))
    inventory = load(clone.data)
    assert inventory.shallow
    assert number_of_nodes(inventory) == 11
    assert uids(inventory.history.all()) == repository.log("-2")
    assert_same_as_git(clone)
    before = probe(clone.data)
    clone.git("fetch", "--quiet", "--unshallow")
    assert probe(clone.data) != before
    assert not load(clone.data).shallow
    assert_same_as_git(clone)


# What is noticed


def test_the_probe_is_equal_until_the_newest_commit_is_another(repository: GitRepository) -> None:
    before = probe(repository.data)
    assert before.version == repository.head()
    change(repository.data / NODE, gpu="uncommitted")
    assert probe(repository.data) == before
    sha = repository.commit("committed")
    assert probe(repository.data).version == sha
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert probe(repository.data) == before


def test_the_probe_of_a_plain_folder_changes_with_its_files(tmp_path: Path) -> None:
    before = probe(copy_sample(tmp_path))
    assert probe(tmp_path) == before
    change(tmp_path / NODE, gpu="new")
    assert probe(tmp_path) != before


def test_a_folder_that_becomes_tracked_is_noticed(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path)
    copy_sample(repository.data)
    before = probe(repository.data)
    sha = repository.commit("now tracked")
    assert before.version is None
    assert probe(repository.data).version == sha


def test_looking_again_and_again_holds_no_files_open(repository: GitRepository) -> None:
    repository.git("gc", "--quiet")
    descriptors = Path("/proc/self/fd")
    gc.disable()
    try:
        load(repository.data)
        before = len(list(descriptors.iterdir()))
        for _ in range(20):
            probe(repository.data)
            load(repository.data)
        assert len(list(descriptors.iterdir())) <= before
    finally:
        gc.enable()


# What goes wrong


def test_a_missing_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    for ask in (load, probe):
        with pytest.raises(InventoryUnreadableError, match="the inventory's folder does not exist"):
            ask(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    with pytest.raises(InventoryUnreadableError, match="cannot be read: Not a directory"):
        load(tmp_path / "file")


def test_a_link_in_circles_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(InventoryUnreadableError, match="cannot be read"):
        load(tmp_path / "link")


def without_its_target(repository: GitRepository, beside: Path) -> Path:
    ref_dir = worktree(repository, beside)
    shutil.rmtree(repository.folder / ".git")
    return ref_dir


def without_a_head(repository: GitRepository, _: Path) -> Path:
    (repository.folder / ".git/HEAD").unlink()
    return repository.data


def empty(repository: GitRepository, _: Path) -> Path:
    shutil.rmtree(repository.folder / ".git")
    (repository.folder / ".git").mkdir()
    return repository.data


def no_link(repository: GitRepository, _: Path) -> Path:
    (repository.folder / ".git").rename(repository.folder / "elsewhere")
    (repository.folder / ".git").symlink_to("nowhere")
    return repository.data


def nonsense(repository: GitRepository, beside: Path) -> Path:
    ref_dir = without_its_target(repository, beside)
    write(beside / "tree/.git", b"nonsense")
    return ref_dir


def inside_another(repository: GitRepository, _: Path) -> Path:
    """An outer repository tracks the same files, as far as git would know."""
    (repository.data / ".git").mkdir()
    return repository.data


BROKEN = [without_its_target, without_a_head, empty, no_link, nonsense, inside_another]


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_git_folder_is_an_error_and_no_plain_folder(
    repository: GitRepository, tmp_path: Path, how: Callable[[GitRepository, Path], Path]
) -> None:
    ref_dir = how(repository, tmp_path)
    for ask in (load, probe):
        with pytest.raises(InventoryUnreadableError, match=r"the repository cannot be read: .*/\.git\b") as caught:
            ask(ref_dir)
        assert "None" not in str(caught.value)


@contextmanager
def not_as_root() -> Iterator[None]:
    """Files are opened as somebody who owns none, which root could do without permission."""
    if is_root := os.geteuid() == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("part", [".git", ".git/HEAD", ".git/objects", ".git/refs"])
def test_a_git_folder_that_may_not_be_read_is_an_error_and_no_plain_folder(
    repository: GitRepository, tmp_path: Path, part: str
) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o005:
            folder.chmod(0o755)
    (repository.folder / part).chmod(0)
    try:
        with not_as_root(), pytest.raises(InventoryUnreadableError, match="the repository cannot be read: ") as caught:
            load(repository.data)
        assert "None" not in str(caught.value)
        assert str(repository.folder / ".git") in str(caught.value) or "ermission" in str(caught.value)
    finally:
        (repository.folder / part).chmod(0o755)


def lose(repository: GitRepository, revision: str) -> None:
    sha = repository.git("rev-parse", revision).strip()
    (repository.folder / ".git/objects" / sha[:2] / sha[2:]).unlink()


def test_a_commit_of_which_a_file_is_missing_is_not_served_in_part(repository: GitRepository) -> None:
    sha = repository.git("rev-parse", f"HEAD:{DATA}/{NODE}").strip()
    lose(repository, sha)
    with pytest.raises(InventoryUnreadableError, match=f"the repository cannot be read: object {sha} is missing"):
        load(repository.data)


def damage(repository: GitRepository, revision: str, how: Callable[[bytes], bytes]) -> None:
    sha = repository.git("rev-parse", revision).strip()
    file = repository.folder / ".git/objects" / sha[:2] / sha[2:]
    file.chmod(0o644)
    file.write_bytes(how(file.read_bytes()))


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda content: content[:-40],
    lambda content: content[: len(content) // 2],
    lambda content: content[:-40] + b"\0" * 40,
    lambda _: zlib.compress(b"blob 12\0more than twelve bytes" + b"." * 1000),
    lambda _: zlib.compress(b"nonsense"),
]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_commit_of_which_a_file_is_damaged_is_not_served_in_part(
    repository: GitRepository, how: Callable[[bytes], bytes]
) -> None:
    damage(repository, f"HEAD:{DATA}/{NODE}", how)
    with pytest.raises(InventoryUnreadableError, match="the repository cannot be read: ") as caught:
        load(repository.data)
    assert "None" not in str(caught.value)


def test_an_object_that_is_longer_than_it_says_is_not_even_given_to_the_library(repository: GitRepository) -> None:
    damage(repository, f"HEAD:{DATA}/{NODE}", lambda _: zlib.compress(b"blob 12\0more than twelve bytes"))
    with pytest.raises(InventoryUnreadableError, match="is damaged or too large"):
        load(repository.data)


def test_what_the_operating_system_refuses_the_library_is_told_in_a_sentence() -> None:
    with pytest.raises(RepositoryError, match="could not open"), _Translated():
        raise OSError("could not open")  # as pygit2 raises it: without a number


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("revision", ["HEAD", "HEAD^{tree}", f"HEAD:{DATA}/{TACC_NODES}"])
def test_a_damaged_commit_or_folder_is_told_in_a_sentence(
    repository: GitRepository, revision: str, how: Callable[[bytes], bytes]
) -> None:
    damage(repository, revision, how)
    with pytest.raises(InventoryUnreadableError, match="the repository cannot be read: "):
        load(repository.data)


@pytest.mark.parametrize("revision", ["HEAD", "HEAD~1", "HEAD^{tree}", f"HEAD:{DATA}", f"HEAD:{DATA}/sites"])
def test_a_damaged_repository_is_told_in_a_sentence(repository: GitRepository, revision: str) -> None:
    repository.commit_each(partial(change_node, gpu="new"))
    lose(repository, revision)
    with pytest.raises(InventoryUnreadableError, match="the repository cannot be read: "):
        load(repository.data)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_folder_of_the_past_makes_its_versions_unreadable_and_nothing_else(
    repository: GitRepository, how: Callable[[bytes], bytes]
) -> None:
    repository.commit_each(partial(change_node, gpu="new"), lambda data: change(data / OTHER_NODE, gpu="new"))
    damage(repository, f"HEAD~1:{DATA}/{TACC_NODES}", how)
    inventory = load(repository.data)
    assert (number_of_nodes(inventory), inventory.partial, inventory.shallow) == (11, True, False)
    assert uids(inventory.history.all()) == repository.log()
    with pytest.raises(HistoryUnreadableError):
        inventory.history.versions(NODE.as_posix())
    with pytest.raises(InventoryUnreadableError, match="the repository cannot be read: "):
        load_at(repository.data, inventory.history.all()[1], inventory.history)
    assert number_of_nodes(load_at(repository.data, inventory.history.all()[2], inventory.history)) == 11


def clone_without(repository: GitRepository, folder: Path, left_out: str) -> GitRepository:
    """A partial clone, and nothing that could fetch what it lacks."""
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = GitRepository(folder, made=True)
    folder.parent.mkdir(exist_ok=True)
    repository.git("clone", "--quiet", f"--filter={left_out}", f"file://{repository.folder}", str(folder))
    return clone


LEFT_OUT = ["blob:none", "tree:0", "blob:limit=1"]


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_a_partial_clone_serves_its_newest_commit_and_no_part_of_an_older_one(
    repository: GitRepository, tmp_path: Path, left_out: str
) -> None:
    repository.commit_each(partial(change_node, gpu=1), partial(change_node, gpu=2))
    clone = clone_without(repository, tmp_path / "clone", left_out)
    inventory = load(clone.data)
    assert (number_of_nodes(inventory), gpu_of(inventory)) == (11, 2)
    assert (inventory.partial, inventory.shallow) == (True, False)
    assert [fault.path for fault in inventory.faults] == ["sites/edge/clusters/chameleon.json"]
    assert uids(inventory.history.all()) == repository.log()
    with pytest.raises(
        InventoryUnreadableError, match=r"object [0-9a-f]{40} is missing or not readable; the clone is partial"
    ):
        load_at(clone.data, inventory.history.all()[1], inventory.history)


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_a_partial_clone_lists_the_versions_that_it_can_tell_and_no_others(
    repository: GitRepository, tmp_path: Path, left_out: str
) -> None:
    repository.commit_each(partial(change_node, gpu=1), partial(change_node, gpu=2))
    history = load(clone_without(repository, tmp_path / "clone", left_out).data).history
    if left_out == "tree:0":
        assert not history.whole
        with pytest.raises(HistoryUnreadableError, match="cannot be read"):
            history.versions(NODE.as_posix())
    else:
        assert uids(history.versions(NODE.as_posix())) == repository.log("--", str(DATA / NODE))


def test_what_a_partial_clone_lacked_is_noticed_once_it_is_there(repository: GitRepository, tmp_path: Path) -> None:
    first = repository.head()
    repository.commit_each(partial(change_node, gpu="new"))
    clone = clone_without(repository, tmp_path / "clone", "tree:0")
    before = probe(clone.data)
    assert probe(clone.data) == before
    clone.git("archive", "--output", os.devnull, first)  # git fetches what this needs
    assert probe(clone.data) != before
    assert load(clone.data).history.whole


def test_a_repository_of_a_format_that_is_not_known_is_told_in_a_sentence(repository: GitRepository) -> None:
    repository.git("config", "core.repositoryFormatVersion", "99")
    with pytest.raises(InventoryUnreadableError, match="the repository cannot be read: "):
        probe(repository.data)


def test_nothing_that_a_repository_configures_is_run(repository: GitRepository, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {proof}\n")
    script.chmod(0o755)
    write(repository.folder / ".gitattributes", b"*.json filter=evil diff=evil\n")
    repository.commit("attributes")
    for key in (
        "core.fsmonitor", "gpg.program", "filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv",
        "diff.evil.command", "core.sshCommand", "core.pager", "core.editor", "uploadpack.packObjectsHook",
    ):  # fmt: skip
        repository.git("config", key, str(script))
    repository.git("config", "log.showSignature", "true")
    for hook in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction"):
        shutil.copy(script, repository.folder / ".git/hooks" / hook)
    load(repository.data)
    assert not proof.exists()


def test_the_configuration_of_whoever_runs_the_service_does_not_matter() -> None:
    levels = pygit2.enums.ConfigLevel
    searched = [pygit2.settings.search_path[level] for level in (levels.GLOBAL, levels.XDG, levels.SYSTEM)]
    assert searched == ["", "", ""]
    assert git_history.MAX_COMMITS == 100_000


@pytest.mark.parametrize("said", ["promisor", "promisor = true", "promisor = TRUE", "promisor = Yes", "promisor = 1"])
def test_a_partial_clone_is_known_however_its_configuration_says_so(repository: GitRepository, said: str) -> None:
    assert not load(repository.data).partial
    with (repository.folder / ".git/config").open("a") as config:
        config.write(f'[remote "origin"]\n\t{said}\n')
    assert load(repository.data).partial

"""Versions of a path, in force or not, in histories made by hand."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha1
from time import process_time

import pytest

from api_service.domain.history import (
    History,
    HistoryUnreadableError,
    NoSuchVersionError,
    Version,
    cluster_path,
    clusters_path,
    flavor_path,
    flavors_path,
    node_path,
    nodes_path,
    own_files,
    site_path,
    sites_path,
)

type Commit = tuple[str, Iterable[str], Iterable[str] | dict[str, Iterable[str]]]
"""A name, its parents' names, and the paths it changed: in all, or by parent."""


def sha(name: str) -> str:
    return sha1(name.encode()).hexdigest()


def history(*commits: Commit, seconds: dict[str, int] | None = None) -> History:
    """Commits from the oldest to the newest, a second apart unless told otherwise; the last one is the head."""
    versions, changed = {}, {}
    for number, (name, parents, paths) in enumerate(commits):
        uid, of = sha(name), tuple(map(sha, parents))
        at = datetime.fromtimestamp((seconds or {}).get(name, number), UTC)
        versions[uid] = Version(uid, of, at, "Ada Author", name)
        for parent in parents or (None,):
            found = paths[parent or ""] if isinstance(paths, dict) else paths
            changed[uid, parent and sha(parent)] = frozenset(found)
    return History(sha(commits[-1][0]), versions, changed)


def names(versions: Iterable[Version]) -> str:
    return " ".join(version.subject for version in versions)


LINE = history(("a", (), {"", "x"}), ("b", "a", {"", "y"}), ("c", "b", {"", "x"}), ("d", "c", {"", "y"}))


def test_without_git_there_are_no_versions() -> None:
    assert History().all() == ()
    assert History().versions("") == ()
    with pytest.raises(NoSuchVersionError, match="no version"):
        History().resolve("0" * 40)


def test_the_commits_that_touched_a_path_come_newest_first() -> None:
    assert names(LINE.versions("x")) == "c a"
    assert names(LINE.versions("y")) == "d b"
    assert names(LINE.versions("")) == "d c b a"
    assert names(LINE.versions("nowhere")) == ""


def test_all_commits_are_listed_also_those_that_touched_nothing() -> None:
    assert names(history(("a", (), {"x"}), ("b", "a", ()), ("c", "b", {"x"})).all()) == "c b a"


def test_a_merge_that_took_one_side_whole_hides_the_other_side() -> None:
    merged = history(
        ("a", (), {"x"}), ("b", "a", {"x"}), ("c", "a", {"x"}), ("m", "bc", {"b": {"x"}, "c": ()}), ("d", "m", {"y"})
    )
    assert names(merged.versions("x")) == "c a"
    assert names(merged.all()) == "d m c b a"


def test_of_two_equal_sides_the_first_is_followed() -> None:
    merged = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "a", {"x"}), ("m", "bc", ()))
    assert names(merged.versions("x")) == "b a"


def test_a_merge_that_equals_neither_side_is_a_version_and_both_sides_are_followed() -> None:
    evil = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "a", {"x"}), ("m", "bc", {"x"}))
    assert names(evil.versions("x")) == "m c b a"


def test_a_change_that_came_by_one_side_is_told_once_without_the_merge() -> None:
    merged = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "a", {"y"}), ("m", "bc", {"b": {"y"}, "c": {"x"}}))
    assert names(merged.versions("x")) == "b a"
    assert names(merged.versions("y")) == "c"


def test_several_roots_are_all_found() -> None:
    two = history(("a", (), {"x"}), ("b", (), {"y"}), ("m", "ab", {"a": {"y"}, "b": {"x"}}))
    assert names(two.versions("x")) == "a"
    assert names(two.versions("y")) == "b"
    assert names(two.all()) == "m b a"


def test_commits_of_one_second_come_in_the_order_in_which_they_are_met() -> None:
    at_once = dict.fromkeys("abcm", 0)
    merged = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "a", {"x"}), ("m", "cb", {"x"}), seconds=at_once)
    assert names(merged.versions("x")) == "m c b a"


def test_a_commit_dated_before_its_parent_is_listed_before_it_all_the_same() -> None:
    skewed = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "b", {"x"}), seconds={"a": 9, "b": 1, "c": 5})
    assert names(skewed.versions("x")) == "c b a"


def test_a_long_history_is_walked_without_recursion_and_remembered() -> None:
    commits = [("0", (), {"x"}), *((str(n), [str(n - 1)], {"y"}) for n in range(1, 20_000))]
    long = history(*commits)
    assert len(long.all()) == 20_000
    assert names(long.versions("x")) == "0"
    assert len(long.versions("y")) == 19_999
    start = process_time()
    assert all(long.versions("y") is long.versions("y") for _ in range(1000))
    assert process_time() - start < 1


def test_a_full_sha_and_a_prefix_of_seven_digits_name_a_commit() -> None:
    for v in (sha("b"), sha("b")[:7], sha("b")[:23]):
        assert LINE.resolve(v).subject == "b"


@pytest.mark.parametrize(
    "v",
    [
        "", "HEAD", "HEAD~1", "a^{tree}", "--help", sha("b")[:6], sha("b") + "0", sha("b")[:7] + "\n",
        "0" * 41, "../" * 9, "\0" * 7, "\udc80" * 7, "x" * 10_000, "\N{ARABIC-INDIC DIGIT ZERO}" * 7,
    ],
)  # fmt: skip
def test_what_is_no_sha_is_refused_in_a_short_sentence(v: str) -> None:
    with pytest.raises(NoSuchVersionError, match="is not a version") as refused:
        LINE.resolve(v)
    assert len(str(refused.value).encode()) < 200


def test_an_unknown_sha_is_refused() -> None:
    with pytest.raises(NoSuchVersionError, match=f"there is no version {'0' * 40}"):
        LINE.resolve("0" * 40)


def test_a_prefix_that_several_commits_share_is_refused() -> None:
    one, other = "abcdef0" + "1" * 33, "abcdef0" + "2" * 33
    at = datetime.fromtimestamp(0, UTC)
    versions = {one: Version(one, (), at, "", "one"), other: Version(other, (one,), at, "", "other")}
    twins = History(other, versions, {(one, None): frozenset(), (other, one): frozenset()})
    with pytest.raises(NoSuchVersionError, match="more than one version begins with abcdef0"):
        twins.resolve("abcdef0")
    assert twins.resolve("abcdef01").subject == "one"
    assert twins.resolve(other).subject == "other"


@pytest.mark.parametrize(("v", "found"), [("a", "a"), ("b", "a"), ("c", "c"), ("d", "c")])
def test_the_version_in_force_is_the_newest_that_touched_the_path_by_then(v: str, found: str) -> None:
    assert LINE.in_force("x", sha(v)).subject == found
    assert LINE.in_force("x", sha(v)[:7]).subject == found


def test_of_the_whole_repository_the_version_itself_is_in_force() -> None:
    assert LINE.in_force(None, sha("b")).subject == "b"


def test_before_a_path_existed_no_version_is_in_force() -> None:
    with pytest.raises(NoSuchVersionError, match="did not exist yet"):
        LINE.in_force("y", sha("a"))
    with pytest.raises(NoSuchVersionError, match="there is no version"):
        LINE.in_force("y", "0" * 40)


def test_the_history_as_of_an_older_commit_knows_nothing_newer() -> None:
    older = replace(LINE, head=sha("b"))
    assert names(older.all()) == "b a"
    assert names(older.versions("x")) == "a"
    with pytest.raises(NoSuchVersionError):
        older.resolve(sha("c"))
    assert names(LINE.all()) == "d c b a"


def test_every_resource_has_a_path() -> None:
    assert sites_path() == "sites"
    assert site_path("tacc") == "sites/tacc"
    assert clusters_path("tacc") == "sites/tacc/clusters"
    assert cluster_path("tacc", "chameleon") == "sites/tacc/clusters/chameleon"
    assert nodes_path("tacc", "chameleon") == "sites/tacc/clusters/chameleon/nodes"
    assert node_path("tacc", "chameleon", "n") == "sites/tacc/clusters/chameleon/nodes/n.json"
    assert flavors_path("kvm") == "sites/kvm/flavors"
    assert flavor_path("kvm", "m1.tiny") == "sites/kvm/flavors/m1.tiny.json"


BRANCHED = replace(
    history(("a", (), {"x"}), ("b", "a", {"y"}), ("side", "a", {"x"}), ("c", "b", {"x"})),
    branches={"main": sha("c"), "testing": sha("side")},
)


def test_what_branches_reach_is_known_beside_what_is_served() -> None:
    assert BRANCHED.known(sha("side")).subject == "side"
    assert BRANCHED.known(sha("b")[:7]).subject == "b"
    assert BRANCHED.of_branch("testing").subject == "side"
    with pytest.raises(NoSuchVersionError, match="no version"):
        BRANCHED.resolve(sha("side"))


@pytest.mark.parametrize("name", ["", "HEAD", "Main", "main ", "origin/main", "refs/heads/main", "--help", sha("c")])
def test_anything_but_the_name_of_a_branch_is_no_branch(name: str) -> None:
    with pytest.raises(NoSuchVersionError, match="no branch"):
        BRANCHED.of_branch(name)


@pytest.mark.parametrize("v", ["HEAD", "HEAD~1", "--help", "main", "a^{tree}", sha("c")[:6]])
def test_no_other_way_to_name_a_commit_is_known(v: str) -> None:
    with pytest.raises(NoSuchVersionError, match="not a version"):
        BRANCHED.known(v)


def at(history: History, second: float) -> str:
    return history.at(datetime.fromtimestamp(second, UTC)).subject


def test_a_time_names_the_commit_that_the_branch_was_at() -> None:
    assert [at(BRANCHED, second) for second in (0, 0.9, 1, 2, 2.9, 3, 1e9)] == ["a", "a", "b", "b", "b", "c", "c"]
    with pytest.raises(NoSuchVersionError, match="as old as 1969"):
        at(BRANCHED, -0.5)


def test_of_commits_of_the_same_second_the_last_one_of_the_branch_counts() -> None:
    line = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "b", {"x"}), seconds={"a": 5, "b": 5, "c": 5})
    assert at(line, 5) == "c"


def test_a_commit_counts_from_the_merge_that_brought_it_to_the_branch() -> None:
    merged = history(
        ("a", (), {"x"}),
        ("side", "a", {"y"}),
        ("b", "a", {"x"}),
        ("merge", ("b", "side"), {"y"}),
        ("c", ("merge",), {"x"}),
    )
    assert [at(merged, second) for second in range(5)] == ["a", "a", "b", "merge", "c"]


def test_a_commit_dated_in_the_future_never_hides_the_ones_after_it() -> None:
    line = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "b", {"x"}), seconds={"a": 1, "b": 1000, "c": 3})
    assert [at(line, second) for second in (1, 2, 3, 999, 1000, 2000)] == ["a", "a", "c", "c", "c", "c"]


def test_a_commit_dated_too_early_does_not_reach_back_beyond_its_date() -> None:
    line = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "b", {"x"}), seconds={"a": 10, "b": 5, "c": 20})
    assert [at(line, second) for second in (5, 10, 19, 20)] == ["b", "b", "b", "c"]


def test_a_branch_ends_where_its_first_parent_is_cut_off_whatever_was_merged_there() -> None:
    merged = history(("a", (), {"x"}), ("side", (), {"y"}), ("merge", ("a", "side"), {"y"}))
    commits = dict(merged.commits)
    uid = sha("merge")
    commits[uid] = replace(commits[uid], parents=(sha("side"),), first_parent_cut=True)
    cut = replace(merged, commits=commits)
    assert at(cut, 2) == "merge"
    with pytest.raises(NoSuchVersionError, match="no version as old"):
        at(cut, 1)


RETIRED = replace(
    history(("a", (), {"", "x"}), ("b", "a", {"", "x"}), ("c", "b", {"", "x"}), ("d", "c", {"", "y"})),
    removed={(sha("c"), sha("b")): frozenset({"x"})},
)


def test_the_last_version_of_what_is_gone_is_the_one_before_it_went() -> None:
    found = RETIRED.last_with("x")
    assert found
    assert found.subject == "b"
    assert names(RETIRED.versions("x")) == "c b a"


@pytest.mark.parametrize("path", ["y", "", "never"])
def test_what_is_there_or_never_was_has_no_last_version(path: str) -> None:
    assert RETIRED.last_with(path) is None


def test_what_went_with_the_file_above_it_was_last_there_with_both() -> None:
    both = history(
        ("a", (), {"site"}), ("b", "a", {"node"}), ("c", "b", {"site"}), ("d", "c", {"node"}), ("e", "d", {"node"})
    )
    gone: dict[tuple[str, str | None], frozenset[str]] = {(sha("c"), sha("b")): frozenset({"site"})}
    for removed in (gone, gone | {(sha("e"), sha("d")): frozenset({"node"})}):
        assert replace(both, removed=removed).last_with("site", "node") == both.commits[sha("b")]
    assert both.last_with("site", "node") is None
    never_together = gone | {(sha("b"), sha("a")): frozenset({"node"})}
    assert replace(both, removed=never_together).last_with("site", "node") is None


def test_what_a_version_came_after_does_not_depend_on_what_is_merged_later() -> None:
    line = history(("a", (), {"x"}), ("b", "a", {"x"}))
    merged = history(("a", (), {"x"}), ("s", "a", {"x"}), ("b", "a", {"x"}), ("m", ("b", "s"), {"x"}))
    for each in (line, merged):
        found = each.before("x", each.commits[sha("b")])
        assert found is not None
        assert found.subject == "a"
    assert line.before("x", line.commits[sha("a")]) is None


def test_what_never_was_costs_no_walk_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "_touching", lambda *_: pytest.fail("walked"))
    line = replace(LINE)
    assert line.versions("never") == ()
    assert line._remembered == {}


def test_what_came_back_is_not_gone() -> None:
    back = history(("a", (), {"x"}), ("b", "a", {"x"}), ("c", "b", {"x"}))
    gone = replace(back, removed={(sha("b"), sha("a")): frozenset({"x"})})
    assert gone.last_with("x") is None
    assert replace(gone, head=sha("b")).last_with("x") == gone.commits[sha("a")]


UNREADABLE = replace(LINE, changed={edge: paths for edge, paths in LINE.changed.items() if edge[0] != sha("b")})
"""It is not known what `b` changed."""


@pytest.mark.parametrize("path", ["", "x", "y", "never"])
def test_versions_that_depend_on_a_commit_that_cannot_be_read_are_an_error(path: str) -> None:
    assert not UNREADABLE.whole
    with pytest.raises(HistoryUnreadableError, match=f"commit {sha('b')} changed cannot be read"):
        UNREADABLE.versions(path)


def test_what_does_not_depend_on_an_unreadable_commit_is_answered() -> None:
    assert names(UNREADABLE.all()) == "d c b a"
    assert UNREADABLE.in_force("y", sha("d")).subject == "d"
    assert UNREADABLE.in_force("x", sha("a")).subject == "a"
    for v, path in (("b", "x"), ("b", "never"), ("c", "y")):
        with pytest.raises(HistoryUnreadableError):
            UNREADABLE.in_force(path, sha(v))


def test_the_file_of_each_resource_on_the_way_to_another_is_named() -> None:
    site, cluster = "sites/s/s.json", "sites/s/clusters/c/c.json"
    assert own_files({}) == []
    assert own_files({"site_id": "s"}) == [site]
    assert own_files({"site_id": "s", "flavor_id": "f"}) == [site, "sites/s/flavors/f.json"]
    node = {"site_id": "s", "cluster_id": "c", "node_id": "n"}
    assert own_files(node) == [site, cluster, "sites/s/clusters/c/nodes/n.json"]


def test_a_message_has_a_subject_on_one_line_and_a_body() -> None:
    version = Version(sha("a"), (), datetime.fromtimestamp(0, UTC), "A", "Subject on\ntwo lines\n\nBody\n\nmore")
    assert (version.subject, version.body) == ("Subject on two lines", "Body\n\nmore")

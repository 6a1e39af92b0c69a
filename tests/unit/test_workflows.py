"""The workflows trust as little as they can, and call what exists; `make lint-ci` checks their form."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: path.read_text() for path in sorted(FOLDER.iterdir())}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
RELEASE = (ROOT / "docs" / "release.md").read_text()

each_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def jobs(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOWS[name])["jobs"]
    return loaded


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in jobs(name).values():
        yield from job["steps"]


def commands(name: str) -> Iterator[str]:
    return (step["run"] for step in steps(name) if "run" in step)


@each_workflow
def test_every_action_is_pinned_to_a_commit_and_says_its_version(name: str) -> None:
    used = re.findall(r"\buses: (.*)", WORKFLOWS[name])
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_an_action_has_one_pin_everywhere() -> None:
    used = {each for text in WORKFLOWS.values() for each in re.findall(r"\buses: (.*)", text)}
    assert len({each.partition("@")[0] for each in used}) == len(used)


@each_workflow
def test_no_job_may_do_more_than_read_but_the_one_that_publishes(name: str) -> None:
    assert yaml.safe_load(WORKFLOWS[name])["permissions"] == {}
    for job_id, job in jobs(name).items():
        more = {"packages": "write"} if job_id == "publish" else {}
        assert job["permissions"] == {"contents": "read", **more}, job_id


@each_workflow
def test_no_checkout_leaves_a_token_behind(name: str) -> None:
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(jobs(name))
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


@each_workflow
def test_no_command_is_written_by_whoever_sends_an_event(name: str) -> None:
    # Not even what is harmless: a value comes through the environment, where a shell does not read it as code.
    assert [command for command in commands(name) if "${{" in command] == []
    assert "pull_request_target" not in WORKFLOWS[name]
    assert "secrets." not in WORKFLOWS[name]


@each_workflow
def test_every_job_ends_and_no_run_piles_up(name: str) -> None:
    assert yaml.safe_load(WORKFLOWS[name])["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in jobs(name).values())


@each_workflow
def test_every_target_that_is_made_is_one_of_the_makefile(name: str) -> None:
    made = {target for command in commands(name) for target in re.findall(r"\bmake ([a-z0-9-]+)", command)}
    assert "check" in made
    assert made <= TARGETS


def test_the_tests_run_on_each_python_that_the_project_claims_and_on_the_oldest_that_it_allows() -> None:
    tested = jobs("ci.yml")["check"]["strategy"]["matrix"]["python"]
    claimed = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in PROJECT["classifiers"]]
    assert tested == [each[1] for each in claimed if each]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert min(minor for minor in range(20) if f"3.{minor}" in allowed) == min(int(each[2:]) for each in tested)


@each_workflow
def test_no_other_python_is_named(name: str) -> None:
    named = re.findall(r"(?:python:|python-version: \")(3\.\d+)", WORKFLOWS[name])
    assert set(named) <= set(jobs("ci.yml")["check"]["strategy"]["matrix"]["python"])


def test_only_what_landed_and_passed_everything_is_published() -> None:
    every = jobs("ci.yml")
    publish = every["publish"]
    assert set(publish["needs"]) == every.keys() - {"publish"}
    branches = set(re.findall(r"github\.ref == '([^']*)'", publish["if"]))
    assert publish["if"].startswith("github.event_name == 'push' && (")
    assert branches == {"refs/heads/main", "refs/heads/develop"}
    # Runs of these branches are not cancelled half-way through publishing.
    cancelled = yaml.safe_load(WORKFLOWS["ci.yml"])["concurrency"]["cancel-in-progress"]
    assert set(re.findall(r"github\.ref != '([^']*)'", cancelled)) == branches


def test_every_target_of_the_dockerfile_is_built_and_published_under_its_name_and_tags() -> None:
    every = jobs("ci.yml")
    published = {each["target"]: each["image"] for each in every["publish"]["strategy"]["matrix"]["include"]}
    assert published == {"api": "reference-api", "sync": "reference-sync", "demo": "reference-demo"}
    targets = re.findall(r"^FROM run AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(targets) == sorted(published)

    environment, pushed = every["publish"]["env"], every["publish"]["steps"][-1]["run"]
    assert environment["IMAGE"] == "ghcr.io/${{ github.repository_owner }}/${{ matrix.image }}"
    assert environment["TAG"] == "${{ github.ref == 'refs/heads/main' && 'latest' || 'dev' }}"
    assert re.findall(r'docker push "\$image:\$(\w+)"', pushed) == ["GITHUB_SHA", "TAG"]


def test_the_release_checklist_tells_the_images_and_their_tags() -> None:
    for each in jobs("ci.yml")["publish"]["strategy"]["matrix"]["include"]:
        assert f"`{each['image']}`" in RELEASE
    for branch, tag in (("main", "latest"), ("develop", "dev")):
        assert f"| `{branch}` | `{tag}`, " in RELEASE


def test_the_release_checklist_makes_only_what_there_is() -> None:
    made = set(re.findall(r"\bmake ([a-z0-9-]+)", RELEASE))
    assert {"check", "lock", "test-chaos"} <= made
    assert made <= TARGETS

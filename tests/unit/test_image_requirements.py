"""Each image has what its service imports: no less, and nothing for its own sake."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OURS = {"api_service", "sync_service", "shared", "deploy"}
COME_ALONG = {
    "backports": "backports.zstd",
    "multidict": "aiohttp",
    "openstack": "openstacksdk",
    "pamqp": "aio-pika",
    "pydantic_core": "pydantic",
}
"""What a library that is asked for brings by itself, or is called otherwise."""
STANDARD = {*sys.stdlib_module_names, "compression"}
"""Of any Python that this runs on; the last since 3.14."""

each_service = pytest.mark.parametrize("service", ["api", "sync"])


def imported(folder: Path) -> Iterator[str]:
    """The top-level modules that a package imports, whenever it does."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.partition(".")[0]


def pinned(name: str) -> dict[str, str]:
    """Versions by name."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))


@each_service
def test_what_a_service_imports_is_what_its_image_asks_for(service: str) -> None:
    modules = {*imported(ROOT / f"{service}_service"), *imported(ROOT / "shared")} - OURS - STANDARD
    known = packages_distributions()
    wanted = {canonicalize_name(COME_ALONG.get(module) or known[module][0]) for module in modules}
    lines = (ROOT / f"requirements/{service}.in").read_text().splitlines()
    assert {canonicalize_name(line) for line in lines if not line.startswith("#")} == wanted


@each_service
def test_an_image_has_the_versions_that_the_tests_ran_with(service: str) -> None:
    assert pinned(service)
    assert pinned(service).items() <= pinned("run").items()

"""What the overlays render. All of these tests need kubectl or kustomize, which `make manifests` finds or installs."""

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.install_kustomize import install_kustomize
from tests.manifests.objects import Manifests

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OVERLAYS = {path.parent.name: path.parent for path in ROOT.glob("deploy/k8s/overlays/*/kustomization.yaml")} | {
    path.parent.name: path.parent for path in HERE.glob("overlays/*/kustomization.yaml")
}
MADE_BY_HAND = re.compile(r"create secret (?:generic|tls) ([a-z0-9-]+)")

type Rendered = Mapping[str, Manifests]
"""By overlay."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("manifests")


@pytest.fixture(scope="session")
def render() -> Callable[[Path], list[Any]]:
    """Renders the kustomization of a folder."""
    renderer = install_kustomize()

    def rendered(folder: Path) -> list[Any]:
        done = subprocess.run((*renderer, str(folder)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stderr, f"a warning: {done.stderr}"
        return list(yaml.safe_load_all(done.stdout))

    return rendered


@pytest.fixture(scope="session")
def rendered(render: Callable[[Path], list[Any]]) -> Rendered:
    provided = frozenset(MADE_BY_HAND.findall((ROOT / "deploy/k8s/README.md").read_text()))
    return {name: Manifests(render(folder), provided) for name, folder in OVERLAYS.items()}

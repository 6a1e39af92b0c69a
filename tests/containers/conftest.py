"""A Docker engine, of which `make test-images` and `make test-compose` tell; without one nothing is collected."""

import os
from pathlib import Path

import pytest

from deploy.containers.__main__ import VARIABLE
from deploy.containers.engine import Engine
from tests.e2e.world import PROJECT
from tests.figures import figure, pytest_terminal_summary

__all__ = ["figure", "pytest_terminal_summary"]

collect_ignore_glob = [] if os.environ.get(VARIABLE) else ["*"]

TARGETS = ("api", "sync", "demo")
TAG = "under-test"


def image(target: str) -> str:
    return f"reference-{target}:{TAG}"


@pytest.fixture(scope="session")
def docker() -> Engine:
    return Engine(Path(os.environ[VARIABLE]))


@pytest.fixture(scope="session", autouse=True)
def images(docker: Engine) -> None:
    """Builds all of them, as anybody would."""
    for target in TARGETS:
        # Beside the engine that is started here there is no network but the host's.
        docker.says("build", "--network=host", "--target", target, "--tag", image(target), str(PROJECT))

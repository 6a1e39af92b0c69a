"""Copies of the sample inventory, and git repositories made of given commits with the git program."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

SAMPLE: Final = Path(__file__).parent / "data" / "chameleoncloud"
"""Sites tacc (6 nodes, 1 flavor), uc (4 nodes), kvm (1 node, 4 flavors), edge (a stray file, no cluster)."""

DATA: Final = Path("data/chameleoncloud")
"""Where the sample lies in a repository, as in the real one."""

TACC_NODES: Final = Path("sites/tacc/clusters/chameleon/nodes")
HASWELL_NODE: Final = "0b9c3f14-a791-50ad-94ca-e35203937fc1"
GPU_NODE: Final = "71cbe6e1-d072-545a-bc2a-484f2035555f"

FIRST_COMMIT_AT: Final = 1_770_000_000
_MINUTE: Final = 60

# Nothing of whoever runs the tests: neither identity nor configuration.
_ENVIRONMENT: Final = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@testbed.example",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@testbed.example",
    "LC_ALL": "C.UTF-8",
}


def copy_sample(folder: Path) -> Path:
    """Copies the sample inventory to `folder`, which may exist, and returns it."""
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    return folder


def write(file: Path, content: object) -> None:
    """Writes bytes as they are, and anything else as JSON; makes the folders it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def remove(*paths: Path) -> None:
    """Deletes files, and folders with all that they hold."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def change(file: Path, **fields: object) -> None:
    """Sets top-level keys of a JSON file."""
    write(file, {**json.loads(file.read_bytes()), **fields})


class GitRepository:
    """A repository whose branch is `main`; each commit is a minute later than the one before."""

    def __init__(self, folder: Path, *, made: bool = False) -> None:
        self.folder = folder
        self._commits = 0
        if not made:
            folder.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", "--initial-branch=main")

    @classmethod
    def of_sample(cls, folder: Path) -> "GitRepository":
        """A repository whose one commit holds the sample inventory in `DATA`."""
        repository = cls(folder)
        copy_sample(repository.data)
        repository.commit("the sample")
        return repository

    @property
    def data(self) -> Path:
        """The folder of the inventory."""
        return self.folder / DATA

    def git(self, *arguments: str, stdin: bytes | None = None, more: Mapping[str, str] | None = None) -> str:
        """Runs the git program in the repository and returns what it prints."""
        # Submodules and shallow clones of local folders are refused otherwise.
        command = ["git", "-C", str(self.folder), "-c", "protocol.file.allow=always", *arguments]
        environment = {**_ENVIRONMENT, "HOME": str(self.folder), **(more or {})}
        done = subprocess.run(command, input=stdin, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace")

    def commit(self, message: str, *, at: int | None = None) -> str:
        """Commits the work tree whole, at an epoch second, and returns the sha."""
        self._commits += 1
        date = f"@{FIRST_COMMIT_AT + _MINUTE * self._commits if at is None else at} +0000"
        self.git("add", "--all")
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        self.git("commit", "--quiet", "--allow-empty", "--message", message, more=dates)
        return self.head()

    def commit_each(self, *changes: Callable[[Path], object]) -> list[str]:
        """Commits after each change, which gets the folder of the inventory; returns the shas."""
        shas = []
        for number, change_of in enumerate(changes, start=1):
            change_of(self.data)
            shas.append(self.commit(f"change {number}"))
        return shas

    def head(self) -> str:
        """The sha of the newest commit."""
        return self.git("rev-parse", "HEAD").strip()

    def log(self, *arguments: str) -> list[str]:
        """The shas that `git log` lists."""
        return self.git("log", "--format=%H", *arguments).split()

"""A large inventory begins to be read while the rest of the service is still being imported."""

from concurrent.futures import Future
from contextlib import closing, nullcontext, suppress
from functools import partial
from pathlib import Path

from api_service.adapters import git_repository
from api_service.adapters.background import begun
from api_service.adapters.reading_apart import ReadingApart
from api_service.domain.inventory import Inventory


class EarlyReading:
    """Begins with this, in a thread, since a disk may hang."""

    def __init__(self, ref_dir: Path) -> None:
        self._begun: Future[ReadingApart | None] | None = begun(partial(git_repository.begin, ref_dir))

    def load(self, ref_dir: Path) -> Inventory:
        """As `git_repository.load`, the first time with what was begun."""
        begun_early, self._begun = self._begun, None
        early = None
        if begun_early is not None:
            with suppress(RuntimeError):  # a thread could not begin
                early = begun_early.result()
        with closing(early) if early else nullcontext():
            return git_repository.load(ref_dir, early=early)

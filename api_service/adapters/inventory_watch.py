"""Keeps the served inventory up to date: notices another commit, loads it beside the served one, and swaps."""

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import structlog

from api_service.adapters import git_repository
from api_service.adapters.background import begun
from api_service.adapters.git_repository import Revision
from api_service.domain.inventory import (
    Inventory,
    InventoryRefusedError,
    InventoryStore,
    InventoryUnreadableError,
)

MAX_LOGGED_FAULTS: Final = 100
"""As many data faults of one inventory are logged one by one; `/status` lists more of them."""

SELDOM: Final = 1_000_000
"""So many objects are made between two passes of the garbage collector while an inventory is loaded."""

USUALLY: Final = gc.get_threshold()

log = structlog.get_logger()

LOOKS_UNTIL_MENDED: Final = 6
"""After so many looks, twice as many and so on, a history that cannot be read whole is read again: after a minute."""

LOOKS_AT_MOST: Final = 60 * LOOKS_UNTIL_MENDED
"""And after each so many, an hour, since a partial clone may stay one for ever."""


class InventoryWatch:
    """Follows one folder. A refused commit is not loaded again; a folder that could not be read is."""

    def __init__(
        self,
        ref_dir: Path,
        store: InventoryStore,
        *,
        reload_interval_seconds: float,
        probe: Callable[[Path], Revision] = git_repository.probe,
        load: Callable[[Path], Inventory] = git_repository.load,
        prepare: Callable[[Inventory], None] = lambda _: None,
    ) -> None:
        """Looks at nothing yet.

        Args:
            ref_dir: What to follow.
            store: Where it is served from.
            reload_interval_seconds: From one look to the next.
            probe: Tells cheaply whether there is anything new.
            load: Reads it; called in a thread.
            prepare: Told what is about to be served, in that thread.
        """
        self._ref_dir = ref_dir
        self._store = store
        self._interval = reload_interval_seconds
        self._probe = probe
        self._load = load
        self._prepare = prepare
        self._seen: Revision | None = None
        self._looks = 0

    async def run(self) -> NoReturn:
        """Looks again and again."""
        while True:
            await self.check()
            await asyncio.sleep(self._interval)

    async def check(self) -> None:
        """Looks once: loads what is new, in a thread, and serves it or says why not. Raises nothing."""
        served, refusal, refusals = self._store.current, self._store.refusal, self._store.refusals
        await self._look()
        if self._store.refusals > refusals:
            told = {"reason": self._store.refusal, "version": self._store.refused_version}
            log.warning("inventory refused", ref_dir=str(self._ref_dir), **told)
        if self._store.current is not served:
            _tell(self._store.current, before=served)
        if refusal and not self._store.refusal:
            log.info("inventory recovered", version=self._store.current.version)

    async def _look(self) -> None:
        revision: Revision | None = None
        try:
            # Before the load, so that what changes during it is noticed at the next look.
            revision = await asyncio.wrap_future(begun(partial(self._probe, self._ref_dir)))
            if revision != self._seen:
                self._store.replace(await asyncio.wrap_future(begun(self._prepared)))
            elif self._may_be_mended() and (again := await asyncio.wrap_future(begun(self._prepared))).history.whole:
                self._store.replace(again)
            self._seen = revision
        except InventoryUnreadableError as error:
            self._seen = None
            self._refuse(str(error), revision)
        except InventoryRefusedError as error:
            self._seen = revision
            self._refuse(str(error), revision)
        except Exception as error:  # whatever a commit holds, the one before is served on
            self._seen = revision
            if self._refuse("loading it failed", revision):
                log.error("inventory not loaded", exc_info=error)

    def _may_be_mended(self) -> bool:
        """Now and then, while a part of the history cannot be read: no cheap question shows its repair."""
        self._looks = 0 if self._store.current.history.whole else self._looks + 1
        times, rest = divmod(self._looks, LOOKS_UNTIL_MENDED)
        return rest == 0 and (times.bit_count() == 1 or (times > 0 and self._looks % LOOKS_AT_MOST == 0))

    def _prepared(self) -> Inventory:
        # What is made lasts: the garbage collector would go through it over and over, and find nothing. It is not
        # switched off, since a disk may hang for ever.
        gc.set_threshold(SELDOM, *USUALLY[1:])
        try:
            inventory = self._load(self._ref_dir)
            self._prepare(inventory)
        finally:
            gc.set_threshold(*USUALLY)
        return inventory

    def _refuse(self, reason: str, revision: Revision | None) -> bool:
        return self._store.refuse(reason, revision.version if revision else None)


def _tell(inventory: Inventory, *, before: Inventory) -> None:
    log.info(
        "inventory loaded",
        version=inventory.version,
        sites=len(inventory.sites),
        nodes=sum(1 for _ in inventory.nodes()),
        versions=len(inventory.history.commits),
        faults=len(inventory.faults),
    )
    if inventory.shallow and not before.shallow:
        log.warning("shallow clone, older versions are missing", version=inventory.version)
    if inventory.partial and not before.partial:
        log.warning("partial clone, files of older versions may be missing", version=inventory.version)
    known = frozenset(before.faults)
    new = [fault for fault in inventory.faults if fault not in known]
    for fault in new[:MAX_LOGGED_FAULTS]:
        log.warning("data fault", path=fault.path, kind=fault.kind.value, detail=fault.detail, left_out=fault.left_out)
    if len(new) > MAX_LOGGED_FAULTS:
        log.warning("more data faults", count=len(new) - MAX_LOGGED_FAULTS)

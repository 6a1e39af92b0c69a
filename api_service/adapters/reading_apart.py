"""The files of a commit, read by processes of their own: Python computes in one thread at a time, others wait for it.

What is read comes cluster by cluster while the rest is still being read.
"""

import atexit
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final, NamedTuple, cast

from api_service.adapters.background import begun
from api_service.adapters.json_repository import MAX_TOTAL_BYTES, too_much
from api_service.adapters.pieces import Nodes, ReaderLostError, Rest, all_of
from api_service.domain.inventory import Inventory

MODULE: Final = "api_service.adapters.reader"
"""What another process runs."""

READERS: Final = min(2, os.cpu_count() or 1)
"""Each takes as long to start as it takes to read a thousand files, and some 60 MB while it reads."""

PIPE_BYTES: Final = 1024 * 1024
"""What Linux allows everybody: each look at a pipe may wait for every other thread that computes."""


class Place(NamedTuple):
    """Where the files are.

    Attributes:
        repository: The folder of the repository.
        commit: Its sha.
        prefix: The path of the inventory's folder in it; "" for all of it.
    """

    repository: str
    commit: str
    prefix: str


class ReadingApart:
    """Processes that read, and a thread for each that takes what it tells; all begin with this.

    Attributes:
        place: What they read.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._processes = [_started(place, number) for number in range(READERS)]
        # In threads, since whoever waits for it has other things to do for a while.
        self._taken = [begun(partial(_taken, process)) for process in self._processes]
        atexit.register(self.close)

    def inventory(self) -> Inventory:
        """Waits for it.

        Raises:
            ReaderLostError: a process could not begin, or ended before it had told everything.
            InventoryRefusedError: it holds too much.
            RepositoryError: it cannot be read.
            OSError: likewise.
        """
        try:
            taken = [each.result() for each in self._taken]
        except RuntimeError as error:  # a thread could not begin
            raise ReaderLostError from error
        sizes = [size for _, (_, size) in taken]
        if sizes[0].others + sum(size.nodes for size in sizes) > MAX_TOTAL_BYTES:
            raise too_much()
        nodes = {place: of_cluster for found, _ in taken for place, of_cluster in found.items()}
        rests = [inventory for _, (inventory, _) in taken]
        if any(_clusters(rest) != _clusters(rests[0]) for rest in rests):
            # One could not read what another could: whose turn a cluster was they took for another.
            raise ReaderLostError
        faults = {(fault.path, fault.kind): fault for rest in rests for fault in rest.faults}
        return replace(_with_nodes(rests[0], nodes), faults=tuple(faults[key] for key in sorted(faults)))

    def close(self) -> None:
        """Ends the processes, whatever they are at."""
        atexit.unregister(self.close)
        for process in filter(None, self._processes):
            process.kill()
            process.wait()


def _started(place: Place, number: int) -> subprocess.Popen[bytes] | None:
    # -P: not what lies in the current folder, unless this process has it from there too.
    command = [sys.executable, "-P", "-m", MODULE, *place, str(number), str(READERS)]
    # It finds the same packages, wherever it is started, and has no use for the broker's password.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REFERENCE_")}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=PIPE_BYTES,
            pipesize=PIPE_BYTES,
            # What a terminal tells all processes in front of it is not for this one.
            process_group=0,
        )
    except OSError:
        return None


def _taken(process: subprocess.Popen[bytes] | None) -> tuple[Nodes, Rest]:
    if process is None or process.stdout is None:
        raise ReaderLostError
    with process.stdout as stream:
        return all_of(cast("BinaryIO", stream))


def _clusters(inventory: Inventory) -> Mapping[str, list[str]]:
    return {site.uid: list(site.clusters) for site in inventory.sites.values()}


def _with_nodes(inventory: Inventory, nodes: Nodes) -> Inventory:
    sites = {
        site_id: replace(
            site,
            clusters={
                uid: replace(cluster, nodes=nodes.get((site_id, uid), {})) for uid, cluster in site.clusters.items()
            },
        )
        for site_id, site in inventory.sites.items()
    }
    return replace(inventory, sites=sites)

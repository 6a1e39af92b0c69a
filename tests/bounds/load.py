"""A day of one busy site, and what it does to a process."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from shared.availability import Interval, NodeAvailability, SiteAvailability, utc_now

POLLS_A_DAY = 1440
BOOKINGS = 10
MEGABYTE = 1_000_000

_RANDOM = random.Random(1)
NODE_IDS = tuple(str(UUID(int=_RANDOM.getrandbits(128), version=4)) for _ in range(500))


def polls(site_id: str, number: int = POLLS_A_DAY) -> Iterator[SiteAvailability]:
    """Snapshots of 500 nodes with ten bookings each, in which one node is booked anew at each poll."""
    now = utc_now()
    nodes = {node_id: _booked(node_id, now) for node_id in NODE_IDS}
    snapshot = SiteAvailability(
        site_id=site_id,
        generation=0,
        follows=None,
        observed_at=now,
        hosts_observed_at=now,
        poll_interval=timedelta(minutes=1),
        nodes=nodes,
    )
    for generation in range(1, number + 1):
        node_id = _RANDOM.choice(NODE_IDS)
        nodes = {**nodes, node_id: _booked(node_id, now)}
        yield replace(snapshot, generation=generation, follows=generation - 1, nodes=nodes)


def _booked(node_id: str, now: datetime) -> NodeAvailability:
    """At times that no compression foresees."""
    bookings, end = [], now.replace(second=0, microsecond=0)
    for _ in range(BOOKINGS):
        start = end + timedelta(minutes=_RANDOM.randint(1, 3 * 1440))
        end = start + timedelta(minutes=_RANDOM.randint(60, 7 * 1440))
        bookings.append(Interval(start, end))
    return NodeAvailability(node_id, tuple(bookings))


def memory_of(pid: int, field: str = "VmRSS") -> float:
    """Megabytes that a process occupies now; with `VmHWM`, the most since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MEGABYTE for line in lines if line.startswith(f"{field}:"))


def files_of(pid: int) -> int:
    """How many files and connections a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")

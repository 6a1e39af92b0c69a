"""The bookings of the simulated cloud, and the command that runs it."""

import asyncio
import json
import socket
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local.openstack import SimulatedCloud
from deploy.local.openstack.bookings import STRANGER, Bookings, hostnames_of, inventory
from deploy.local.openstack.site import PEOPLE, SimulatedSite
from shared.availability import Interval
from sync_service.adapters.blazar import BlazarSite
from tests.eventually import LONG_SECONDS
from tests.unmeasured import unmeasured

DATA = Path(__file__).parents[1] / "data" / "chameleoncloud"
ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
UIDS = [f"node-{number:02d}" for number in range(1, 51)]


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


def filled(*, seed: int = 1) -> tuple[SimulatedSite, Bookings, Clock]:
    clock = Clock()
    site = SimulatedSite("uc", hostnames_of(UIDS), clock=clock.now)
    bookings = Bookings(site, seed=seed)
    bookings.fill()
    return site, bookings, clock


def bookings_of(site: SimulatedSite) -> list[tuple[tuple[str, ...], Interval]]:
    return [(lease.host_ids, lease.during) for lease in site.leases.values()]


def test_the_inventory_says_which_hosts_and_flavors_there_are() -> None:
    found = {site_id: (len(nodes), set(flavors)) for site_id, nodes, flavors in inventory(DATA)}
    assert found["uc"] == (4, set())
    assert found["tacc"] == (6, {"m1.xlarge"})
    assert "edge" not in found, "it has neither"


def test_hosts_and_inventory_do_not_agree_fully() -> None:
    hosts = hostnames_of(UIDS)
    assert UIDS[-1] not in hosts
    assert {STRANGER, None} < set(hosts)


def test_a_site_has_odd_hosts_and_odd_bookings() -> None:
    site, _, _ = filled()
    hosts = site.hosts.values()
    assert any(host.disabled for host in hosts)
    assert any(not host.reservable and not host.disabled for host in hosts)
    assert any(host.capabilities.get("disabled") == "False" for host in hosts)
    names = [lease.name for lease in site.leases.values()]
    assert {"overlapping", "back-to-back"} < set(names)
    assert {lease.user_name for lease in site.leases.values()} < set(PEOPLE)


def test_the_same_seed_makes_the_same_bookings_and_another_makes_others() -> None:
    assert bookings_of(filled()[0]) == bookings_of(filled()[0])
    assert bookings_of(filled()[0]) != bookings_of(filled(seed=2)[0])


def test_bookings_change_at_each_step_and_stay_plausible_for_a_month() -> None:
    site, bookings, clock = filled()
    unchanged = 0
    for _ in range(1000):
        before = bookings_of(site)
        bookings.step()
        unchanged += bookings_of(site) == before
        clock.time += timedelta(minutes=43)
    active = {
        host_id for lease in site.current_leases() if lease.during.start <= clock.time for host_id in lease.host_ids
    }
    assert unchanged < 100
    assert 5 <= len(active) <= 45
    assert len(site.leases) < 500


async def test_the_command_tells_where_its_clouds_yaml_is_and_ends_at_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = tmp_path / "clouds.yaml"
    arguments = ["--ref-dir", str(DATA), "--clouds", str(clouds), "--every", "0.05"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local.openstack", *arguments),
        cwd=ROOT,
        env=unmeasured(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(LONG_SECONDS):
        told = await process.stdout.readline()
    assert told.decode().strip() == f"OS_CLIENT_CONFIG_FILE={clouds}"
    assert clouds.stat().st_mode & 0o077 == 0, "it holds secrets"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    source = BlazarSite("tacc", timeout=LONG_SECONDS)
    hosts = await source.hosts()
    before = await source.allocations()
    async with asyncio.timeout(LONG_SECONDS):
        while await source.allocations() == before:
            pass
    source.close()
    process.terminate()
    async with asyncio.timeout(LONG_SECONDS):
        assert await process.wait() == 0
    assert {STRANGER, None} < {host.node_id for host in hosts}


def first_of_free_ports(count: int) -> int:
    """The first of so many in a row."""
    while True:
        with ExitStack() as stack:
            listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
            with suppress(OSError, OverflowError):
                listeners[0].bind(("127.0.0.1", 0))
                first = int(listeners[0].getsockname()[1])
                for offset, listener in enumerate(listeners[1:], 1):
                    listener.bind(("127.0.0.1", first + offset))
                return first


async def test_each_site_has_a_port_after_keystones_where_one_is_given() -> None:
    port = first_of_free_ports(3)
    async with SimulatedCloud({"uc": [], "tacc": []}, port=port, name="localhost") as cloud:
        assert [cloud.sites[site].url for site in ("uc", "tacc")] == [
            f"http://localhost:{port + 1}",
            f"http://localhost:{port + 2}",
        ]
        clouds = json.loads(cloud.clouds_yaml())["clouds"]
    assert clouds["uc"]["auth"]["auth_url"] == f"http://localhost:{port}/identity/v3"
    assert clouds.keys() == {f"{site}{kind}" for site in ("uc", "tacc") for kind in ("", "-mr", "-alice", "-admin")}

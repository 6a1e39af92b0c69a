"""Each way in which a real OpenStack fails, beneath the two services as users run them, and what is made of it.

What is seen is printed as the table of docs/operations.md.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.openstack import faults
from deploy.local.openstack.faults import Fault
from deploy.local.real_openstack.identity import Identity
from shared.availability import utc_now
from sync_service.domain.ports import TroubleKind
from tests.e2e.test_pair import NODE, until_state
from tests.e2e.world import Service, World
from tests.eventually import until_answered
from tests.openstack.conftest import Row
from tests.openstack.real_cloud import RealTestCloud
from tests.repositories import GPU_NODE

SITE = "tacc"
ALLOCATIONS = "os-hosts/allocations"


@dataclass
class Scene:
    """What a fault may befall, and by what its effects are seen.

    Attributes:
        folder: Of the real OpenStack's files.
        told: How many lines of the sync service's log are of earlier faults.
    """

    cloud: RealTestCloud
    folder: Path
    world: World
    api: Service
    sync: Service
    told: int = 0

    async def site(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self.world.get(self.api, f"/sites/{SITE}/availability")
        return answer

    async def current_since(self, moment: datetime) -> bool:
        return datetime.fromisoformat((await self.site())["last_synced"]) >= moment

    async def node(self) -> str:
        return str((await self.world.get(self.api, f"{NODE}/availability"))["availability"])

    def troubles(self) -> list[dict[str, Any]]:
        """What the sync service has logged of the site since the fault began."""
        lines = [line for line in self.sync.lines() if line.get("site_id") == SITE and "reason" in line]
        return lines[self.told :]


type Befall = Callable[[Scene], AbstractAsyncContextManager[None]]


def blazar(fault: Fault, **limits: Any) -> Befall:
    """Something befalls the site's Blazar."""

    @asynccontextmanager
    async def befall(scene: Scene) -> AsyncIterator[None]:
        await scene.cloud.blazars[SITE].break_with(fault, **limits)
        yield
        await scene.cloud.blazars[SITE].mend()

    return befall


def keystone(fault: Fault, *, asked: bool = True) -> Befall:
    """Something befalls Keystone, of which a token is wanted as clouds.yaml has changed, or none is."""

    @asynccontextmanager
    async def befall(scene: Scene) -> AsyncIterator[None]:
        await scene.cloud.keystone.break_with(fault)
        if asked:
            scene.cloud.write(SITE, changed=time.monotonic_ns())
        yield
        await scene.cloud.keystone.mend()

    return befall


@asynccontextmanager
async def everything_hangs(scene: Scene) -> AsyncIterator[None]:
    listeners = (scene.cloud.keystone, *scene.cloud.blazars.values())
    for listener in listeners:
        await listener.break_with(faults.hang)
    yield
    for listener in listeners:
        await listener.mend()


def entry(**changes: Any) -> Befall:
    """An operator spoils the site's entry of clouds.yaml."""

    @asynccontextmanager
    async def befall(scene: Scene) -> AsyncIterator[None]:
        scene.cloud.write(SITE, **changes)
        yield
        scene.cloud.write()

    return befall


def file(spoil: Callable[[Path], object]) -> Befall:
    """An operator spoils the whole of it."""

    @asynccontextmanager
    async def befall(scene: Scene) -> AsyncIterator[None]:
        spoil(scene.cloud.clouds_yaml)
        yield
        scene.cloud.write()

    return befall


@asynccontextmanager
async def policy_of_upstream(scene: Scene) -> AsyncIterator[None]:
    rules = scene.folder / SITE / "policy.yaml"
    ours = rules.read_text()
    rules.write_text("{}\n")
    yield
    rules.write_text(ours)


@asynccontextmanager
async def revoked_credential(scene: Scene) -> AsyncIterator[None]:
    """It has been in use, was deleted, and a new token is wanted."""
    auth = yaml.safe_load((scene.folder / "clouds.yaml").read_text())["clouds"][f"{SITE}-alice"]["auth"]
    alice = Identity(auth["auth_url"], auth["username"], auth["password"], auth["project_name"])
    credential = alice.credential()
    scene.cloud.write(SITE, auth=credential)
    await until_answered(partial(scene.current_since, utc_now()))
    alice.delete_credential(credential["application_credential_id"])
    scene.cloud.write(SITE, auth=credential, changed=time.monotonic_ns())
    yield
    scene.cloud.write()


@asynccontextmanager
async def frozen_manager(scene: Scene) -> AsyncIterator[None]:
    manager = process_of("blazar-manager: master", str(scene.folder / SITE / "blazar.conf"))
    os.killpg(manager, signal.SIGSTOP)
    yield
    os.killpg(manager, signal.SIGCONT)


def process_of(*told: str) -> int:
    """The one whose command line has all of `told`."""
    (number,) = (
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and all(text in command_line(process) for text in told)
    )
    return number


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""  # it has ended


BROKEN: Mapping[str, tuple[Befall, TroubleKind]] = {
    "nobody listens": (blazar(faults.refused), TroubleKind.CONNECTION),
    "it closes the connection": (blazar(faults.closed), TroubleKind.CONNECTION),
    "it resets the connection": (blazar(faults.reset), TroubleKind.CONNECTION),
    "the answer is cut short": (blazar(faults.truncated), TroubleKind.CONNECTION),
    "the answer is cut short by a reset": (blazar(faults.truncated_by_reset), TroubleKind.CONNECTION),
    "it hangs": (blazar(faults.hang), TroubleKind.TIMEOUT),
    "it hangs in the middle of the answer": (blazar(faults.stalled), TroubleKind.TIMEOUT),
    "the answer trickles, for 30 s": (blazar(faults.trickle(30)), TroubleKind.TIMEOUT),
    "a header trickles, for ever": (blazar(faults.trickling_head), TroubleKind.TIMEOUT),
    "its manager is frozen": (frozen_manager, TroubleKind.TIMEOUT),
    "500": (blazar(faults.status(500)), TroubleKind.ERROR_ANSWER),
    "502 in HTML": (blazar(faults.status(502, html=True)), TroubleKind.ERROR_ANSWER),
    "503 without a body": (blazar(faults.nothing(503)), TroubleKind.ERROR_ANSWER),
    "404": (blazar(faults.status(404)), TroubleKind.ERROR_ANSWER),
    "200 with JSON that breaks off": (blazar(faults.garbage), TroubleKind.UNREADABLE),
    "200 in HTML": (blazar(faults.status(200, html=True)), TroubleKind.UNREADABLE),
    "200 without a body": (blazar(faults.nothing(200)), TroubleKind.UNREADABLE),
    "401 for ever": (blazar(faults.unauthorized), TroubleKind.CREDENTIAL),
    "403: upstream's policy": (policy_of_upstream, TroubleKind.POLICY),
    "a wrong secret": (entry(auth={"application_credential_secret": "wrong"}), TroubleKind.CREDENTIAL),
    "a deleted credential": (revoked_credential, TroubleKind.CREDENTIAL),
    "clouds.yaml names no region of the catalog": (
        entry(region_name="atlantis", reservation_endpoint_override=None),
        TroubleKind.CATALOG,
    ),
    "clouds.yaml is gone": (file(Path.unlink), TroubleKind.CONFIGURATION),
    "clouds.yaml is no YAML": (file(lambda path: path.write_text("clouds: [")), TroubleKind.CONFIGURATION),
    "Keystone: nobody listens": (keystone(faults.refused), TroubleKind.CONNECTION),
    "Keystone hangs": (keystone(faults.hang), TroubleKind.TIMEOUT),
    "Keystone: 500": (keystone(faults.status(500)), TroubleKind.ERROR_ANSWER),
    "Keystone: 503 in HTML": (keystone(faults.status(503, html=True)), TroubleKind.ERROR_ANSWER),
    "Keystone: 200 with JSON that breaks off": (keystone(faults.garbage), TroubleKind.UNREADABLE),
    "everything hangs, the other site too": (everything_hangs, TroubleKind.TIMEOUT),
}
"""By what befalls the site: how, and of what kind it is told to be. It lasts until the site is stale."""

ONCE: Mapping[str, tuple[Befall, TroubleKind]] = {
    "an empty list of bookings, once": (
        blazar(faults.emptied, path=ALLOCATIONS, times=1),
        TroubleKind.DOUBTED,
    ),
}
"""What is over before the site is stale."""

BORNE: Mapping[str, Befall] = {
    "each answer takes 1 s": blazar(faults.slow(1)),
    "each answer trickles, for 1 s": blazar(faults.trickle(1)),
    "401 once": blazar(faults.unauthorized, times=1),
    "Keystone: nobody listens, while the token is good": keystone(faults.refused, asked=False),
}
"""What is no trouble at all."""


@pytest.fixture
async def scene(real_clouds: Path, world: World, real_cloud: RealTestCloud) -> Scene:
    """The node is reserved, and both sites are polled."""
    await real_cloud.book(SITE, GPU_NODE)
    api, sync = await world.api(), await world.sync()
    await world.until_synced(api, "tacc", "uc")
    await until_state(world, api, "reserved")
    return Scene(real_cloud, real_clouds.parent, world, api, sync)


async def test_every_fault_is_told_leaves_the_last_good_state_and_is_over_when_it_is_mended(
    scene: Scene, row: Row
) -> None:
    for name, (befall, kind) in {**BROKEN, **ONCE}.items():
        scene.told += len(scene.troubles())
        async with befall(scene):
            await until_answered(partial(asked, scene.troubles), within=30)
            if name in BROKEN:
                await until_answered(partial(is_stale, scene), within=30)
            assert await scene.node() == "reserved", name
        mended = utc_now()
        await until_answered(partial(scene.current_since, mended), within=30)
        seconds = (utc_now() - mended).total_seconds()
        (trouble,) = scene.troubles()
        assert trouble["kind"] == kind, f"{name}: {trouble}"
        assert await scene.node() == "reserved", name
        row(name, kind, trouble["reason"], f"{seconds:.1f} s")


async def test_what_a_site_may_do_is_no_trouble(scene: Scene, row: Row) -> None:
    for name, befall in BORNE.items():
        async with befall(scene):
            for _ in range(2):
                await until_answered(partial(scene.current_since, utc_now()), within=30)
        assert not scene.troubles(), name
        row(name, "none", "", "")


async def is_stale(scene: Scene) -> bool:
    return bool((await scene.site())["stale"])


async def asked[T](question: Callable[[], T]) -> T:
    return question()

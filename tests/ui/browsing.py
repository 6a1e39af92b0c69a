"""The page in a real browser, on a service in this process."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from playwright.async_api import Browser, Download, Locator, Page

from api_service import keys
from api_service.app import create_app, events, feed
from api_service.domain.inventory import Inventory
from api_service.http.event_stream import READERS
from api_service.settings import Settings
from shared.availability import NodeAvailability, Snapshot
from shared.embedded import EmbeddedTransport
from tests.inventories import HOUR, booked, node_document, polled

PICTURES: Final = Path(__file__).parents[2] / ".cache" / "ui"


def at(hours: float) -> datetime:
    """A whole minute, so many hours from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(second=0, microsecond=0)


@dataclass
class Ui:
    """A page, the service that serves it, and what the browser complained of."""

    page: Page
    server: BaseTestServer
    app: web.Application
    complaints: list[str] = field(default_factory=list)
    prefix: str = ""
    _polls: Counter[str] = field(default_factory=Counter)

    async def open(self, address: str = "") -> Page:
        """The page at what stands behind its path."""
        await self.page.goto(f"http://{self.server.host}:{self.server.port}{self.prefix}/ui{address}")
        return self.page

    def know(self, site_id: str, *nodes: NodeAvailability, age: float = 0) -> None:
        """A poll of the site, so many hours ago, and all who follow are told."""
        self._polls[site_id] += 1
        now = datetime.now(UTC) - age * HOUR
        self.learn(polled(site_id, *nodes, at=now, generation=self._polls[site_id]))

    def learn(self, *snapshots: Snapshot) -> None:
        for snapshot in snapshots:
            assert self.app[keys.AVAILABILITY].replace(snapshot, received_at=datetime.now(UTC))
        self.app[READERS].refresh()

    def forgive_refusals(self) -> None:
        """The browser tells of each request that failed: where that is meant to be, it may tell so and nothing else."""
        assert all("Failed to load resource" in each for each in self.complaints), self.complaints
        self.complaints.clear()

    def row(self, name: str) -> Locator:
        """Of the table of hardware."""
        return self.page.locator("#hardware tbody tr").filter(
            has=self.page.get_by_role("button", name=name, exact=True)
        )

    def track(self, name: str) -> Locator:
        """Of the calendar: what is drawn for a node or a type."""
        rows = self.page.locator("#calendar .row")
        return rows.filter(has=self.page.get_by_role("button", name=name, exact=True)).locator(".track")

    async def picture(self, name: str) -> None:
        """Keeps what is seen for a look."""
        await self.page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))")
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png")


@asynccontextmanager
async def browsing(
    browser: Browser,
    *,
    inventory: Inventory | None = None,
    settings: Settings | None = None,
    transport: EmbeddedTransport | None = None,
    **options: Any,
) -> AsyncIterator[Ui]:
    """A service with an inventory, and a fresh browser profile; fails if the browser complained of anything."""
    settings = settings or Settings()
    app = create_app(settings, transport=transport or EmbeddedTransport(), contexts=(feed, events))
    if inventory is not None:
        assert app[keys.INVENTORY].replace(inventory)
    context = await browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin", **options})
    context.set_default_timeout(10_000)
    page = await context.new_page()
    async with TestServer(app) as server:
        ui = Ui(page, server, app)
        page.on("pageerror", lambda error: ui.complaints.append(str(error)))
        page.on("console", lambda message: ui.complaints.append(message.text) if message.type == "error" else None)
        try:
            yield ui
            assert not ui.complaints, ui.complaints
        finally:
            await context.close()


async def text_of(download: Download) -> str:
    """What the browser saved."""
    return _text(await download.path())


def _text(file: Path) -> str:
    return file.read_bytes().decode()


def described(uid: str, **fields: Any) -> dict[str, Any]:
    """A node with every field that the page asks for."""
    return node_document(
        uid,
        **{
            "node_name": uid,
            "gpu": {"gpu": True, "gpu_count": 4, "gpu_model": "A100"},
            "infiniband": False,
            "network_adapters": [{"rate": 25_000_000_000}],
            "placement": {"rack": "1"},
            "processor": {"model": "EPYC 7763"},
            "storage_devices": [{"media_type": "SSD"}],
            **fields,
        },
    )


def week(nodes: Sequence[str]) -> list[NodeAvailability]:
    """Nodes of every kind: free, booked now, booked later, out of service."""
    found = []
    for number, node_id in enumerate(nodes):
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        match number % 7:
            case 0 | 4:
                found.append(booked(node_id=node_id))
            case 6:
                found.append(booked(node_id=node_id, maintenance=True))
            case kind:
                start = kind * 11 - 20
                blocks = [(start, start + 30), (start + 60, start + 110 + 9 * (number % 5)), (start + 300, start + 460)]
                found.append(booked(*blocks, node_id=node_id, now=now))
    return found

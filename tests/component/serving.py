"""The API service over HTTP in this process, with an inventory and availability that a test gives it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import AppRunner, BaseRunner

from api_service import keys
from api_service.app import create_app
from api_service.domain.inventory import Inventory
from api_service.settings import Settings
from shared.availability import Snapshot
from shared.embedded import EmbeddedTransport
from shared.serving import SERVER_OPTIONS
from tests.inventories import NOW

type AiohttpClient = Callable[..., Awaitable[TestClient[Any, Any]]]


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Service:
    """A running API service and the means to change what it knows."""

    client: TestClient[Any, Any]
    clock: Clock = field(default_factory=Clock)

    @property
    def app(self) -> Any:
        return self.client.app

    def serve(self, inventory: Inventory) -> None:
        """Whatever was served before."""
        self.app[keys.INVENTORY].current = Inventory()
        assert self.app[keys.INVENTORY].replace(inventory)

    def learn(self, *snapshots: Snapshot) -> None:
        for snapshot in snapshots:
            assert self.app[keys.AVAILABILITY].replace(snapshot, received_at=self.clock.now)

    async def get(self, path: str, **more: Any) -> ClientResponse:
        return await self.client.get(path, **more)

    async def json(self, path: str, status: int = 200, **more: Any) -> Any:
        response = await self.client.get(path, **more)
        text = await response.text()
        assert response.status == status, text
        return json.loads(text)


async def serving(aiohttp_client: AiohttpClient, *, settings: Settings | None = None) -> Service:
    """A service that knows nothing yet."""
    clock = Clock()
    app = create_app(settings or Settings(), transport=EmbeddedTransport(), contexts=(), clock=clock)
    return Service(await aiohttp_client(AsServed(app)), clock)


class AsServed(TestServer):
    """With the options of the real one: a test server would cancel whatever a client does not wait for."""

    async def _make_runner(self, **kwargs: Any) -> BaseRunner:
        return AppRunner(self.app, **{**kwargs, **SERVER_OPTIONS, "handler_cancellation": False})

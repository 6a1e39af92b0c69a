"""What lasts as long as the application; what changes lives inside."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiohttp import web

from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import InventoryStore
from api_service.settings import Settings
from shared.supervision import Supervisor

type Clock = Callable[[], datetime]

SETTINGS: Final = web.AppKey("settings", Settings)
CLOCK: Final[web.AppKey[Clock]] = web.AppKey("clock")
INVENTORY: Final = web.AppKey("inventory", InventoryStore)
AVAILABILITY: Final = web.AppKey("availability", AvailabilityMap)
SUPERVISORS: Final = web.AppKey("supervisors", dict[str, Supervisor])
WORKER: Final = web.AppKey("worker", int)
"""Its number, from 1 on, where several share a port; only there."""

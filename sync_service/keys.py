"""What lasts as long as the application; what changes lives inside."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from aiohttp import web

from shared.supervision import Supervisor
from shared.topology import Topic
from sync_service.adapters.poll_tokens import PollTokens
from sync_service.coordinator import Coordinator
from sync_service.settings import Settings

type Clock = Callable[[], datetime]

SETTINGS: Final = web.AppKey("settings", Settings)
CLOCK: Final[web.AppKey[Clock]] = web.AppKey("clock")
COORDINATORS: Final[web.AppKey[Mapping[Topic, Coordinator]]] = web.AppKey("coordinators")
TOKENS: Final = web.AppKey("tokens", PollTokens)
SUPERVISORS: Final = web.AppKey("supervisors", dict[str, Supervisor])

"""The composition root: the only place that knows both coordinators and adapters."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from shared import probes
from shared.availability import utc_now
from shared.broker import BrokerTransport
from shared.fairness import FairTurns
from shared.supervision import supervised
from shared.topology import Subject, Topic
from shared.transport import Transport
from sync_service import keys
from sync_service.adapters.blazar import BlazarFlavors, BlazarSite
from sync_service.adapters.poll_tokens import PollTokens
from sync_service.coordinator import Assignment, Coordinator
from sync_service.domain.ports import Outcome, Rhythm, Turn
from sync_service.flavors_coordinator import FlavorsCoordinator
from sync_service.metrics import PollMetrics
from sync_service.probed import SyncProbed
from sync_service.settings import Settings
from sync_service.site_coordinator import SiteCoordinator

log = structlog.get_logger()

type Context = Callable[[web.Application], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def polling(app: web.Application) -> AsyncIterator[None]:
    """Polls whatever is configured, for as long as the service runs."""
    if not app[keys.COORDINATORS]:
        log.warning("no site is configured: nothing is polled")
        yield
        return
    async with supervised(polling=app[keys.TOKENS].run) as app[keys.SUPERVISORS]["polling"]:
        yield
    for coordinator in app[keys.COORDINATORS].values():
        coordinator.close()


class _EachToItsOwn:
    """Hands each turn to the coordinator of its topic."""

    def __init__(self, coordinators: Mapping[Topic, Coordinator]) -> None:
        self._coordinators = coordinators

    async def poll(self, turn: Turn) -> Outcome:
        return await self._coordinators[turn.topic].poll(turn)


def create_app(
    settings: Settings,
    *,
    transport: Transport | None = None,
    contexts: Sequence[Context] = (polling,),
    clock: keys.Clock = utc_now,
) -> web.Application:
    """The service.

    Args:
        settings: All of them.
        transport: Where the log is; by default the broker of the settings.
        contexts: What runs beside the probes, in the order of starting; a test passes fewer.
        clock: Tells the time, aware UTC.
    """
    registry = CollectorRegistry()
    app = web.Application()
    app[keys.SETTINGS] = settings
    app[keys.CLOCK] = clock
    app[keys.SUPERVISORS] = {}
    metrics = PollMetrics(registry)
    app[keys.COORDINATORS] = coordinators = _coordinators(settings, metrics, clock)
    metrics.expect(coordinators)
    interval = timedelta(seconds=settings.availability.poll_interval_seconds)
    app[keys.TOKENS] = PollTokens(
        transport
        or BrokerTransport(settings.broker.url, name="reference-sync", job_queue_type=settings.broker.job_queue_type),
        coordinators,
        _EachToItsOwn(coordinators),
        max_concurrent=settings.sync.max_concurrent_polls,
        interval_of=lambda _topic: interval,
        longest_poll=timedelta(seconds=settings.availability.site_timeout_seconds),
        clock=clock,
    )
    app[probes.PROBED] = SyncProbed(app, registry)
    app.add_routes(
        [
            web.get("/healthz", probes.healthz, name="healthz"),
            web.get("/readyz", probes.readyz, name="readyz"),
            web.get("/metrics", probes.metrics, name="metrics"),
            web.get("/status", probes.status, name="status"),
        ]
    )
    app.router.register_resource(FairTurns())
    app.cleanup_ctx.extend(contexts)
    return app


def _coordinators(settings: Settings, metrics: PollMetrics, clock: keys.Clock) -> Mapping[Topic, Coordinator]:
    polled = settings.availability
    rhythm = Rhythm(
        poll_interval=timedelta(seconds=polled.poll_interval_seconds),
        error_backoff=timedelta(seconds=polled.error_backoff_seconds),
        timeout=timedelta(seconds=polled.site_timeout_seconds),
        hosts_interval=timedelta(seconds=polled.hosts_interval_seconds),
    )
    timeout = polled.site_timeout_seconds
    coordinators: dict[Topic, Coordinator] = {}
    for site_id, site in polled.sites.items():
        topic = Topic(site_id)
        source = BlazarSite(site.cloud, timeout=timeout)
        coordinators[topic] = SiteCoordinator(source, Assignment(topic, rhythm, metrics, clock))
    for site_id, site in settings.flavor_availability.sites.items():
        topic = Topic(site_id, Subject.FLAVORS)
        flavors = BlazarFlavors(site.cloud, timeout=timeout)
        coordinators[topic] = FlavorsCoordinator(flavors, Assignment(topic, rhythm, metrics, clock))
    return coordinators

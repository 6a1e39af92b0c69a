"""The composition root: the only place that knows both handlers and adapters."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial

from aiohttp import web
from prometheus_client import CollectorRegistry

from api_service import keys
from api_service.adapters import git_repository
from api_service.adapters.availability_feed import AvailabilityFeed
from api_service.adapters.early_reading import EarlyReading
from api_service.adapters.inventory_watch import InventoryWatch
from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.inventory import Inventory, InventoryStore
from api_service.domain.live_map import LiveMap
from api_service.http.caching import FORMS, MAX_COMPRESSED_BYTES, cacheable
from api_service.http.costly import COSTLY, CostlyWork
from api_service.http.event_stream import READERS, Readers
from api_service.http.kept_answers import KEPT_ANSWERS, KeptAnswers
from api_service.http.known_answers import KnownAnswers
from api_service.http.known_paths import KnownPaths
from api_service.http.links import Links
from api_service.http.middlewares import Reception, options
from api_service.http.openapi import OPENAPI, Contract
from api_service.http.past import PAST, Past
from api_service.http.problems import UnknownExpectations, problem_details
from api_service.http.remembered import Remembered
from api_service.http.representation import REPRESENTATIONS, Representations
from api_service.http.routes import plain, routes
from api_service.probed import FEED, ApiProbed
from api_service.settings import Settings
from shared import __version__
from shared.availability import utc_now
from shared.broker import BrokerTransport
from shared.fairness import FairTurns
from shared.probes import PROBED
from shared.serving import set_aside, set_aside_anew
from shared.supervision import supervised
from shared.topology import SITE_ID, Subject, Topic
from shared.transport import Transport

type Context = Callable[[web.Application], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def inventory(app: web.Application, *, early: EarlyReading | None = None) -> AsyncIterator[None]:
    """Loads the inventory and keeps it current; `early` has begun to."""

    def prepare(loaded: Inventory) -> None:
        app[REPRESENTATIONS].prepare(loaded)
        if app[keys.INVENTORY].loaded:
            set_aside_anew()
        else:
            set_aside()

    settings = app[keys.SETTINGS].reference
    watch = InventoryWatch(
        settings.ref_dir,
        app[keys.INVENTORY],
        reload_interval_seconds=settings.reload_interval_seconds,
        load=early.load if early else git_repository.load,
        prepare=prepare,
    )
    async with supervised(inventory=watch.run) as app[keys.SUPERVISORS]["inventory"]:
        yield


@asynccontextmanager
async def feed(app: web.Application) -> AsyncIterator[None]:
    """Follows the availability log."""
    async with supervised(feed=app[FEED].run) as app[keys.SUPERVISORS]["feed"]:
        yield


@asynccontextmanager
async def events(app: web.Application) -> AsyncIterator[None]:
    """Tells whoever follows the events."""
    async with supervised(events=app[READERS].run) as app[keys.SUPERVISORS]["events"]:
        yield


def create_app(
    settings: Settings,
    *,
    transport: Transport | None = None,
    contexts: Sequence[Context] = (inventory, feed, events),
    clock: keys.Clock = utc_now,
) -> web.Application:
    """The service.

    Args:
        settings: All of them.
        transport: Where the log is; by default the broker of the settings.
        contexts: What runs beside the requests, in the order of starting; a test passes fewer.
        clock: Tells the time, aware UTC.
    """
    registry = CollectorRegistry()
    reception = Reception(registry, settings.server.cors_origins)
    middlewares = (
        reception.receive,
        options,
        problem_details,
        cacheable(settings.reference.reload_interval_seconds),
    )
    app = web.Application(middlewares=middlewares)
    app[keys.SETTINGS] = settings
    app[keys.CLOCK] = clock
    app[keys.INVENTORY] = InventoryStore(clock=clock)
    app[keys.AVAILABILITY] = AvailabilityMap()
    app[keys.SUPERVISORS] = {}
    app[COSTLY] = CostlyWork()
    # Turns of its own: an answer that is made already does not wait for those that are still to be made.
    app[FORMS] = Remembered(CostlyWork(), most_bytes=MAX_COMPRESSED_BYTES)
    app[KEPT_ANSWERS] = KeptAnswers(app[keys.INVENTORY], app[keys.AVAILABILITY], clock)
    app[FEED] = AvailabilityFeed(
        transport
        or BrokerTransport(settings.broker.url, name="reference-api", job_queue_type=settings.broker.job_queue_type),
        app[keys.AVAILABILITY],
        lambda: _topics(app),
        required={Topic(site) for site in settings.availability.sites},
        clock=clock,
        settled=set_aside,
    )
    # A new commit may bring sites that are to be followed at once.
    app[keys.INVENTORY].listeners.append(app[FEED].refresh)
    app[READERS] = _readers(app)
    app[PROBED] = ApiProbed(app, registry)
    _add_resources(app, reception)
    root_path = settings.server.root_path
    app[OPENAPI] = Contract(partial(contract, root_path))
    links = Links(app.router, root_path)
    app[REPRESENTATIONS] = Representations(app[keys.INVENTORY], links)
    app[PAST] = Past(partial(git_repository.load_at, settings.reference.ref_dir), links, Remembered(app[COSTLY]))
    app.cleanup_ctx.extend(contexts)
    return app


def _add_resources(app: web.Application, reception: Reception) -> None:
    """Four are asked before all others, in this order; the last two know what is asked for most."""
    app.add_routes(routes())
    app.router.register_resource(FairTurns())
    app.router.register_resource(UnknownExpectations())
    app.router.register_resource(KnownAnswers(app[KEPT_ANSWERS], reception))
    app.router.register_resource(KnownPaths(plain(app.router)))


def _readers(app: web.Application) -> Readers:
    """Told of every change; they hear of the service's end while it still waits for their streams."""
    live = LiveMap(app[keys.INVENTORY], app[keys.AVAILABILITY], app[keys.CLOCK])
    readers = Readers(live, most=app[keys.SETTINGS].server.max_event_readers)
    app[keys.INVENTORY].listeners.append(readers.refresh)
    app[FEED].listeners.append(lambda _: readers.refresh())
    app.on_shutdown.append(readers.end)
    return readers


@cache
def contract(root_path: str) -> bytes:
    """The OpenAPI document: of an application that is like any other but for what it is told."""
    # A tenth of a start, for what few ask for; they wait for it in a thread.
    from api_service.http.openapi_document import openapi_document  # noqa: PLC0415

    app = web.Application()
    app.add_routes(routes())
    return openapi_document(app, version=__version__, root_path=root_path)


def _topics(app: web.Application) -> Collection[Topic]:
    """What to follow: every site that is configured or in the inventory and can name a queue."""
    settings = app[keys.SETTINGS]
    sites = {*settings.availability.sites, *app[keys.INVENTORY].current.sites}
    flavors = {*settings.flavor_availability.sites}
    return {
        *(Topic(site) for site in sites if SITE_ID.fullmatch(site)),
        *(Topic(site, Subject.FLAVORS) for site in flavors),
    }

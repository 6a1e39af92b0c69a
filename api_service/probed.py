"""How the API service is: for the cluster, for Prometheus, and for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from api_service import keys
from api_service.adapters.availability_feed import AvailabilityFeed
from api_service.domain.inventory import InventoryStore
from api_service.domain.node_query import match_of
from api_service.http.event_stream import READERS, Readers
from shared.availability import AvailabilityState
from shared.probes import Health, truths
from shared.sessions import SessionState
from shared.topology import Subject, Topic

MAX_FAULTS_TOLD: Final = 1000

FEED: Final = web.AppKey("feed", AvailabilityFeed)
"""Here and not in `keys`, since no handler may know an adapter."""


class ApiProbed:
    """The API service as its probes see it."""

    def __init__(self, app: web.Application, registry: CollectorRegistry) -> None:
        self._app = app
        self.registry = registry
        registry.register(_Numbers(app))

    def liveness(self) -> Health:
        """Bad once a loop has died: a restart mends that."""
        dead = [name for name, supervisor in self._app[keys.SUPERVISORS].items() if not supervisor.alive]
        return Health([f"the loop {name} has died" for name in dead])

    def readiness(self) -> Health:
        """Good once there is an inventory and the availability log has been read, or its grace is over.

        Losing the broker later changes nothing: what is known is served, with its age.
        """
        reasons = []
        if absence := self._app[keys.INVENTORY].absence:
            reasons.append(absence)
        if not self._app[FEED].ready:
            reasons.append("the availability log has not been read yet")
        return Health(reasons)

    def status(self) -> Mapping[str, object]:
        """What is served, how old it is, and what is wrong with it."""
        now = self._app[keys.CLOCK]()
        store, feed = self._app[keys.INVENTORY], self._app[FEED]
        settings, known = self._app[keys.SETTINGS], self._app[keys.AVAILABILITY]
        configured = sorted({*settings.availability.sites, *settings.flavor_availability.sites})
        return {
            "service": "reference-api",
            **({"worker": self._app[keys.WORKER]} if keys.WORKER in self._app else {}),
            "time": now,
            "live": self.liveness().reasons or "yes",
            "ready": self.readiness().reasons or "yes",
            "inventory": _inventory_status(store),
            "feed": {
                "connected": feed.connected,
                "session": feed.session_state,
                "ready": feed.ready,
                "last_loss": feed.last_loss,
                "messages": {str(fate): count for fate, count in feed.counts.items()},
                "incidents": {str(incident): count for incident, count in feed.incidents.items()},
            },
            "events": _events_status(self._app[READERS]),
            "sites": [
                self._site_status(site_id, now)
                for site_id in sorted({*configured, *store.current.sites, *known.sites, *known.flavors})
            ],
            "configured_but_not_in_the_inventory": [each for each in configured if each not in store.current.sites],
            "data_faults": {
                "total": len(store.current.faults),
                "items": [
                    {"path": fault.path, "kind": fault.kind, "detail": fault.detail, "left_out": fault.left_out}
                    for fault in store.current.faults[:MAX_FAULTS_TOLD]
                ],
            },
        }

    def _site_status(self, site_id: str, now: datetime) -> Mapping[str, object]:
        settings = self._app[keys.SETTINGS]
        observed = self._app[keys.AVAILABILITY].sites.get(site_id)
        flavors = self._app[keys.AVAILABILITY].flavors.get(site_id)
        return {
            "site_id": site_id,
            "configured": site_id in settings.availability.sites,
            "in_inventory": site_id in self._app[keys.INVENTORY].current.sites,
            "last_synced": observed.last_updated if observed else None,
            "age_seconds": (now - observed.last_updated).total_seconds() if observed else None,
            "hosts_observed_at": observed.snapshot.hosts_observed_at if observed else None,
            "stale": observed.stale_at(now) if observed else True,
            "listed_hosts": len(observed.snapshot.nodes) if observed else None,
            "unreadable_hosts": sum(node.unreadable for node in observed.snapshot.nodes.values()) if observed else None,
            "generation": observed.snapshot.generation if observed else None,
            "position": self._app[FEED].position(Topic(site_id)) if observed else None,
            "flavors": {
                "configured": site_id in settings.flavor_availability.sites,
                "last_synced": flavors.last_updated if flavors else None,
                "count": len(flavors.snapshot.flavors) if flavors else None,
            },
        }


def _events_status(readers: Readers) -> Mapping[str, object]:
    return {
        "readers": len(readers),
        "most_readers": readers.most,
        "sent": readers.sent,
        "dropped_readers": readers.dropped,
    }


def _inventory_status(store: InventoryStore) -> Mapping[str, object]:
    current = store.current
    return {
        "version": current.version,
        "committed_at": current.committed_at,
        "loaded_at": store.loaded_at,
        "sites": len(current.sites),
        "nodes": sum(1 for _ in current.nodes()),
        "shallow": current.shallow,
        "partial": current.partial,
        "refused": {"version": store.refused_version, "reason": store.refusal} if store.refusal else None,
    }


class _Numbers(Collector):
    """What is true at the moment of asking, so that nothing has to be counted twice."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterable[Metric]:
        yield from self._service()
        yield from self._inventory()
        yield from self._feed()
        yield from self._events()
        yield from self._sites()

    def describe(self) -> Iterable[Metric]:
        return ()

    def _service(self) -> Iterable[Metric]:
        alive = {name: supervisor.alive for name, supervisor in self._app[keys.SUPERVISORS].items()}
        yield truths("reference_api_loop_alive", "Whether a loop runs.", "loop", alive)
        ready = {"inventory": self._app[keys.INVENTORY].loaded, "log": self._app[FEED].ready}
        yield truths("reference_api_ready", "Whether requests should come here.", "part", ready)

    def _inventory(self) -> Iterable[Metric]:
        store = self._app[keys.INVENTORY]
        served = InfoMetricFamily("reference_api_inventory", "The commit that is being served.")
        served.add_metric([], {"version": store.current.version or ""})
        yield served
        yield CounterMetricFamily("reference_api_inventory_loads", "Inventories served.", value=store.loads)
        yield CounterMetricFamily("reference_api_inventory_refusals", "Commits refused.", value=store.refusals)
        refused = float(store.refusal is not None)
        yield GaugeMetricFamily(
            "reference_api_inventory_refused", "Whether the newest commit is refused.", value=refused
        )
        shallow = float(store.current.shallow)
        yield GaugeMetricFamily(
            "reference_api_inventory_shallow", "Whether the clone lacks older versions.", value=shallow
        )
        partial = float(store.current.partial)
        yield GaugeMetricFamily(
            "reference_api_inventory_partial", "Whether the clone may lack files of older versions.", value=partial
        )
        faults = GaugeMetricFamily("reference_api_data_faults", "Faults of the inventory's files.", labels=["kind"])
        for kind, count in Counter(fault.kind for fault in store.current.faults).items():
            faults.add_metric([kind], count)
        yield faults

    def _feed(self) -> Iterable[Metric]:
        feed = self._app[FEED]
        connected = "Whether the broker is connected."
        yield GaugeMetricFamily("reference_api_feed_connected", connected, value=float(feed.connected))
        states = {state.value: state is feed.session_state for state in SessionState}
        yield truths("reference_api_feed_session", "Whether a session stands, and if not, why.", "state", states)
        messages = CounterMetricFamily("reference_api_feed_messages", "Messages read.", labels=["outcome"])
        for outcome, count in feed.counts.items():
            messages.add_metric([outcome], count)
        yield messages
        incidents = CounterMetricFamily("reference_api_feed_incidents", "What befell the reading.", labels=["kind"])
        for incident, number in feed.incidents.items():
            incidents.add_metric([incident], number)
        yield incidents

    def _events(self) -> Iterable[Metric]:
        readers = self._app[READERS]
        yield GaugeMetricFamily("reference_api_event_readers", "Clients that follow the events.", value=len(readers))
        sent = CounterMetricFamily("reference_api_events_sent", "Events sent, to each reader one.", labels=["kind"])
        for kind, count in readers.sent.items():
            sent.add_metric([kind], count)
        yield sent
        dropped = "Clients that took no events."
        yield CounterMetricFamily("reference_api_event_readers_dropped", dropped, value=readers.dropped)

    def _sites(self) -> Iterable[Metric]:
        now, availability = self._app[keys.CLOCK](), self._app[keys.AVAILABILITY]
        age = GaugeMetricFamily("reference_api_site_age_seconds", "Age of a site's data.", labels=["subject", "site"])
        stale = GaugeMetricFamily(
            "reference_api_site_stale", "Whether a site's data is stale.", labels=["subject", "site"]
        )
        lag = GaugeMetricFamily(
            "reference_api_site_lag_seconds", "From the poll's beginning to its receipt.", labels=["subject", "site"]
        )
        settings = self._app[keys.SETTINGS]
        for subject, known, configured in (
            (Subject.SITE, availability.sites, settings.availability.sites),
            (Subject.FLAVORS, availability.flavors, settings.flavor_availability.sites),
        ):
            for site_id in configured.keys() - known.keys():
                stale.add_metric([subject, site_id], 1.0)
            for site_id, observed in known.items():
                age.add_metric([subject, site_id], (now - observed.last_updated).total_seconds())
                stale.add_metric([subject, site_id], float(observed.stale_at(now)))
                lag.add_metric(
                    [subject, site_id], (observed.received_at - observed.snapshot.observed_at).total_seconds()
                )
        yield from (age, stale, lag, self._states(now))

    def _states(self, now: datetime) -> Metric:
        nodes = GaugeMetricFamily("reference_api_nodes", "Nodes by state.", labels=["site", "state"])
        for site in self._app[keys.INVENTORY].current.sites.values():
            counts = Counter(match_of(node, self._app[keys.AVAILABILITY]).state_at(now) for node in site.nodes())
            for state in AvailabilityState:
                nodes.add_metric([site.uid, state], counts[state])
        return nodes

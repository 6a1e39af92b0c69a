"""How the sync service is: for the cluster, for Prometheus, and for people."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.probes import PROBED, Health, truths
from shared.sessions import SessionState
from shared.topology import Subject, Topic
from sync_service import keys
from sync_service.metrics import LABELS


class SyncProbed:
    """The sync service as its probes see it."""

    def __init__(self, app: web.Application, registry: CollectorRegistry) -> None:
        self._app = app
        self.registry = registry
        registry.register(_Numbers(app))

    def liveness(self) -> Health:
        """Bad once a loop has died: a restart mends that. A site or a broker that is away is no reason."""
        dead = [name for name, supervisor in self._app[keys.SUPERVISORS].items() if not supervisor.alive]
        return Health([f"the loop {name} has died" for name in dead])

    def readiness(self) -> Health:
        """Good while there is a session with the broker, or nothing to publish."""
        tokens = self._app[keys.TOKENS]
        if tokens.connected or not self._app[keys.COORDINATORS]:
            return Health()
        return Health([tokens.last_loss or "not connected to the broker yet"])

    def status(self) -> Mapping[str, object]:
        """What is polled and how that goes, in this replica: others may poll the same."""
        now = self._app[keys.CLOCK]()
        tokens, coordinators = self._app[keys.TOKENS], self._app[keys.COORDINATORS]
        return {
            "service": "reference-sync",
            "time": now,
            "live": self.liveness().reasons or "yes",
            "ready": self.readiness().reasons or "yes",
            "broker": {
                "connected": tokens.connected,
                "session": tokens.session_state,
                "last_loss": tokens.last_loss,
            },
            "polls": [self._poll_status(topic, now) for topic in sorted(coordinators)],
        }

    def _poll_status(self, topic: Topic, now: datetime) -> Mapping[str, object]:
        settings = self._app[keys.SETTINGS]
        clouds = settings.availability if topic.subject is Subject.SITE else settings.flavor_availability
        condition = self._app[keys.COORDINATORS][topic].condition
        last = condition.last_success
        return {
            "site_id": topic.site_id,
            "subject": topic.subject,
            "cloud": clouds.sites[topic.site_id].cloud,
            "holds_token": topic in self._app[keys.TOKENS].held,
            "tokens_lost": self._app[keys.TOKENS].lost[topic],
            "last_success": last,
            "age_seconds": (now - last).total_seconds() if last else None,
            "trouble": condition.trouble,
            "trouble_kind": condition.kind,
        }


class _Numbers(Collector):
    """What is true at the moment of asking, so that nothing has to be counted twice."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterable[Metric]:
        yield from self._service()
        yield from self._topics()

    def describe(self) -> Iterable[Metric]:
        return ()

    def _service(self) -> Iterable[Metric]:
        tokens = self._app[keys.TOKENS]
        alive = {name: supervisor.alive for name, supervisor in self._app[keys.SUPERVISORS].items()}
        yield truths("reference_sync_loop_alive", "Whether a loop runs.", "loop", alive)
        ready = {"broker": self._app[PROBED].readiness().good}
        yield truths("reference_sync_ready", "Whether what has to be polled can be published.", "part", ready)
        connected = float(tokens.connected)
        yield GaugeMetricFamily("reference_sync_broker_connected", "Whether a session stands.", value=connected)
        states = {state.value: state is tokens.session_state for state in SessionState}
        yield truths("reference_sync_broker_session", "Whether a session stands, and if not, why.", "state", states)

    def _topics(self) -> Iterable[Metric]:
        now, tokens = self._app[keys.CLOCK](), self._app[keys.TOKENS]
        held = GaugeMetricFamily("reference_sync_poll_tokens_held", "Polls that this replica has to do.", labels=LABELS)
        lost = CounterMetricFamily("reference_sync_poll_tokens_lost", "Tokens made anew.", labels=LABELS)
        age = GaugeMetricFamily(
            "reference_sync_last_success_age_seconds",
            "Age of what this replica published last; the least over all replicas is the site's.",
            labels=LABELS,
        )
        for topic, coordinator in self._app[keys.COORDINATORS].items():
            labels = [topic.subject, topic.site_id]
            held.add_metric(labels, float(topic in tokens.held))
            lost.add_metric(labels, tokens.lost[topic])
            if (last := coordinator.condition.last_success) is not None:
                age.add_metric(labels, (now - last).total_seconds())
        yield from (held, lost, age)

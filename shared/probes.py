"""The four answers that a cluster asks of either service: is it alive, is it ready, how is it, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4


@dataclass(frozen=True, slots=True)
class Health:
    """Good, or the reasons why not: sentences without secrets."""

    reasons: Sequence[str] = ()

    @property
    def good(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons


class Probed(Protocol):
    """A service that can tell how it is."""

    @property
    def registry(self) -> CollectorRegistry:
        """Its metrics."""
        ...

    def liveness(self) -> Health:
        """The process and its loops; never anything that a restart would not mend."""
        ...

    def readiness(self) -> Health:
        """Whether requests should come here."""
        ...

    def status(self) -> Mapping[str, object]:
        """The same for people, as JSON."""
        ...


PROBED: Final = web.AppKey("probed", Probed)

# A time for each label of each counter, which nobody asks for and which doubles the page.
disable_created_metrics()  # type: ignore[no-untyped-call]

NEVER_STORED: Final = {"Cache-Control": "no-store"}


def truths(name: str, documentation: str, label: str, values: Mapping[str, bool]) -> Metric:
    """A gauge that is 1 or 0 for each value of its one label, all of which are always there."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, true in values.items():
        family.add_metric([value], float(true))
    return family


async def healthz(request: web.Request) -> web.Response:
    """Whether the process and its loops are alive: 200, or 503 with the reasons."""
    return _health(request.app[PROBED].liveness())


async def readyz(request: web.Request) -> web.Response:
    """Whether the service is ready to serve: 200, or 503 with the reasons."""
    return _health(request.app[PROBED].readiness())


async def metrics(request: web.Request) -> web.Response:
    """Metrics in Prometheus' text format."""
    body = generate_latest(request.app[PROBED].registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, **NEVER_STORED})


async def status(request: web.Request) -> web.Response:
    """The state of the service for people."""
    return _json(request.app[PROBED].status())


def _health(health: Health) -> web.Response:
    answer = {"status": "ok" if health.good else "failing", "reasons": list(health.reasons)}
    return _json(answer, status=200 if health.good else 503)


def _json(answer: Mapping[str, object], *, status: int = 200) -> web.Response:
    body = orjson.dumps(dict(answer), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
    return web.Response(body=body, status=status, content_type="application/json", headers=NEVER_STORED)

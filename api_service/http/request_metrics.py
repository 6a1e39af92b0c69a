"""How many requests were answered, and how long that took, by route."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BOUNDS: Final = Histogram.DEFAULT_BUCKETS
"""Seconds; the last is infinite."""


class RequestMetrics(Collector):
    """Counted by the event loop alone: the locks of prometheus_client's own would cost a tenth of a small answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self._within: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(BOUNDS))
        self._seconds: defaultdict[str, float] = defaultdict(float)
        registry.register(self)

    def count(self, route: str, method: str, status: int) -> None:
        """Counts an answer; `route` and `method` are two of few."""
        self._answered[route, method, status] += 1

    def time(self, route: str, seconds: float) -> None:
        """Adds how long one took."""
        self._within[route][bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        """Both as Prometheus has them."""
        labels = ["route", "method", "status"]
        answered = CounterMetricFamily("reference_api_requests", "Requests answered.", labels=labels)
        for (route, method, status), count in self._answered.items():
            answered.add_metric([route, method, str(status)], count)
        yield answered
        took = HistogramMetricFamily("reference_api_request_seconds", "Time to answer.", labels=["route"])
        for route, counts in self._within.items():
            buckets = zip(map(floatToGoString, BOUNDS), accumulate(counts), strict=True)
            took.add_metric([route], [*buckets], self._seconds[route])
        yield took

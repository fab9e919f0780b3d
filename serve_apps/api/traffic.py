"""What this replica served: requests by route and status, latencies, load; for /metrics."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Latency:
    """A histogram that costs half a microsecond an observation."""

    __slots__ = ("buckets", "total_seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_SECONDS) + 1)
        self.total_seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
        counts = itertools.accumulate(self.buckets)
        return [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)]


class RouteTraffic:
    """One route's counts."""

    __slots__ = ("latency", "route", "statuses")

    def __init__(self, route: str) -> None:
        self.route = route
        self.statuses: dict[int, int] = {}
        self.latency = Latency()

    def observe(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latency.observe(seconds)


class Traffic(Collector):
    """All of a replica's counts. `gauges` are read when scraped: name -> (help, value)."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        self.in_flight = 0
        self.routes: dict[str, RouteTraffic] = {}
        self.books: dict[str, Latency] = {}
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "aiqleads_requests_in_flight": (
                "Requests being served",
                lambda: float(self.in_flight),
            ),
        }
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def route(self, route: str) -> RouteTraffic:
        found = self.routes.get(route)
        if found is None:
            found = self.routes[route] = RouteTraffic(route)
        return found

    def book(self, market: str) -> Latency:
        found = self.books.get(market)
        if found is None:
            found = self.books[market] = Latency()
        return found

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "aiqleads_requests", "Answered requests", labels=["replica", "route", "status"]
        )
        latency = HistogramMetricFamily(
            "aiqleads_request_seconds", "Time to answer", labels=["replica", "route"]
        )
        for traffic in self.routes.values():
            for status, count in traffic.statuses.items():
                requests.add_metric([self.replica, traffic.route, str(status)], count)
            latency.add_metric(
                [self.replica, traffic.route],
                traffic.latency.cumulative(),
                traffic.latency.total_seconds,
            )
        yield requests
        yield latency
        books = HistogramMetricFamily(
            "aiqleads_book_seconds",
            "Time a market's book took to answer a command",
            labels=["replica", "market"],
        )
        for market, observed in self.books.items():
            books.add_metric([self.replica, market], observed.cumulative(), observed.total_seconds)
        yield books
        for name, (help_text, read) in self.gauges.items():
            gauge = GaugeMetricFamily(name, help_text, labels=["replica"])
            gauge.add_metric([self.replica], read())
            yield gauge

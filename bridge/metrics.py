"""What is counted, for Prometheus; one registry for each bridge."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)


class Metrics:
    """The bridge's counters and gauges."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "bridge_deliveries_total",
            "Deliveries by answer",
            ["answer"],
            registry=self.registry,
        )
        self.jobs = Counter(
            "bridge_jobs_total",
            "Runs of jobs by action and what came of them",
            ["action", "state"],
            registry=self.registry,
        )
        self.messages = Counter(
            "bridge_messages_total",
            "Messages by provider and state",
            ["provider", "state"],
            registry=self.registry,
        )
        self.decisions = Histogram(
            "bridge_decision_seconds",
            "Time to answer a decision, the panel's answers included",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.waiting = Gauge(
            "bridge_jobs_now", "Jobs by state", ["state"], registry=self.registry
        )
        self.map_bad = Gauge(
            "bridge_map_bad",
            "1 while the newest map is bad and the last good one is in use",
            registry=self.registry,
        )
        self.circuit = Gauge(
            "bridge_circuit_open",
            "1 while calls to a service are held back",
            ["service"],
            registry=self.registry,
        )
        self.dry_run = Gauge(
            "bridge_dry_run",
            "1 while nothing is sent or changed",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Return everything in the exposition format."""
        return generate_latest(self.registry)

"""`/metrics`: what Prometheus reads of the device, found out at the moment it asks.

Nothing is counted for it: the figures are those of the health message, of the states that were published last, and of
the book of alerts. A count that is unknown has no sample, and `shelfwatch_item_unknown` says so: a rule on `count == 0`
never fires for a shelf that cannot be read.
"""

import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from edge_agent.dashboard.behind import Behind
from edge_agent.messages import PICTURE_REASONS, shelf_status

MIB = 2**20


def router(behind: Behind) -> APIRouter:
    """The route, which is not part of the API below `/api`."""
    routes = APIRouter(tags=["metrics"])
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(behind))

    @routes.get("/metrics", response_class=Response, summary="Metrics for Prometheus, as text.")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes


class Metrics(Collector):
    """All metrics of the device, as they are now."""

    def __init__(self, behind: Behind) -> None:
        """Read from the parts behind the page."""
        self._behind = behind

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: what there is depends on the configuration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric with its samples."""
        yield from self._device()
        yield from self._cameras()
        yield from self._shelves()
        yield from self._alerts()

    def _device(self) -> Iterator[Metric]:
        running, settings = self._behind.running, self._behind.running.settings
        vitals, counters = running.vitals(), self._behind.health.counters()
        model = running.model.info
        about = {"version": version("shelfwatch"), "site": settings.site, "device": settings.device}
        yield InfoMetricFamily(
            "shelfwatch_build",
            "Version, name and model of the agent.",
            {**about, "model": model.id, "sha256": model.sha256},
        )
        yield _gauge("uptime_seconds", "Since the agent began to count.", counters["uptime_s"])
        yield _counter("frames", "Pictures that were looked at.", counters["frames"])
        yield _counter("frames_replaced", "Pictures that newer ones replaced unseen.", vitals["frames_replaced"])
        yield _gauge("unread_ratio", "Share of looks at slots that could not be read.", counters["unread_ratio"])
        for quantile in ("p50", "p95"):
            millis = vitals[f"inference_ms_{quantile}"]
            yield _gauge(
                f"inference_{quantile}_seconds",
                f"Time of one batch of crops, {quantile}.",
                None if millis is None else millis / 1000,
            )
        yield _gauge("temperature_celsius", "The hottest sensor of the device.", vitals["temperature_c"])
        free_mb = vitals["disk_free_mb"]
        free_bytes = None if free_mb is None else free_mb * MIB
        yield _gauge("disk_free_bytes", "Free where the outbox lies.", free_bytes)
        yield _gauge("outbox_events", "Events that wait for the broker or its consumer.", vitals["outbox_depth"])
        yield _gauge(
            "outbox_oldest_seconds", "How long the oldest has waited; 0: none.", vitals["outbox_oldest_s"] or 0
        )
        yield _gauge("outbox_trouble", "1 while the disk is not used.", vitals["outbox_trouble"] is not None)
        yield _gauge("broker_connected", "1 while there is a connection.", running.outlet.mqtt.tally.connected)
        yield _counter("broker_reconnects", "Connections to the broker beyond the first.", vitals["reconnects"])

    def _cameras(self) -> Iterator[Metric]:
        running = self._behind.running
        age = _gauge("camera_frame_age_seconds", "Since the newest picture; none before the first.", labels=("camera",))
        up = _gauge("camera_up", "1 while pictures come, good or bad.", labels=("camera",))
        usable = _gauge("camera_usable", "1 while they are ones to count in.", labels=("camera",))
        stale = _counter("camera_frames_stale", "Pictures that came too late.", labels=("camera",))
        bad = _counter("camera_pictures_bad", "Pictures not to be counted in.", labels=("camera",))
        for feed in list(running.feeds):
            camera = [feed.watch.camera]
            if feed.seen_s is not None:
                age.add_metric(camera, max(0.0, time.monotonic() - feed.seen_s))
            if feed.said != "":  # nothing is known of it yet
                up.add_metric(camera, float(feed.said is None or feed.said in PICTURE_REASONS))
                usable.add_metric(camera, float(feed.said is None))
            stale.add_metric(camera, feed.stale)
            bad.add_metric(camera, feed.bad)
        yield from (age, up, usable, stale, bad)

    def _shelves(self) -> Iterator[Metric]:
        running = self._behind.running
        item = ("shelf", "camera", "sku")
        count = _gauge("item_count_facings", "Facings of a product; no sample while unknown.", labels=item)
        least = _gauge("item_at_least_facings", "Facings that can be vouched for even then.", labels=item)
        expected = _gauge("item_expected_facings", "Facings that are planned.", labels=item)
        unknown = _gauge("item_unknown", "1 while the count is unknown.", labels=item)
        hidden = _gauge("shelf_unknown_slots", "Slots that cannot be vouched for.", labels=("shelf", "camera"))
        status = _gauge("shelf_status", "1 for the status in force.", labels=("shelf", "camera", "status"))
        said = running.outlet.delivery.said()
        for shelf in (shelf for feed in list(running.feeds) for shelf in feed.watch.shelves):
            now = said.get(shelf.id)
            hidden.add_metric([shelf.id, shelf.camera], len(shelf.slots) if now is None else now.unknown_slots)
            in_force = "unknown" if now is None else shelf_status(now)
            for word in ("ok", "low", "out", "unknown"):
                status.add_metric([shelf.id, shelf.camera, word], float(in_force == word))
            items = {item.sku: item for item in now.items} if now is not None else {}
            for sku in shelf.expected | items:
                names, each = [shelf.id, shelf.camera, sku], items.get(sku)
                if each is not None and each.count is not None:
                    count.add_metric(names, each.count)
                least.add_metric(names, each.at_least if each is not None else 0)
                expected.add_metric(names, shelf.expected.get(sku, 0))
                unknown.add_metric(names, float(each is None or each.count is None))
        yield from (count, least, expected, unknown, hidden, status)

    def _alerts(self) -> Iterator[Metric]:
        book = self._behind.running.outlet.alerting.book
        told, waiting = ([entry.kind for entry in half] for half in (book.told, book.waiting))
        total = _gauge("alerts_open", "Alerts that were told and are not over, by kind.", labels=("kind",))
        unseen = _gauge("alerts_unacknowledged", "Of these, those that nobody has seen to.", labels=("kind",))
        for kind in ("low_stock", "out_of_stock", "misplaced", "view_lost"):
            total.add_metric([kind], told.count(kind))
            unseen.add_metric([kind], waiting.count(kind))
        yield from (total, unseen)


def _gauge(name: str, words: str, value: Any = None, *, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    """A gauge, with its one sample where it has a value and no labels: what is unknown has none."""
    family = GaugeMetricFamily(f"shelfwatch_{name}", words, labels=labels or None)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _counter(name: str, words: str, value: float | None = None, *, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    """A counter, of which Prometheus knows the `_total`."""
    family = CounterMetricFamily(f"shelfwatch_{name}", words, labels=labels or None)
    if value is not None:
        family.add_metric([], value)
    return family

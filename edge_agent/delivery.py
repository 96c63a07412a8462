"""What a step found → events in the outbox and snapshots for the publisher: only what changed, plus a heartbeat."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from edge_agent.alerts.alerting import Alerting
from edge_agent.alerts.bodies import alert_body, alerts_payload
from edge_agent.alerts.book import Acknowledged, Entry
from edge_agent.alerts.telling import Telling
from edge_agent.messages import (
    ModelInfo,
    Topics,
    camera_payload,
    counts_body,
    state_payload,
)
from edge_agent.mqtt.publish import Publisher
from edge_agent.outbox.outbox import Outbox
from edge_agent.outcome import Outcome
from edge_agent.shelf import CameraError, Count, Item, Shelf


class Diary(Protocol):
    """Who keeps what is delivered on the device: `edge_agent.history.writer.History`. None of it may take long."""

    def keep(self, body: Mapping[str, Any], items: Sequence[Item] = ()) -> None:
        """Keep the body of an event; `items` are the products of a shelf whose counts it tells."""

    def camera(self, camera: str, reason: str | None) -> None:
        """Keep that a camera went or came."""

    def removed(self, shelf: str) -> None:
        """Keep that there is no such shelf any more."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What was last said of a shelf: the count, of which slots, and when (`clock_s` of its frame)."""

    count: Count
    slots: tuple[str, ...]
    clock_s: float


@dataclass(frozen=True, slots=True)
class Ways:
    """Where it goes: events into the outbox, states to the publisher; the diary keeps on the device what was said."""

    outbox: Outbox
    publisher: Publisher
    diary: Diary | None = None
    """None where nothing is kept on the device."""


class Delivery:
    """The last station of a step: one transaction of the outbox, then the retained states as of it.

    A state says what its frame shows, so the heartbeat of a shelf that is held waits until it is clear or unknown.
    """

    def __init__(
        self, topics: Topics, ways: Ways, model: ModelInfo, alerting: Alerting, *, heartbeat_s: float = 60.0
    ) -> None:
        """Deliver for one device; `alerting` says what becomes of the alerts that are found."""
        self._topics, self._model, self.alerting = topics, model, alerting
        self._outbox, self._publisher, self._diary = ways.outbox, ways.publisher, ways.diary
        self._heartbeat_s = heartbeat_s
        self._last: dict[str, _Said] = {}
        self.changes = 0
        self.alerts = 0

    def deliver(self, shelves: Iterable[Shelf], outcome: Outcome) -> None:
        """Store the events of a step, and pass on the states that are new or due."""
        now, frame = datetime.now(UTC), outcome.frame
        shelves = tuple(shelves)
        slots = {shelf.id: tuple(slot.id for slot in shelf.slots) for shelf in shelves}
        events: list[tuple[str, dict[str, Any]]] = []
        for count in outcome.counts:
            if count.shelf in outcome.changed:
                before = self._before(count.shelf, slots[count.shelf])
                if before is None or before.reading != count.reading:  # the same again after a recount is no event
                    body = counts_body(count, before, slots[count.shelf], frame, ts=now, model=self._model)
                    events.append((self._topics.event(count.shelf), body))
        self.changes += len(events)
        told = self.alerting.take(shelves, outcome, at=now)
        events += self._bodies(told, now)
        if events:
            self._outbox.put(events)
            self._note(outcome.counts, [body for _, body in events])
        self.alerting.keep()
        if told or outcome.alerts:
            self.list_alerts()
        for count in outcome.counts:
            sent_s = self._last[count.shelf].clock_s if count.shelf in self._last else float("-inf")
            due = frame.clock_s - sent_s >= self._heartbeat_s and count.shelf not in outcome.held
            if count.shelf in outcome.changed or due:
                epoch, seq = self._outbox.epoch, self._outbox.last_seq()
                state = state_payload(count, frame, ts=now, epoch=epoch, as_of_seq=seq, model=self._model)
                self._publisher.retain(self._topics.state(count.shelf), state)
                self._last[count.shelf] = _Said(count, slots[count.shelf], frame.clock_s)

    def _bodies(self, told: Iterable[Telling], now: datetime) -> list[tuple[str, dict[str, Any]]]:
        """The events of what is told of alerts."""
        events = []
        for telling in told:
            self.alerts += telling.notify and telling.type != "reminder"
            body = alert_body(telling, ts=now, model=self._model, evidence=self.alerting.evidence(telling))
            events.append((self._topics.event(telling.alert.shelf), body))
        return events

    def acknowledge(self, alert: str, *, by: str, note: str | None) -> Entry | str:
        """Note, and publish, that somebody sees to an alert: the alert, or a sentence that says why not."""
        now = datetime.now(UTC)
        done = self.alerting.acknowledge(alert, Acknowledged(now, by, note))
        if isinstance(done, str):
            return done
        entry, told = done
        if events := self._bodies(told, now):
            self._outbox.put(events)
            self._note((), [body for _, body in events])
        self.alerting.keep()
        self.list_alerts()
        return entry

    def list_alerts(self) -> None:
        """Publish what is open."""
        self._publisher.retain(self._topics.alerts, alerts_payload(self.alerting.book, ts=datetime.now(UTC)))

    def _note(self, counts: Iterable[Count], bodies: Iterable[Mapping[str, Any]]) -> None:
        """Have the diary keep what was stored for the broker."""
        if self._diary is not None:
            items = {count.shelf: count.items for count in counts}
            for body in bodies:
                self._diary.keep(body, items.get(body.get("shelf", ""), ()))

    def said(self) -> dict[str, Count]:
        """What was last said of each shelf that was heard of, also while its camera is gone. From any thread."""
        return {shelf: said.count for shelf, said in list(self._last.items())}

    def _before(self, shelf: str, slots: tuple[str, ...]) -> Count | None:
        """What was last said of a shelf; None where nothing was, or of other slots."""
        said = self._last.get(shelf)
        return said.count if said is not None and said.slots == slots else None

    def change(self, model: ModelInfo, shelves: Iterable[str]) -> None:
        """Go on with another configuration: the model that counts from now on, and the shelves that there are."""
        self._model = model
        stay = set(shelves)
        if self._diary is not None:
            for shelf in self._last.keys() - stay:
                self._diary.removed(shelf)
        self._last = {shelf: said for shelf, said in self._last.items() if shelf in stay}

    def camera(self, camera: str, problem: CameraError | None) -> None:
        """Publish that a camera came or went, or that its pictures became bad or good."""
        reason = problem.reason if problem is not None else None
        if self._diary is not None:
            self._diary.camera(camera, reason)
        payload = camera_payload(reason=reason, since=datetime.now(UTC))
        self._publisher.retain(self._topics.camera(camera), payload)

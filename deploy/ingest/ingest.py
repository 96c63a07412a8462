"""Events of all devices → PostgreSQL, each exactly once, and back to the devices how far they are stored.

    python ingest.py ingest.toml [--init] [--partition 2/4]

The order is the point: store and commit, then acknowledge to the broker, then tell the device. Whatever dies in
between, somebody still has the event and sends it again, and the key (site, device, epoch, seq) keeps it from counting
twice. While the database is away nothing is acknowledged: the broker keeps what it can, the devices keep everything.
"""

import argparse
import json
import logging
import random
import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import settings as configuration
from intake import LARGEST_BYTES, Event, Rejected, device_of, partition_of, read
from store import Store, StoreError, Watermark

log = logging.getLogger("ingest")

BATCH = 500
"""Events that are stored at once, and that the broker may send unacknowledged."""
TOO_MANY = 20 * BATCH
"""A broker that sends on without acknowledgements is left alone from here on, until the database is back."""
SESSION_EXPIRY_S = 7 * 24 * 3600
BACK_OFF_S = (1.0, 60.0)
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, AssertionError, struct.error, MQTTException)
"""What paho raises on bytes that are not MQTT."""
REFUSED = (134, 135)  # user name or password, not authorized
CONFIGURATION = 78


class Connection:
    """One connection to the broker, from CONNECT on; messages gather in `batch` until they are acknowledged."""

    def __init__(self, settings: configuration.Settings) -> None:
        """Connect.

        Raises:
            OSError: The broker is not there, or its certificate is not to be trusted.
            SettingsError: It refuses who we are.
        """
        self._settings = settings
        self.batch: list[tuple[paho.MQTTMessage, Event | Rejected]] = []
        version = paho.MQTTv5 if settings.five else paho.MQTTv311
        clean = None if settings.five else False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, settings.client_id, clean, protocol=version, manual_ack=True
        )
        self._client.on_connect, self._client.on_subscribe = self._welcomed, self._subscribed
        self._client.on_message = self._take
        self._refusal: str | None = None
        if settings.username is not None:
            self._client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            self._client.tls_set_context(settings.tls)
        options: dict[str, Any] = {}
        if settings.five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval, properties.ReceiveMaximum = SESSION_EXPIRY_S, BATCH
            options = {"clean_start": False, "properties": properties}
        self._client.connect(settings.host, settings.port, keepalive=30, **options)

    def turn(self, timeout_s: float) -> bool:
        """One turn of the network; whether the connection still stands.

        Raises:
            SettingsError: The broker refuses who we are, or what we ask for.
        """
        try:
            stands = self._client.loop(timeout=timeout_s) == paho.MQTT_ERR_SUCCESS
        except MALFORMED:
            stands = False
        if self._refusal is not None:
            raise configuration.SettingsError(self._refusal)
        return stands

    def acknowledge(self, marks: list[Watermark]) -> None:
        """Tell the broker that the batch is stored, and the devices how far."""
        for message, _ in self.batch:
            self._client.ack(message.mid, message.qos)
        self.batch.clear()
        for mark in marks:
            payload = json.dumps({"epoch": mark.epoch, "seq": mark.seq})
            self._client.publish(f"shelfwatch/{mark.site}/{mark.device}/ack", payload, qos=1, retain=True)

    def leave(self) -> None:
        """Close; the broker keeps what is not acknowledged for the next connection."""
        self._client.disconnect()
        self._client.loop(timeout=0.1)

    def _welcomed(self, client: paho.Client, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        where = f"{self._settings.host}:{self._settings.port}"
        if code.value in REFUSED:
            self._refusal = f"broker {where} refuses us ({code}). Mend username and password_file under [broker]."
        elif not code.is_failure:
            client.subscribe(self._settings.subscription, qos=1)
            log.info("connected to %s, reading %s", where, self._settings.subscription)
        else:
            log.warning("broker %s refuses the connection (%s)", where, code)

    def _subscribed(self, _client: paho.Client, _userdata: Any, _mid: int, codes: Any, _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._refusal = (
                f"the broker does not let us read {self._settings.subscription} ({codes[0]}). Allow it; a broker"
                ' without shared subscriptions needs protocol = "3.1.1" under [broker], and partitions.'
            )

    def _take(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "not UTF-8"
        mine, of = self._settings.partition
        device = device_of(topic)
        if of > 1 and partition_of(device or topic, of) != mine:
            client.ack(message.mid, message.qos)
        else:
            self.batch.append((message, read(topic, bytes(message.payload[: LARGEST_BYTES + 1]))))


class Pauses:
    """Longer and longer pauses, with full jitter, until something works again."""

    def __init__(self) -> None:
        """None so far."""
        self._longest_s, self._until_s = BACK_OFF_S[0], 0.0

    def failed(self) -> float:
        """Another failure; the pause in seconds."""
        pause_s = random.uniform(0.1, self._longest_s)
        self._longest_s, self._until_s = min(BACK_OFF_S[1], 2 * self._longest_s), time.monotonic() + pause_s
        return pause_s

    def worked(self) -> None:
        """It works."""
        self._longest_s, self._until_s = BACK_OFF_S[0], 0.0

    @property
    def over(self) -> bool:
        """Whether it may be tried again."""
        return time.monotonic() >= self._until_s


class Ingest:
    """From the broker into the database, until `stop` is set."""

    def __init__(self, settings: configuration.Settings, store: Store) -> None:
        """Join the two; nothing is connected yet."""
        self._settings, self._store = settings, store
        self._database = Pauses()
        self._complaint = ""
        self.stop = threading.Event()

    def run(self) -> None:
        """Ingest.

        Raises:
            SettingsError: The broker refuses us.
        """
        network = Pauses()
        while not self.stop.is_set():
            try:
                connection = Connection(self._settings)
                self._serve(connection, network)
            except OSError as error:
                self._complain(f"broker {self._settings.host}:{self._settings.port} is not there ({error})")
            self.stop.wait(network.failed())
        self._store.close()

    def _serve(self, connection: Connection, network: Pauses) -> None:
        while not self.stop.is_set():
            before = len(connection.batch)
            may_store = before > 0 and self._database.over
            if not connection.turn(0.0 if may_store else 0.2):
                self._complain("the connection to the broker is gone")
                return
            if may_store and (len(connection.batch) == before or before >= BATCH):
                self._store_batch(connection)
                network.worked()
            elif len(connection.batch) > TOO_MANY:
                break
        connection.leave()

    def _store_batch(self, connection: Connection) -> None:
        """Store what has gathered, and acknowledge it; where the database is away, it waits."""
        try:
            marks = self._store.commit([message for _, message in connection.batch])
        except StoreError as error:
            self._database.failed()
            self._complain(str(error))
            return
        self._database.worked()
        self._complaint = ""
        for _, message in connection.batch:
            if isinstance(message, Rejected):
                log.warning("rejected a message on %s: %s", message.topic, message.reason)
        connection.acknowledge(marks)

    def _complain(self, words: str) -> None:
        """Say what is wrong, once until it changes."""
        if words != self._complaint:
            log.warning("%s; trying again", words.removesuffix("."))
        self._complaint = words


def main() -> int:
    """Run; the exit status is 0 after SIGTERM, and 78 where an operator must act."""
    options = argparse.ArgumentParser(description="Stores shelfwatch's events in PostgreSQL, each exactly once.")
    options.add_argument("settings", type=Path, help="ingest.toml")
    options.add_argument("--init", action="store_true", help="make the tables first, where they are not there")
    options.add_argument("--partition", help="on MQTT 3.1.1 the share of this ingest, such as 2/4")
    given = options.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = configuration.load(given.settings, given.partition)
        store = Store(settings.conninfo, settings.db_password)
        if given.init:
            store.prepare()
        ingest = Ingest(settings, store)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ingest.stop.set())
        ingest.run()
    except (configuration.SettingsError, StoreError) as error:
        sys.stderr.write(f"error: {error}\n")
        return CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())

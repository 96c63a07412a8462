"""A device that counts nothing and publishes everything: the real outbox and publisher, without camera and model.

    python -m benchmarks.faults.writer FOLDER PORT DEVICE RUN RATE DELIVERY

It stores RATE events a second, some at a time, each named "RUN-number", and writes to standard output how many have
been committed. With RATE 0 it stores none, and ends when its outbox is empty.
"""

import itertools
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.faults.services import SITE
from edge_agent.messages import Topics, timestamp
from edge_agent.mqtt.broker import Broker
from edge_agent.mqtt.publish import MqttPublisher
from edge_agent.outbox.outbox import Outbox

AT_ONCE = 6


def main() -> int:
    """Write until told to stop."""
    folder, port, device, run, rate, delivery = sys.argv[1:]
    topics = Topics(SITE, device)
    outbox = Outbox(Path(folder) / f"{device}.db", ballast_bytes=0)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    broker = Broker(
        "127.0.0.1", int(port), client_id=device, delivery="broker" if delivery == "broker" else "end-to-end"
    )
    publisher = MqttPublisher(broker, topics, outbox, on_fatal=stop.set)
    publisher.start()
    if int(rate):
        for number in itertools.count(step=AT_ONCE):
            ts = timestamp(datetime.now(UTC))
            names = [f"{run}-{number + nth}" for nth in range(AT_ONCE)]
            outbox.put([(topics.event("s1"), {"type": "counts", "shelf": "s1", "ts": ts, "n": name}) for name in names])
            if outbox.trouble is None:
                os.write(1, f"{run} {number + AT_ONCE}\n".encode())
            if stop.wait(AT_ONCE / int(rate)):
                break
    else:
        while outbox.depth() and not stop.wait(0.1):
            pass
    publisher.stop()
    outbox.close()
    return 0 if publisher.fatal is None else 1


if __name__ == "__main__":
    sys.exit(main())

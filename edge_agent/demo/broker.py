"""An MQTT broker inside the process, so that the demo needs none of the user's."""

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Self

from amqtt.broker import Broker

from edge_agent.shelf import BrokerError

START_TIMEOUT_S = 10.0


class EmbeddedBroker:
    """amqtt (MQTT 3.1.1, retained messages) on a loopback port, in a thread of its own. A context."""

    def __init__(self, port: int) -> None:
        """Choose the port; 0, or one that is taken, becomes a free one."""
        self.port = free_port(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)
        self._broker: Broker | None = None

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            BrokerError: It does not start.
        """
        for name in ("amqtt", "transitions"):  # what the broker says of itself is no news in a demo
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(START_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            raise BrokerError(
                f"the embedded broker does not start on port {self.port} ({error}). Name another with --port."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and end the thread."""
        if self._broker is not None:
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(START_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _start(self) -> None:
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        self._broker = Broker(config, loop=self._loop)
        await self._broker.start()


def free_port(wanted: int) -> int:
    """A port of 127.0.0.1 on which nobody listens: the one that is wanted, or another.

    Raises:
        BrokerError: There is none.
    """
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise BrokerError("there is no free port on 127.0.0.1 for the demo. End a program that listens there.")

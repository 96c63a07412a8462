"""The page's server: in a thread of its own, beside the counting."""

import logging
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from edge_agent.dashboard.app import app_of
from edge_agent.dashboard.behind import Behind
from edge_agent.shelf import ConfigError

log = logging.getLogger(__name__)

STOP_S = 1.0
"""How long open requests may take to end when the agent stops."""


class Server:
    """Serves the page while its context is entered. What goes wrong in it never reaches the counting."""

    def __init__(self, behind: Behind) -> None:
        """Take the port; nothing is served before the context is entered.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        section = behind.running.settings.dashboard
        self._socket = _listening(section.host, section.port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app_of(behind), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=int(STOP_S)
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="dashboard", daemon=True
        )

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is open."""
        self._server.should_exit = True
        self._thread.join(STOP_S + 1)
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"the page cannot be served on {host}, port {port} ({error.strerror}). Set host or port under [dashboard]"
            " to one that is free, or enabled = false."
        ) from error

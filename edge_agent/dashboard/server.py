"""The page's server: in a thread of its own, beside the counting."""

import asyncio
import logging
import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_agent.dashboard.app import app_of
from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.door.access import access_of
from edge_agent.page import address_here, listen

log = logging.getLogger(__name__)

STOP_S = 1
"""How long open requests may take to end when the agent stops."""
REQUEST_S, STALLED_S = 10.0, 15.0
"""How long a request's headers may take to come, and how long a client may take nothing of what is sent to it."""
IDLE_S = 10
"""How long a connection is kept for another request."""
CONNECTIONS_MAX, OF_AN_ADDRESS_MAX = 256, 96
BACKLOG = 128
AGAIN_S = 10.0
"""An address that cannot be listened on is tried again after so long: a port gets free, a network comes."""
HEADERS_MAX_BYTES = 32 * 1024


class Connection(H11Protocol):
    """A connection that nobody can keep open by doing nothing."""

    _request_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, unless there are too many; its first request is to come soon."""
        super().connection_made(transport)
        clients = [getattr(each, "client", None) for each in self.connections]
        here = Counter(client[0] for client in clients if client)
        if len(self.connections) > CONNECTIONS_MAX or (
            self.client is not None and here[self.client[0]] > OF_AN_ADDRESS_MAX
        ):
            transport.abort()
            return
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Something of a request: all of its headers are to come soon."""
        self._expect_request()
        super().data_received(data)
        if self._answering:
            self._drop_request_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._drop_request_timer()
        self._drop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes nothing: not for long."""
        super().pause_writing()
        self._write_timer = self._write_timer or self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        self._drop_write_timer()
        super().resume_writing()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_request(self) -> None:
        if self._request_timer is None and not self._answering:
            self._request_timer = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _drop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _drop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class Server:
    """Serves the page while its context is entered. What goes wrong in it never reaches the counting."""

    def __init__(self, behind: Behind) -> None:
        """Take the port, if it can be had already; nothing is served before the context is entered.

        Raises:
            ConfigError: The page would be open to everybody, or its password or certificate cannot be read.
        """
        section = behind.running.settings.dashboard
        self._behind = behind
        self.problem: str | None = None
        """Why the page cannot be served at present, in words; None while it can."""
        self.port: int = section.port
        self._socket = self._listening()
        try:
            self.access = access_of(behind.running.settings, self.port)
            self.app = app_of(behind, self.access)
            self._server = uvicorn.Server(
                uvicorn.Config(
                    self.app,
                    http=Connection,
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    log_level="critical",  # what goes wrong in a request, the guard logs
                    access_log=False,
                    proxy_headers=False,  # anybody could write there who he is not
                    server_header=False,
                    backlog=BACKLOG,
                    h11_max_incomplete_event_size=HEADERS_MAX_BYTES,
                    timeout_keep_alive=IDLE_S,
                    timeout_graceful_shutdown=STOP_S,
                    ssl_certfile=section.cert_file,
                    ssl_keyfile=section.key_file,
                )
            )
        except BaseException:
            if self._socket is not None:
                self._socket.close()
            raise
        self._thread = threading.Thread(target=self._serve, name="dashboard", daemon=True)

    @property
    def url(self) -> str:
        """Where it is found from this device."""
        return address_here(self._behind.running.settings.dashboard, self.port)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def leave(self) -> None:
        """Begin to end what is open, and wait for nothing."""
        self._behind.closing.set()
        self._server.should_exit = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is open."""
        self.close(STOP_S + 1)

    def close(self, timeout_s: float) -> None:
        """End what is open, and wait for it, for so many seconds at most."""
        self.leave()
        self._thread.join(timeout_s)
        if self._socket is not None:
            self._socket.close()
        self.app.state.pictures.forget()
        self.access.threads.shutdown(wait=False, cancel_futures=True)

    def _serve(self) -> None:
        """The thread."""
        try:
            while self._socket is None:
                if self._behind.closing.wait(AGAIN_S):
                    return
                self._socket = self._listening()
            log.info("the page is at %s", self.url)
            self._server.run(sockets=[self._socket])
        except Exception:
            log.exception("the page has ended; counting goes on. Restart the agent to have it back")

    def _listening(self) -> socket.socket | None:
        """Listen, or say once why not: a port that is taken keeps nobody from counting."""
        section = self._behind.running.settings.dashboard
        try:
            found = listen(section.host, section.port)
        except OSError as error:
            reason = str(error.strerror).partition(" (while")[0]  # what follows repeats the address
            words = (
                f"the page cannot be served on {section.host}, port {section.port} ({reason}); it is tried"
                " again, and counting goes on. Set host or port under [dashboard] to one that is free, or"
                " enabled = false."
            )
            if words != self.problem:
                log.warning("%s", words)
            self.problem = words
            return None
        self.port, self.problem = found.getsockname()[1], None
        return found

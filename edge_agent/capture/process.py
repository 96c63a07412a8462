"""Starts and ends the process of a camera, and takes in what it says."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.capture import handover
from edge_agent.capture.handover import Offer, Order, Receiver
from edge_agent.capture.outages import outage
from edge_agent.exits import signal_name
from edge_agent.shelf import CameraError

ENDING_S = 2.0
"""How long a process that was killed may take to be gone; one that waits inside a driver may stay for ever."""
LAST_WORDS_S = 0.5
STREAM_OPTIONS = (
    "rtsp_transport;tcp",
    "fflags;nobuffer",  # without these two, opening takes 3 s rather than 1 s, and begins with a second of old pictures
    "analyzeduration;500000",
    "protocol_whitelist;rtsp,rtsps,rtp,udp,tcp,tls,http,https,httpproxy,crypto,hls,data",
)
KEY_FRAMES = "avdiscard;nonkey"
NOT_ITS_BUSINESS = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY"}
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}


def environment(order: Order) -> dict[str, str]:
    """The environment of a camera's process. OPENCV_FFMPEG_CAPTURE_OPTIONS, where an operator set them, stay."""
    ours = {name: value for name, value in os.environ.items() if name not in NOT_ITS_BUSINESS}
    options = ours.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", "|".join(STREAM_OPTIONS))
    home = str(Path(__file__).resolve().parents[2])
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join(filter(None, (home, ours.get("PYTHONPATH")))),
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"{options}|{KEY_FRAMES}" if order.key_frames else options,
        "OPENCV_FFMPEG_LOGLEVEL": "16",  # errors: the only place that says why a stream does not open
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(max(1, int(order.silent_s) - 1)),
        "OPENBLAS_NUM_THREADS": "1",  # threads and 30 MB that a camera has no use for
        "OMP_NUM_THREADS": "1",
    }


class CameraProcess:
    """A process for one opening of one camera."""

    def __init__(self, order: Order) -> None:
        """Start it.

        Raises:
            CameraError: No process can be started.
        """
        self._order = order
        try:
            self._connection, theirs = handover.pair()
            with theirs:
                self._process = self._started(theirs.fileno())
        except OSError as error:
            what = f"cannot be given a process, as the device runs out of something ({error.strerror})"
            raise outage(order.source, "timeout", what) from error
        self._receiver = Receiver(self._connection)
        with contextlib.suppress(OSError):  # it has died already, which `messages` tells
            order.write(self._connection)

    def _started(self, order_fd: int) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "edge_agent.capture.child"],
                stdin=order_fd,
                stdout=subprocess.DEVNULL,
                env=environment(self._order),
                process_group=0,  # Ctrl-C is ours to handle
            )
        except OSError:
            self._connection.close()
            raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def wait(self, timeout_s: float) -> None:
        """Wait until it says something, or is gone."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.poll(max(0.0, timeout_s) * 1000)

    def messages(self) -> Iterator[Offer | dict[str, Any]]:
        """What it has said since the last time; never waits.

        Raises:
            EOFError: It is gone.
        """
        return self._receiver.messages()

    @property
    def gone(self) -> bool:
        """Whether it has ended. One that waits inside a driver outlives even a kill."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it at once; also one that is stopped."""
        self._process.kill()

    def let_go(self) -> CameraError:
        """Kill it, if it isn't gone. Returns how it died, for when it said nothing itself, or that it did not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_WORDS_S)
        self._process.kill()
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S)
        status = self._process.returncode
        if status is None:
            return outage(self._order.source, "timeout", "hangs in its driver; restart the device if that goes on")
        if status < 0 and -status in CRASHES:
            return outage(self._order.source, "decode", f"sends what its decoder died of ({signal_name(-status)})")
        how = signal_name(-status) if status < 0 else f"status {status}"
        return outage(self._order.source, "timeout", f"lost its process ({how}), which happens when memory runs out")

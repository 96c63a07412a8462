"""The newest picture from a camera's process to the agent: through shared memory that has no name.

One socket pair joins the two. The agent sends an `Order`; the process answers with messages: `ready`, `opened`,
`memory` (with a file descriptor), `picture` (where in that memory, and when it was taken), `problem` (why it ends).
Neither waits for the other: the memory holds two pictures, and the process writes the older one over. Whoever copies a
picture and then finds no message of a newer one in the socket has a whole picture, as the process only writes over a
picture after it has sent the message of the next. A socket orders memory between processors; plain stores on ARM don't.
When either ends, however it ends, the kernel takes the memory back.
"""

import array
import fcntl
import json
import math
import mmap
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOTS = 2
SLOT_BYTES_MAX = 2**28
"""No camera's picture is larger: 89 million pixels."""
MESSAGE_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Order:
    """What a camera's process is to do.

    `source` may hold a password, which is why it is sent rather than given as an argument. A picture is wanted every
    `period_s`; the process gives up after `silent_s` without a new one. `was_there` says that a device has been opened
    before: if it is gone now, somebody pulled the plug. Of a folder, only names after `after` are wanted.
    """

    source: str
    period_s: float
    silent_s: float
    key_frames: bool = False
    was_there: bool = False
    after: str = ""

    @classmethod
    def read(cls, connection: socket.socket) -> "Order":
        """Wait for it."""
        return cls(**json.loads(connection.recv(MESSAGE_BYTES)))

    def write(self, connection: socket.socket) -> None:
        """Send it."""
        connection.send(json.dumps(asdict(self)).encode())


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection that keeps messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Sender:
    """The process's end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._memory: mmap.mmap | None = None
        self._slot_bytes = 0
        self._seq = 0

    def say(self, kind: str, **more: Any) -> None:
        """Send a message that must arrive."""
        self._connection.send(json.dumps({"is": kind, **more}).encode())

    def show(self, image: NDArray[np.uint8], taken_s: float) -> None:
        """Hand over a picture (height, width, 3) uint8, taken at `taken_s` of the monotonic clock; never waits.

        If the agent has not looked for so long that the socket is full, the picture is dropped.
        """
        try:
            if self._memory is None or image.nbytes > self._slot_bytes:
                self._memory = self._new_memory(image.nbytes)
            slot = self._seq % SLOTS
            place = np.frombuffer(self._memory, np.uint8, image.size, slot * self._slot_bytes).reshape(image.shape)
            np.copyto(place, image)
            about = {"is": "picture", "seq": self._seq, "height_width": image.shape[:2], "taken_s": taken_s}
            self._connection.send(json.dumps(about).encode(), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        self._seq += 1

    def _new_memory(self, slot_bytes: int) -> mmap.mmap:
        """Memory for larger pictures. The old one lives on for as long as somebody reads in it."""
        handle = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(handle, SLOTS * slot_bytes)
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            message = json.dumps({"is": "memory", "slot_bytes": slot_bytes}).encode()
            passed = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))
            self._connection.sendmsg([message], [passed], socket.MSG_DONTWAIT)  # send_fds overlooks its flags
            memory = mmap.mmap(handle, SLOTS * slot_bytes)
        finally:
            os.close(handle)
        self._slot_bytes = slot_bytes
        return memory


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A picture that lies in shared memory until two newer ones have come."""

    seq: int
    taken_s: float
    height_width: tuple[int, int]
    memory: mmap.mmap
    slot_bytes: int

    def copy(self) -> NDArray[np.uint8]:
        """The picture (height, width, 3) uint8 BGR; it is whole if no newer one has been offered by now."""
        shape = (*self.height_width, 3)
        place = np.frombuffer(self.memory, np.uint8, int(np.prod(shape)), self.seq % SLOTS * self.slot_bytes)
        return place.reshape(shape).copy()


class Receiver:
    """The agent's end. What comes is from a process that decodes whatever a camera sends: it is not trusted."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)  # recv_fds overlooks its flags
        self._connection = connection
        self._memory: mmap.mmap | None = None
        self._slot_bytes = 0

    def messages(self) -> Iterator[Offer | dict[str, Any]]:
        """What has come since the last time; never waits.

        Raises:
            EOFError: The process is gone, or what it says makes no sense.
        """
        while True:
            try:
                said, handles, _, _ = socket.recv_fds(self._connection, MESSAGE_BYTES, 1)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            if not said:
                raise EOFError
            try:
                message = json.loads(said)
                if handles:
                    self._map(handles[0], int(message["slot_bytes"]))
                elif message["is"] == "picture":
                    yield self._offer(message)
                else:
                    yield message
            except (ValueError, ArithmeticError, KeyError, TypeError, RecursionError, OSError) as error:
                raise EOFError from error
            finally:
                for handle in handles:
                    os.close(handle)

    def _map(self, handle: int, slot_bytes: int) -> None:
        if not fcntl.fcntl(handle, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise ValueError("memory that can shrink would be the end of us")
        if not 0 < slot_bytes <= SLOT_BYTES_MAX:
            raise ValueError("no picture is as large as that")
        self._memory, self._slot_bytes = mmap.mmap(handle, SLOTS * slot_bytes, prot=mmap.PROT_READ), slot_bytes

    def _offer(self, message: dict[str, Any]) -> Offer:
        height, width = (int(side) for side in message["height_width"])
        if self._memory is None or min(height, width) < 1 or height * width * 3 > self._slot_bytes:
            raise ValueError("a picture larger than its memory")
        taken_s = float(message["taken_s"])
        if not math.isfinite(taken_s):
            raise ValueError("a picture that was taken at no time")
        return Offer(int(message["seq"]), max(0.0, taken_s), (height, width), self._memory, self._slot_bytes)

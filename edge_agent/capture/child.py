"""The process of one camera, for one opening of it: `python -P -m edge_agent.capture.child`, started by `live`.

OpenCV may hang in a driver or a network call, crash on what a camera sends, and never recovers a stream that stalled.
So it runs here, where it can be killed. Standard input is the socket pair of `handover`; when that ends, so does this.
"""

import contextlib
import os
import resource
import socket
import threading
from collections.abc import Callable

from edge_agent.capture.address import is_device, is_stream, is_web
from edge_agent.capture.handover import Order, Sender
from edge_agent.capture.outages import outage
from edge_agent.capture.output import Output, give_up
from edge_agent.shelf import CameraError


def main() -> None:
    """Be the process: an order on standard input, pictures in shared memory, and at the end the reason."""
    with contextlib.suppress(OSError, ValueError):  # a core would hold a camera's password, and be of use to nobody
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=0)
    order = Order.read(connection)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    sender = Sender(connection)
    try:
        read = _reader(order.source)
        sender.say("ready")
        read(Output(order, sender))
    except CameraError as error:
        give_up(sender, error)
    except ConnectionError:
        os._exit(0)  # the agent is gone
    except Exception as error:  # noqa: BLE001 — nobody reads a traceback here, and it could hold a password
        what = f"cannot be read, which is a fault of the agent's ({type(error).__name__})"
        give_up(sender, outage(order.source, "timeout", what))


def _reader(source: str) -> Callable[[Output], None]:
    """What reads such a source. Each is imported by itself, as it costs memory."""
    if is_device(source):
        from edge_agent.capture import usb as reader  # noqa: PLC0415
    elif is_web(source):
        from edge_agent.capture import web as reader  # type: ignore[no-redef]  # noqa: PLC0415
    elif is_stream(source):
        from edge_agent.capture import stream as reader  # type: ignore[no-redef]  # noqa: PLC0415
    else:
        from edge_agent.capture import folder as reader  # type: ignore[no-redef]  # noqa: PLC0415
    return reader.read


def _end_with(connection: socket.socket) -> None:
    """End with the agent, even while OpenCV hangs."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os._exit(0)


if __name__ == "__main__":
    main()

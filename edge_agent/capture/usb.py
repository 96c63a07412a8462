"""USB cameras and other local devices, through Video4Linux. Runs in a camera's process."""

import os
import time
from pathlib import Path

import cv2
import numpy as np

from edge_agent.capture.address import node_of
from edge_agent.capture.age import StreamClock
from edge_agent.capture.outages import is_torn
from edge_agent.capture.output import Output
from edge_agent.capture.printed import Printed
from edge_agent.shelf import OutageReason


def read(output: Output) -> None:
    """Read a local camera until it is gone or silent.

    Raises:
        CameraError: Why there is no picture any more; it always ends so.
    """
    source = output.order.source
    node = node_of(source)
    _check_node(node, output)
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise output.error(
            "decode", "is there, but gives no video: another program holds it, or it is another node of the same camera"
        )
    printed, torn = Printed(), False
    output.opened()
    clock = StreamClock()

    def explain() -> tuple[OutageReason, str]:
        return ("decode", "sends pictures that are damaged") if torn else ("timeout", "sends no new picture")

    output.explain = explain
    while True:
        asked_s = time.monotonic()
        if not capture.grab():
            _check_node(node, output, lost=True)
            waited_s = time.monotonic() - asked_s
            raise output.error("timeout", f"has sent no new picture for {waited_s:.0f} s")
        taken_s = clock.date(time.monotonic(), capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if taken_s is not None and output.due():
            list(printed.new())
            try:
                good, image = capture.retrieve()
            except cv2.error as error:
                raise output.error("decode", "sends what OpenCV cannot decode") from error
            torn = any(map(is_torn, printed.new()))
            if good and not torn:
                output.show(np.asarray(image, np.uint8), taken_s)


def _check_node(node: Path, output: Output, *, lost: bool = False) -> None:
    """Whether the device is there and may be used."""
    if not node.exists():
        if lost or output.order.was_there:
            raise output.error("unplugged", "is gone: somebody pulled the plug, or it has lost its power")
        raise output.error("not_found", f"is not there: there is no {node}")
    if not os.access(node, os.R_OK | os.W_OK):
        raise output.error("auth", "may not be used by this user, who must be in the group video")

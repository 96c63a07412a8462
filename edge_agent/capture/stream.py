"""Streams that FFmpeg reads, through OpenCV: RTSP, and video over HTTP that is no MJPEG. Runs in a camera's process."""

import time

import cv2
import numpy as np

from edge_agent.capture.age import StreamClock
from edge_agent.capture.outages import is_damage, told_by
from edge_agent.capture.output import OLD_PICTURES, Output
from edge_agent.capture.printed import Printed
from edge_agent.shelf import CameraError, OutageReason

OPEN_TIMEOUT_S = 10.0
THREADS = 1
"""Decoding in several threads would hold back a picture for each."""
KEY_PICTURE = ord("I")


def read(output: Output) -> None:
    """Read the stream of an order until it ends or is silent.

    Raises:
        CameraError: Why there is no picture any more; it always ends so.
    """
    printed = Printed()
    try:
        _pass_on(_opened(output, printed), output, printed)
    except cv2.error as error:
        raise output.error("decode", "sends what OpenCV cannot decode") from error


def _opened(output: Output, printed: Printed) -> cv2.VideoCapture:
    began_s = time.monotonic()
    settings = {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: int(OPEN_TIMEOUT_S * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: int(output.order.silent_s * 1000),
        cv2.CAP_PROP_N_THREADS: THREADS,
    }
    flat = [figure for setting in settings.items() for figure in setting]
    capture = cv2.VideoCapture(output.order.source, cv2.CAP_FFMPEG, flat)
    if not capture.isOpened():
        raise _why_closed(output, list(printed.new()), time.monotonic() - began_s)
    output.opened()
    return capture


def _why_closed(output: Output, lines: list[str], waited_s: float) -> CameraError:
    if told := told_by(lines):
        return output.error(*told)
    if waited_s > OPEN_TIMEOUT_S - 1:
        return output.error("timeout", f"does not answer within {OPEN_TIMEOUT_S:.0f} s")
    if any(map(is_damage, lines)):
        return output.error("decode", "sends what is no video")
    return output.error("not_found", "does not open")


def _pass_on(capture: cv2.VideoCapture, output: Output, printed: Printed) -> None:
    """Date every picture, convert those that are due, and leave out what is damaged up to the next key picture."""
    clock = StreamClock()
    damaged = came = False

    def explain() -> tuple[OutageReason, str]:
        if damaged or any(map(is_damage, printed.new())):  # FFmpeg may be busy with damage and never come back
            return "decode", "sends what cannot be decoded"
        return "timeout", OLD_PICTURES if came else "sends no new picture"

    output.explain = explain
    while True:
        came = False
        if not capture.grab():
            raise output.error(*explain()) if damaged else _why_ended(output, list(printed.new()))
        came = True
        taken_s = clock.date(time.monotonic(), capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if any(map(is_damage, printed.new())):
            damaged = True
        elif damaged:
            damaged = int(capture.get(cv2.CAP_PROP_FRAME_TYPE)) != KEY_PICTURE
        if taken_s is not None and not damaged and output.due():
            good, image = capture.retrieve()
            if good:
                output.show(np.asarray(image, np.uint8), taken_s)


def _why_ended(output: Output, lines: list[str]) -> CameraError:
    if any(map(is_damage, lines)):
        return output.error("decode", "sends what cannot be decoded")
    return output.error("timeout", "has ended the stream")

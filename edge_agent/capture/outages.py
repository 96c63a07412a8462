"""Why a camera gives no picture: the reasons, how they are told, and the messages, all in this one place."""

import re
from collections.abc import Iterable

from edge_agent.capture.address import is_device, is_stream, redacted
from edge_agent.shelf import CameraError, OutageReason

REMEDIES: dict[OutageReason, str] = {
    "auth": "Check its user name and password, and that this user may see its video.",
    "not_found": "Check that it is switched on and connected, and its address under [[cameras]]"
    " (ls /dev/v4l/by-id lists what is plugged in).",
    "timeout": "Look at the network between the two and at the camera's load; restarting it often helps.",
    "decode": "Choose H.264, H.265 or MJPEG in its settings, and check that the address is that of a video or picture.",
    "unplugged": "Plug it in again; if that happens often, change cable and USB port.",
}
FOLDER_REMEDIES: dict[OutageReason, str] = {
    "not_found": "Make it, mount it, or let the agent's user read it; or name another under [[cameras]].",
    "timeout": "See to it that whatever stores pictures there does, under names that grow with time.",
    "decode": "Let whole pictures be put there, JPEG or PNG.",
}
"""What differs where a folder takes a camera's place."""

_LINES: tuple[tuple[str, OutageReason, str], ...] = (
    (r"\b40[13]\b|Unauthorized|Forbidden", "auth", "refuses the user name or the password"),
    (r"\b40[04]\b|Not Found|Bad Request", "not_found", "knows no video under this address"),
    (r"Failed to resolve|Name or service not known", "not_found", "has a host name that nobody knows"),
    (r"Connection refused", "not_found", "refuses the connection: nothing serves at this address"),
    (r"No route to host|unreachable", "not_found", "cannot be reached: nothing answers at this address"),
    (r"\b5\d\d \(?|Server Error|Service Unavailable", "timeout", "reports an error of its own"),
    (r"timed out", "timeout", "does not answer"),
    (r"Invalid data found|could not find codec|[Uu]nsupported|moov atom", "decode", "sends what is no video"),
)
_DAMAGE = re.compile(
    r"error while decoding|concealing|Invalid NAL|decode_slice|no frame!|non-existing PPS|Invalid data|corrupt|"
    r"Could not find ref|illegal|out of range|cabac|bytestream|Missing reference|Error submitting|sps_id|slice",
    re.IGNORECASE,
)

_TORN = re.compile(r"Corrupt JPEG data(?!: \d extraneous bytes before marker 0xd9)|Premature end of JPEG")
"""A few bytes too many before the end are how many webcams fill up a picture: nothing of it is missing."""


def outage(source: str, reason: OutageReason, what: str) -> CameraError:
    """The error for a person: which camera, what happened, and what to do. The address loses its password.

    Args:
        source: Address, device or path of the camera, as configured.
        reason: What is published.
        what: What the camera does, such as `does not answer`; never a library's own words, which may hold a password.
    """
    camera = is_stream(source) or is_device(source)
    remedy = REMEDIES[reason] if camera else FOLDER_REMEDIES.get(reason, REMEDIES[reason])
    return CameraError(f"{'camera' if camera else 'folder'} {redacted(source)} {what}. {remedy}", reason=reason)


def told_by(lines: Iterable[str]) -> tuple[OutageReason, str] | None:
    """What FFmpeg's errors say about a stream that does not open: reason and words; None where they say nothing.

    >>> told_by(["[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized"])
    ('auth', 'refuses the user name or the password')
    """
    said = [re.sub(r"\S+://\S+", "", line) for line in lines]  # a port may look like a status
    for pattern, reason, what in _LINES:
        if any(re.search(pattern, line) for line in said):
            return reason, what
    return None


def is_damage(line: str) -> bool:
    """Whether a line of FFmpeg says that a picture could not be decoded as it was sent."""
    return _DAMAGE.search(line) is not None


def is_torn(line: str) -> bool:
    """Whether a line of libjpeg says that a part of a picture is missing, in whose place there is grey.

    >>> is_torn("Corrupt JPEG data: premature end of data segment")
    True
    >>> is_torn("Corrupt JPEG data: 2 extraneous bytes before marker 0xd9")
    False
    """
    return _TORN.search(line) is not None

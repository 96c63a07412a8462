"""An RTSP server on a loopback port: run by the system's Python, whose packages hold GStreamer.

Usage: rtsp_server.py PORT [USER PASSWORD]. Serves rtsp://127.0.0.1:PORT/shelf: 320 × 180, 10 frames/s, H.264, a still
pattern with the wall clock above it: 32 blocks of 10 × 40 pixels, white for 1, the highest bit first, which are
hundredths of a second since 1970 modulo 2³². Words on standard input change what it sends: `normal`, `slow`
(1 frame/s), `frozen`, `black`, `size` (640 × 360), `garbage` (bytes spoilt on their way).
"""

import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = (
    "( appsrc name=source is-live=true format=time do-timestamp=true ! videoconvert ! video/x-raw,format=I420"
    " ! x264enc tune=zerolatency key-int-max=10 speed-preset=ultrafast threads=1"
    " ! identity name=wire ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
WHITE, BLACK = b"\xeb", b"\x10"
BLOCK_WH = (10, 40)


class Camera:
    """What is sent at present."""

    def __init__(self) -> None:
        self.mode = "normal"
        self._kept = b""
        self._seen = 0.0
        self._sending = False

    def listen(self) -> None:
        """Take the words on standard input."""
        for line in sys.stdin:
            self.mode = line.strip()

    def attach(self, _factory: object, media: object) -> None:
        """A client has come: begin to send."""
        pipeline = media.get_element()
        source = pipeline.get_child_by_name("source")
        pipeline.get_child_by_name("wire").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._spoil)
        GLib.timeout_add(100, self._push, source, [""])

    def _push(self, source: object, caps: list[str]) -> bool:
        """Send a picture; False when nobody wants any more."""
        now = time.time()
        if self.mode == "slow" and now - self._seen < 0.95:
            return True
        self._seen = now
        scale = 2 if self.mode == "size" else 1
        wanted = f"video/x-raw,format=GRAY8,width={320 * scale},height={180 * scale},framerate=10/1"
        if caps[0] != wanted:
            caps[0] = wanted
            source.set_property("caps", Gst.Caps.from_string(wanted))
        if self.mode != "frozen" or not self._kept:
            self._kept = BLACK * (320 * 180) if self.mode == "black" else picture(now, scale)
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(self._kept)) == Gst.FlowReturn.OK

    def _spoil(self, pad: object, info: object) -> object:
        """Overwrite what passes, but for the first bytes that say what it is."""
        if self.mode != "garbage" or self._sending:
            return Gst.PadProbeReturn.OK
        sent = info.get_buffer()
        content = bytearray(sent.extract_dup(0, sent.get_size()))
        for place in range(40, len(content), 7):
            content[place] ^= 0x5A
        spoilt = Gst.Buffer.new_wrapped(bytes(content))
        spoilt.pts, spoilt.dts, spoilt.duration = sent.pts, sent.dts, sent.duration
        self._sending = True
        pad.push(spoilt)
        self._sending = False
        return Gst.PadProbeReturn.DROP


def picture(now: float, scale: int = 1) -> bytes:
    """The grey levels of a picture with the clock in it, row by row."""
    width, height = BLOCK_WH[0] * scale, BLOCK_WH[1] * scale
    ticks = int(now * 100) % 2**32
    row = b"".join((WHITE if ticks >> bit & 1 else BLACK) * width for bit in range(31, -1, -1))
    pattern = [
        b"".join(bytes([40 + (37 * x + 91 * y) % 160]) * (20 * scale) for x in range(16))
        for y in range(7)
        for _ in range(20 * scale)
    ]
    return row * height + b"".join(pattern)


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    camera = Camera()
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    factory.connect("media-configure", camera.attach)
    if len(sys.argv) > 2:
        _lock(server, factory, *sys.argv[2:])
    server.get_mount_points().add_factory("/shelf", factory)
    server.attach(None)
    threading.Thread(target=camera.listen, daemon=True).start()
    print("serving", flush=True)  # whoever started it waits for that
    GLib.MainLoop().run()


def _lock(server: object, factory: object, user: str, password: str) -> None:
    """Let nobody in but this user."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    may = "user,media.factory.access=true,media.factory.construct=true"
    factory.add_role_from_structure(Gst.Structure.new_from_string(may))


if __name__ == "__main__":
    main()

"""An RTSP server on a loopback port, for the tests: run by the system's Python, whose packages hold GStreamer.

Usage: rtsp_server.py PORT [USER PASSWORD]. Serves rtsp://127.0.0.1:PORT/shelf: 320 × 180, 10 frames/s, H.264, a grey
that brightens with time.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=10/1"
    " ! x264enc tune=zerolatency key-int-max=10 speed-preset=ultrafast ! rtph264pay name=pay0 pt=96 )"
)


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/shelf", factory)
    server.attach(None)
    print("serving", flush=True)  # noqa: T201 — the test waits for it
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()

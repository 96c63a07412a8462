"""The shelf agent: camera frames in, trustworthy shelf counts out. Start reading at `edge_agent.pipeline`."""

import os

# OpenCV reads these when it is imported, which any module may be the first to do.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our own errors say it in words
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

"""Cameras → frames: USB, RTSP, HTTP, file. Live, the newest frame wins; replayed, every frame comes."""

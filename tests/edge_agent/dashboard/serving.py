"""A real agent with its page, on a free port: a camera that shows a few drawn pictures in turn, and no broker."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import numpy as np
import requests

from edge_agent.agent import Agent
from edge_agent.config import load
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import CAMERA, write_config
from edge_agent.shelf import CameraError, Frame
from tests.conftest import wait_for

PASSWORD = "four words in a row"  # noqa: S105 — of the tests


class Slides:
    """A camera that shows a few pictures in turn, whenever it is asked: cheap, and never frozen."""

    def __init__(self, pictures: int = 2):
        scene = Scene(7)
        self.pictures = [np.maximum(scene.frame(n / 5), 8) for n in range(pictures)]  # nothing of them is black
        self.problem: CameraError | None = None
        self._seq = 0

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 — a frame is there at once
        """The next picture, unless the camera is gone."""
        if self.problem is not None:
            return None
        self._seq += 1
        return Frame(CAMERA, self._seq, datetime.now(UTC), monotonic(), self.pictures[self._seq % len(self.pictures)])

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Page:
    """The page of a running agent, as somebody sees it."""

    agent: Agent
    camera: Slides
    verify: str | bool = True

    def __post_init__(self):
        self.http = self.browser()

    @property
    def url(self) -> str:
        """Without the slash at its end."""
        return self.agent.page.url.rstrip("/")

    @property
    def encoded(self) -> int:
        """How many pictures were made."""
        return self.agent.page.app.state.pictures.encoded

    def browser(self) -> requests.Session:
        """Somebody else."""
        other = requests.Session()
        other.verify, other.trust_env = self.verify, False
        return other

    def get(self, path: str, http: requests.Session | None = None, **options) -> requests.Response:
        """Ask for something."""
        return (http or self.http).get(self.url + path, timeout=60, **options)

    def sign_in(self, http: requests.Session | None = None, password: str = PASSWORD) -> requests.Response:
        """Sign in, and send the token from now on."""
        http = http or self.http
        answer = http.post(f"{self.url}/api/session", json={"password": password}, timeout=60)
        if answer.ok:
            http.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return answer

    def begin(self, http: requests.Session | None = None) -> requests.Session:
        """Open the page where no password is asked for."""
        http = http or self.http
        http.headers["X-CSRF-Token"] = self.get("/api/session", http).json()["csrf"]
        return http


@contextmanager
def served(folder: Path, *tables: str, verify: str | bool = True, edit: Callable[[str], str] = str) -> Iterator[Page]:
    """An agent with its page; `tables` are lines of its configuration, [dashboard] first; `edit` changes it."""
    path = write_config(folder, port=9, page=0)  # nobody listens on port 9: it counts without a broker
    dashboard, *others = (*tables, "")
    text = path.read_text(encoding="utf-8").replace("enabled = true\n", f"enabled = true\n{dashboard}\n")
    path.write_text(edit("\n".join([text, *others])), encoding="utf-8")
    camera = Slides()
    with Agent(load(path), sources={CAMERA: camera}, path=path) as agent:
        thread = threading.Thread(target=agent.run)
        thread.start()
        try:
            wait_for(lambda: CAMERA in agent.running.seen)
            yield Page(agent, camera, verify)
        finally:
            agent.stop.set()
            thread.join(60)

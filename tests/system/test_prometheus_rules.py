"""The alert rules are ones that Prometheus takes, and fire when they should: its own promtool says so."""

import subprocess

import pytest

from benchmarks.debian import unpack
from benchmarks.parts import REPO

pytestmark = pytest.mark.system

RULES = REPO / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def promtool():
    """Prometheus's tool, from Debian's package, which is not installed."""
    kept = REPO / "build" / "prometheus"
    tool = kept / "usr" / "bin" / "promtool"
    if not tool.is_file():
        unpack("prometheus", "bookworm", kept, alone=True)
    return tool


def test_prometheus_takes_the_rules_and_they_fire_when_they_should(promtool):
    """A stock-out fires after its time; a shelf that cannot be read is told as that, and never as a stock-out."""
    for command in (("check", "rules", "shelfwatch.rules.yml"), ("test", "rules", "shelfwatch.rules.test.yml")):
        done = subprocess.run([promtool, *command], cwd=RULES, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_prometheus_takes_the_example(promtool, tmp_path):
    """What stands in the example can be copied."""
    text = (RULES / "prometheus.example.yml").read_text()
    (tmp_path / "password").write_text("x")
    text = text.replace("/etc/prometheus/shelfwatch.rules.yml", str(RULES / "shelfwatch.rules.yml"))
    example = tmp_path / "prometheus.yml"
    example.write_text(text.replace("/etc/prometheus/shelfwatch-password", str(tmp_path / "password")))
    done = subprocess.run([promtool, "check", "config", example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

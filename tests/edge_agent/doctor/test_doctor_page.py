"""What the doctor says of the page: who reaches it, and what is to be done for it to be safe."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.config import load
from edge_agent.dashboard.door import passwords
from edge_agent.demo.store import write_config
from edge_agent.doctor.page import look_at_address, look_at_page
from edge_agent.sections import DashboardSection
from tests.certificates import Authority


@pytest.fixture
def settings_of(tmp_path):
    """A function: lines of [dashboard] → settings; `secret` is a file with a password's hash."""
    passwords.write(tmp_path / "secret", "four words in a row")

    def make(lines: str):
        path = write_config(tmp_path, port=9, page=8089)
        path.write_text(path.read_text().replace("enabled = true\n", f"enabled = true\n{lines}\n"))
        return load(path)

    return make


@pytest.mark.parametrize(
    ("lines", "level", "said"),
    [
        ("", "ok", "only programs on this device reach it; it asks for no password"),
        ('password_file = "secret"', "ok", "it asks for a password"),
        ('host = "0.0.0.0"\npassword_file = "secret"', "warn", "not encrypted"),
        ('host = "0.0.0.0"\npassword_file = "none"', "wrong", "cannot be read"),
        ('host = "0.0.0.0"\npassword_file = "agent.toml"', "wrong", "does not hold"),
    ],
)
def test_it_says_who_reaches_the_page_and_what_is_missing(settings_of, lines, level, said):
    """On loopback all is well; beyond, a password must be there and encryption should."""
    found = look_at_page(settings_of(lines))
    assert (found.what, found.level) == ("page", level)
    assert said in found.words
    assert found.status == (78 if level == "wrong" else 0)


def test_a_certificate_is_renewed_in_time(settings_of, tmp_path):
    """Three weeks before its end somebody is told."""
    files = Authority(tmp_path).sign("localhost", to_days=30)
    settings = settings_of(f'password_file = "secret"\ncert_file = "{files.cert}"\nkey_file = "{files.key}"')
    now = datetime.now(UTC)
    levels = [look_at_page(settings, lambda days=days: now + timedelta(days)).level for days in (0, 15, 40)]
    assert levels == ["ok", "warn", "warn"]


def test_it_says_where_the_page_cannot_be_served_at_present():
    """A port of another program's, or an address that is not there, is a warning; the running agent's own is not."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        section = DashboardSection(enabled=True, port=taken.getsockname()[1])
        assert look_at_address(section, at_work=False).level == "warn"
        assert look_at_address(section, at_work=True).level == "ok"
    assert look_at_address(section, at_work=False).level == "ok"
    elsewhere = section.model_copy(update={"host": "192.0.2.7"})
    assert "192.0.2.7" in look_at_address(elsewhere, at_work=True).words

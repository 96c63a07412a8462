"""The page's password as it lies on the disk, the sessions behind it, and how fast it may be tried."""

import stat

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.dashboard.door import passwords
from edge_agent.dashboard.door.sessions import ABSOLUTE_S, IDLE_S, SESSIONS_MAX, Sessions
from edge_agent.dashboard.door.throttle import ADDRESSES_MAX, ALL_FREE, ALL_WAIT_S, FREE, WAIT_S, Throttle
from edge_agent.shelf import ConfigError, InputError

WORDS = "four words in a row"


def test_a_password_is_stored_as_a_hash_for_its_owner_alone(tmp_path):
    """The command asks twice; the file holds salt and parameters, never the password, and nobody else reads it."""
    path = tmp_path / "page-password"
    done = CliRunner().invoke(app, ["password", str(path)], input=f"{WORDS}\n{WORDS}\n")
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert text.startswith("$scrypt$ln=15,r=8,p=1$")
    assert WORDS not in text
    found = passwords.read(path)
    assert found.fits(WORDS)
    assert not found.fits(WORDS + " ")
    assert passwords.hashed(WORDS).salt != found.salt


def test_short_passwords_are_refused(tmp_path):
    """With what to take instead; nothing is written."""
    with pytest.raises(InputError, match="10 or more"):
        passwords.write(tmp_path / "file", "short")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "$scrypt$ln=5,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8,p=1$AAAA$AAAA",
        "$scrypt$ln=15,r=8,p=1$A$A",
        "$argon2id$v=19$m=65536,t=3,p=4$AAAA$AAAA",
    ],
)
def test_what_is_no_hash_of_ours_is_no_password(tmp_path, text):
    """Nor one that is too weak, or takes more memory than counting can spare."""
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ConfigError, match="shelf-agent password"):
        passwords.read(path)


def test_an_empty_file_is_no_password(tmp_path):
    """As systemd hands over a secret that is not there."""
    path = tmp_path / "file"
    path.write_text("\n")
    assert passwords.read(path) is None


def test_sessions_end_when_idle_when_old_and_when_there_are_too_many():
    """The longest idle one makes way; none can be found by anything but its whole secret."""
    now_s = [0.0]
    sessions = Sessions(lambda: now_s[0])
    secret, session = sessions.begin("a")
    assert sessions.find(secret) is session
    assert sessions.find(secret[:-1]) is None
    assert sessions.find(None) is None
    now_s[0] = IDLE_S + 1
    assert sessions.find(secret) is None
    assert not session.lasts
    secret, session = sessions.begin("a")
    began_s = now_s[0]
    while now_s[0] - began_s < ABSOLUTE_S:
        assert sessions.find(secret) is session
        now_s[0] += IDLE_S / 2
    assert sessions.find(secret) is None
    first, _ = sessions.begin("a")
    for _ in range(SESSIONS_MAX):
        now_s[0] += 1
        last, _ = sessions.begin("a")
    assert sessions.find(first) is None
    assert sessions.find(last) is not None


def test_an_address_waits_twice_as_long_after_each_wrong_password():
    """Up to a bound; the right one, or an hour, forgives."""
    now_s = [0.0]
    throttle = Throttle(lambda: now_s[0])
    waits = []
    for _ in range(FREE + 14):
        throttle.tried("10.0.0.1", right=False)
        waits.append(throttle.wait_s("10.0.0.1"))
        now_s[0] += waits[-1]
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 : FREE + 3] == [1, 2, 4, 8]
    assert waits[-1] == WAIT_S[1]
    assert throttle.wait_s("10.0.0.2") == 0
    throttle.tried("10.0.0.1", right=True)
    assert throttle.wait_s("10.0.0.1") == 0


def test_many_addresses_together_are_slowed_down_but_shut_out_nobody_who_was_here():
    """A flood from everywhere costs strangers seconds, a known address nothing, and a bounded memory."""
    now_s = [0.0]
    throttle = Throttle(lambda: now_s[0])
    throttle.tried("10.0.0.1", right=True)
    for number in range(2 * ADDRESSES_MAX):
        now_s[0] += 0.01
        throttle.tried(f"2001:db8:{number:x}::1", right=False)
    assert throttle.wait_s("10.0.0.9") == ALL_WAIT_S
    assert throttle.wait_s("10.0.0.1") == 0
    assert len(throttle._by_address) <= ADDRESSES_MAX
    assert len(throttle._all) <= ALL_FREE + 1


def test_an_ipv6_host_counts_by_its_network():
    """Another address of the same /64 is the same host; IPv4 in IPv6 is IPv4."""
    throttle = Throttle(lambda: 0.0)
    for number in range(FREE):
        throttle.tried(f"2001:db8::{number:x}", right=False)
        throttle.tried("::ffff:10.0.0.1", right=False)
    assert throttle.wait_s("2001:db8::ffff") == 1
    assert throttle.wait_s("10.0.0.1") == 1
    assert throttle.wait_s("2001:db8:1::1") == 0

"""The guard of the page, asked by a real client: every rule of docs/dashboard.md, and that strangers get nothing."""

import logging
import re
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
import requests

from edge_agent.dashboard import server
from edge_agent.dashboard.door import guard, passwords
from edge_agent.dashboard.door.access import HASHING, WAITING_MAX
from edge_agent.dashboard.door.throttle import FREE, Throttle
from edge_agent.demo.store import CAMERA
from edge_agent.shelf import ConfigError
from tests.certificates import Authority
from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import PASSWORD, served

AIM = f"/api/cameras/{CAMERA}/aim"
STRANGE = {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A file as `shelf-agent password` writes it."""
    path = tmp_path_factory.mktemp("secret") / "page-password"
    passwords.write(path, PASSWORD)
    return path


@pytest.fixture(scope="module")
def lent(tmp_path_factory, secret):
    """The page as a store's network sees it: on all addresses, with a password."""
    lines = f'host = "0.0.0.0"\npassword_file = "{secret}"\nnames = ["till.example"]'
    with served(tmp_path_factory.mktemp("guarded"), lines) as page:
        yield page


@pytest.fixture
def page(lent):
    """The same, for somebody whom it has never seen."""
    lent.agent.page.access.throttle = Throttle()
    lent.http = lent.browser()
    return lent


def raw(page, request: bytes) -> bytes:
    """What is answered to bytes as they are; the connection is the client's to close."""
    with closing(socket.create_connection(("127.0.0.1", page.agent.page.port), timeout=5)) as sock:
        sock.sendall(request)
        sock.settimeout(5)
        found = b""
        with suppress(ConnectionResetError):
            while part := sock.recv(65536):
                found += part
        return found


def test_strangers_get_nothing_but_the_sign_in(page):
    """Every path and method of the API but the session's own is refused without a session, and says how to go on."""
    paths = page.agent.page.app.openapi()["paths"]
    assert len(paths) > 5
    for path, methods in paths.items():
        for method in methods:
            if (path, method) in {("/api/session", "get"), ("/api/session", "post")}:
                continue
            answer = page.http.request(method, page.url + re.sub(r"{\w+}", "x", path), timeout=10)
            assert answer.status_code == 401, (method, path)
            assert "message" in answer.json()
    assert page.get("/api/openapi.json").status_code == 401
    assert page.get("/api/session").json() == {
        "signed_in": False, "password": True, "csrf": None, "device": "demo/shelf-1",
    }  # fmt: skip
    assert "Set-Cookie" not in page.get("/api/session").headers


def test_a_session_begins_with_the_password_and_ends_with_the_sign_out(page):
    """The cookie is out of reach of scripts and other sites; after the sign-out it is worth nothing."""
    answer = page.sign_in()
    assert answer.json()["signed_in"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert page.get("/api/live").status_code == 200
    kept = dict(page.http.cookies)
    assert len(next(iter(kept.values()))) >= 43  # 256 bits
    assert page.http.delete(f"{page.url}/api/session", timeout=10).status_code == 204
    assert requests.get(f"{page.url}/api/live", cookies=kept, timeout=10).status_code == 401


def test_a_stream_ends_with_its_session(page):
    """Who signs out sees nothing more on a stream that was open."""
    page.sign_in()
    with page.get("/api/live/stream", stream=True) as stream:
        lines = stream.iter_lines(chunk_size=1)
        next(lines)
        page.http.delete(f"{page.url}/api/session", timeout=10)
        began_s = time.monotonic()
        for _ in lines:
            assert time.monotonic() - began_s < 8


def test_a_change_needs_the_token_of_its_session(page):
    """Without it, with another session's or a wrong one: 403, and nothing happens."""
    page.sign_in()
    other = page.browser()
    page.sign_in(other)
    for token in (None, "", "x", other.headers["X-CSRF-Token"]):
        answer = page.http.post(page.url + AIM, headers={"X-CSRF-Token": token}, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert page.http.post(page.url + AIM, timeout=10).status_code == 200


def test_a_page_of_another_origin_reads_and_changes_nothing(page):
    """Neither with the cookie nor with the token; no answer lets a browser share itself with another origin."""
    page.sign_in()
    for site in ("cross-site", "same-site"):
        assert page.get("/api/live", headers={"Sec-Fetch-Site": site}).json()["code"] == "origin"
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", f"{page.url}.evil.example"):
        for method, path in (("post", AIM), ("post", "/api/session"), ("get", "/api/live")):
            answer = page.http.request(method, page.url + path, headers={"Origin": origin}, json={}, timeout=10)
            assert answer.status_code == 403, (origin, method)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert page.http.post(page.url + AIM, headers={"Origin": page.url}, timeout=10).status_code == 200
    assert page.http.options(page.url + AIM, headers={"Origin": page.url}, timeout=10).status_code in {403, 405}


def test_only_names_of_this_device_are_answered(page):
    """A stranger's name that points here (DNS rebinding) gets nothing, not even the page's files."""
    port = page.agent.page.port
    ours = ("localhost", f"localhost:{port}", "127.0.0.1", "[::1]:80", socket.gethostname())
    for host in (*ours, "till.example:443", "LOCALHOST."):
        assert page.get("/", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "10.9.8.7", "localhost.evil.example", "evil@localhost", "localhost:x", "[::1", ""):
        assert page.get("/", headers={"Host": host}).status_code in {400, 421}, host
    for headers in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert b" 200 " not in raw(page, b"GET / HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n")


def test_passwords_cannot_be_tried_at_will(page):
    """After a few wrong ones even the right one has to wait, and the answer says for how long."""
    page.agent.page.access.throttle = Throttle(lambda: 0.0)  # hashing takes a while, on a busy machine too long a one
    for number in range(FREE):
        page.http.headers["X-Forwarded-For"] = f"10.0.0.{number}"  # nobody believes it
        assert page.sign_in(password="wrong" * 3).status_code == 401
    answer = page.sign_in()
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert page.sign_in(password="x" * 300).status_code == 422


def test_a_flood_of_sign_ins_is_bounded(page):
    """Few are hashed together and few wait; the others come again later, and the page answers meanwhile."""
    with ThreadPoolExecutor(16) as crowd:
        answers = [crowd.submit(page.sign_in, page.browser()) for _ in range(16)]
        assert page.get("/api/session", page.browser()).elapsed.total_seconds() < 5
        statuses = [answer.result().status_code for answer in answers]
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) >= HASHING + WAITING_MAX - 1
    assert page.agent.page.access.trying == 0


def test_nobody_chooses_the_secret_of_his_session(page):
    """A cookie that was made up, or planted before the sign-in, is none afterwards."""
    name = page.agent.page.access.cookie
    page.http.cookies.set(name, "planted", domain="127.0.0.1", path="/")
    assert page.get("/api/live").status_code == 401
    before = page.sign_in().cookies[name]
    assert page.sign_in().cookies[name] != before != "planted"
    assert requests.get(f"{page.url}/api/live", cookies={name: before}, timeout=10).status_code == 401


def test_every_answer_tells_the_browser_to_keep_to_the_rules(page):
    """Files, data and errors alike; data are kept in no cache."""
    for path in ("/", "/app.js", "/api/session", "/api/live", "/nothing"):
        headers = page.get(path).headers
        policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")
        assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../app.py",
        "/..%2f..%2fapp.py",
        "/%2e%2e/app.py",
        "//etc/passwd",
        "/..%5capp.py",
        "/views/../../app.py",
        "/%00",
    ],
)
def test_no_path_leads_out_of_the_pages_files(page, path):
    """Whatever is written in it."""
    answer = raw(page, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 (404|405|400) ", answer), answer[:200]
    assert b"import " not in answer
    assert b"root:" not in answer


def test_a_body_has_bounds_of_size_and_time(page, monkeypatch):
    """One that is too long is refused before it is read, declared or not; one that does not come is given up."""
    head = b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 413 " in raw(page, head + b"Content-Length: %d\r\n\r\n" % (guard.BODY_MAX_BYTES + 1))
    chunk = b"%x\r\n%s\r\n" % (2**16, b" " * 2**16)
    assert b" 413 " in raw(page, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17)
    monkeypatch.setattr(guard, "BODY_S", 0.3)
    assert b" 408 " in raw(page, head + b"Content-Length: 50\r\n\r\n{")


def test_who_sends_nothing_is_let_go(page, monkeypatch):
    """A connection without a request, or with half of one, first or later, ends soon and holds up nobody."""
    monkeypatch.setattr(server, "REQUEST_S", 0.3)
    assert raw(page, b"") == raw(page, b"GET / HTTP/1.1\r\nHost: local") == b""
    with closing(socket.create_connection(("127.0.0.1", page.agent.page.port), timeout=5)) as sock:
        sock.sendall(b"HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 404 ")
        sock.sendall(b"GET / HT")
        with suppress(ConnectionResetError):
            assert sock.recv(65536) == b""


def test_nobody_takes_all_connections(page, monkeypatch):
    """Beyond a bound the newest of an address are closed at once; those that are there go on."""
    monkeypatch.setattr(server, "OF_AN_ADDRESS_MAX", 5)
    with requests.Session() as first:
        assert page.get("/", first).status_code == 200
        many = [socket.create_connection(("127.0.0.1", page.agent.page.port), timeout=5) for _ in range(12)]
        wait_for(lambda: len(select.select(many, (), (), 0)[0]) >= 7, server.REQUEST_S / 2, "the end of seven")
        assert page.get("/", first).status_code == 200
        for sock in many:
            sock.close()


def test_a_fault_is_an_answer_and_a_line_in_the_log(page, monkeypatch, caplog):
    """The page goes on, and the answer tells nothing but the kind of error."""

    def broken():
        raise ValueError("secret details")

    page.sign_in()
    monkeypatch.setattr(page.agent.health, "counters", broken)
    answer = page.get("/api/health")
    assert answer.status_code == 500
    assert "ValueError" in answer.json()["message"]
    assert "secret details" not in answer.text
    assert "secret details" in caplog.text
    monkeypatch.undo()
    assert page.get("/api/health").status_code == 200


def test_metrics_need_the_password_by_http_basic(page):
    """A collector has no session; the right password is hashed once, not with every request."""
    assert page.get("/metrics").headers["www-authenticate"].startswith("Basic")
    assert page.get("/metrics", auth=("x", "wrong")).status_code == 401
    assert page.get("/metrics", auth=("x", PASSWORD)).status_code == 200
    began_s = time.process_time()
    for _ in range(5):
        assert page.get("/metrics", auth=("any", PASSWORD)).status_code == 200
    assert time.process_time() - began_s < 0.2
    assert page.get("/metrics", headers=STRANGE, auth=("x", PASSWORD)).status_code == 403


def test_the_description_names_what_each_request_needs(page):
    """Reading takes a session, changing a token too, the sign-in nothing."""
    page.sign_in()
    described = page.get("/api/openapi.json").json()
    schemes = described["components"]["securitySchemes"]
    assert schemes["session"]["name"] in page.http.cookies
    assert described["paths"]["/api/live"]["get"]["security"] == [{"session": []}]
    assert described["paths"]["/api/cameras/{camera}/aim"]["post"]["security"] == [{"session": [], "token": []}]
    assert described["paths"]["/api/session"]["post"]["security"] == []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
    odd = [name for name in described["components"]["schemas"] if not name.endswith(("View", "Request", "Draft"))]
    assert odd == ["Problem"]  # what is shown, what is sent, and the parts of what is drawn


def test_an_encrypted_page_keeps_its_cookie_to_itself(tmp_path, secret):
    """With a certificate the page is https only, and so is its cookie; the browser is told to remember that."""
    authority = Authority(tmp_path)
    files = authority.sign("localhost")
    lines = f'password_file = "{secret}"\ncert_file = "{files.cert}"\nkey_file = "{files.key}"'
    with served(tmp_path, lines, verify=str(authority.path)) as page:
        answer = page.sign_in()
        assert page.url.startswith("https://")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-")
        assert "secure" in cookie.lower()
        assert "strict-transport-security" in answer.headers
        assert page.get("/api/live").status_code == 200


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('host = "0.0.0.0"', "without a password"),
        ('host = "0.0.0.0"\npassword_file = "empty"', "there is no password"),
        ('password_file = "none"', "cannot be read"),
        ('password_file = "agent.toml"', "does not hold what shelf-agent password writes"),
        ('cert_file = "agent.toml"\nkey_file = "agent.toml"', "cannot be used"),
        ('cert_file = "x.pem"', "go together"),
    ],
)
def test_a_page_that_would_be_open_or_broken_is_refused(tmp_path, lines, said):
    """One clear error, for an operator to act (78), before anything is served: in words, not as a dump of the table."""
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match=said) as refused, served(tmp_path, lines):
        pass
    assert refused.value.exit_status == 78
    assert "{" not in str(refused.value)


def test_a_port_that_is_taken_keeps_nobody_from_counting(tmp_path, monkeypatch, caplog):
    """The agent counts without its page and says once why there is none; the page comes when the port is free."""
    monkeypatch.setattr(server, "AGAIN_S", 0.05)
    caplog.set_level(logging.INFO, "edge_agent.dashboard.server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(tmp_path, edit=lambda text: text.replace("port = 0", f"port = {port}")) as page:
            assert f"port {port} (" in page.agent.page.problem
            taken.close()
            wait_for(lambda: page.agent.page.problem is None and "the page is at" in caplog.text)
            assert page.get("/api/live").status_code == 200
    assert caplog.text.count("cannot be served") == 1


def test_an_address_that_is_not_there_yet_keeps_nobody_from_counting(tmp_path, secret):
    """A network that comes later, or never, costs the page and not the counts; the agent stops at once."""
    with served(tmp_path, f'host = "192.0.2.7"\npassword_file = "{secret}"') as page:
        assert "192.0.2.7" in page.agent.page.problem
        page.agent.stop.set()

"""The web application: its page, access control, requests that are not valid, and connections."""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

# aiortc brings this package
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from streamdeblur.live.serve import connections, offers
from streamdeblur.live.serve.application import PAGE
from streamdeblur.live.serve.server import tls_context
from support.servers import connected, error_of, exchange, half_upload, head, request, served, wait_until


@pytest.fixture(scope="module")
def port(inverting_options):
    with served(inverting_options) as (opened, _):
        yield opened


def test_the_page_loads_nothing_from_other_sites(port):
    for path, (_, kind) in PAGE.items():
        status, headers, content = request(port, "GET", path, origin=False)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        addresses = re.findall(rb"(?:https?|wss?|stun|turn)://?[^\s\"'`)]+", content)
        assert [a for a in addresses if a != b"http://www.w3.org/2000/svg"] == []


def test_the_page_begins_with_the_strength_of_the_server(inverting_options):
    with served(inverting_options.changed(strength=0.37)) as (opened, _):
        page = request(opened, "GET", "/", origin=False)[2].decode()
    assert re.search(r'<input id="strength"[^>]* min="0" max="100" value="37"', page)
    assert ">37 %</output>" in page


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"])
def test_requests_of_other_web_sites_are_refused(port, origin):
    for method, path in (("GET", "/"), ("POST", "/offer"), ("POST", "/restore")):
        status, _, content = request(port, method, path, b"{}" if method == "POST" else None, Origin=origin)
        assert status == 403
        assert "other web sites" in error_of(content)


def test_posts_without_an_origin_are_refused(port):
    assert request(port, "POST", "/restore", b"x", origin=False, X_Name="a.png")[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "", "127.0.0.1:1"])
def test_unknown_host_names_are_refused(port, host):
    assert request(port, "GET", "/", origin=False, Host=host)[0] in (400, 403)


def test_names_of_this_machine_are_allowed(port):
    # Browsers omit port 80.
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "127.0.0.1", "[::1]"):
        assert request(port, "GET", "/", origin=False, Host=host)[0] == 200


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/page/../server.py", "/%2e%2e/%2e%2e/etc/passwd", "/server.py", "/page.html", "/.git"]
)
def test_no_other_file_is_served(port, path):
    assert request(port, "GET", path, origin=False)[0] in (400, 404)


def test_other_hosts_need_the_token(inverting_options):
    with served(inverting_options, host="0.0.0.0") as (opened, access):
        assert request(opened, "GET", "/", origin=False)[0] == 403
        assert request(opened, "GET", "/?token=wrong", origin=False)[0] == 403
        assert access.token in access.address()
        status, headers, _ = request(opened, "GET", f"/?token={access.token}", origin=False)
        # The URL in the browser's history is without the token.
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert request(opened, "GET", "/page.js", origin=False, Cookie=cookie.split(";")[0])[0] == 200
        assert request(opened, "POST", "/restore", b"x", X_Name="a.png")[0] == 403
        assert request(opened, "GET", "/", origin=False, Cookie=f"streamdeblur-{opened}=\xff\xfe")[0] == 403


@pytest.mark.parametrize(
    "offer", [b"", b"{}", b"[]", b'{"sdp": "v=0", "type": "offer"}', b'{"sdp": 1, "type": 2}', b"\xff\xfe", b"[" * 60_000]
)
def test_invalid_offers_are_refused(port, offer):
    status, _, answer = request(port, "POST", "/offer", offer, Content_Type="application/json")
    assert status == 400
    assert "offer" in error_of(answer).lower()


def test_large_offers_are_refused(port):
    assert request(port, "POST", "/offer", b"x" * (offers.MAX_BYTES + 1))[0] == 413


def post(path, *lines, body=b"x", length=None):
    """A request whose first line and headers are completed with those of the page."""
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    return lambda port: head(port, b"POST", path, *lines, size) + body


def upload(*lines, **settings):
    return post(b"/restore", b"X-Name: a.png", *lines, **settings)


def offer(body, *lines):
    return post(b"/offer", *lines, body=body)


def get(path, *lines, method=b"GET"):
    return lambda port: head(port, method, path, *lines)


def chunked(path, body):
    return lambda port: head(port, b"POST", path, b"X-Name: a.png", b"Transfer-Encoding: chunked") + body


MALFORMED = {
    "unknown charset": offer(b"{}", b"Content-Type: application/json; charset=klingon"),
    "bad content type": offer(b"{}", b"Content-Type: ;;;="),
    "bad gzip": upload(b"Content-Encoding: gzip"),
    "bad brotli": upload(b"Content-Encoding: br"),
    "bad multipart": upload(b"Content-Type: multipart/form-data; boundary=x", body=b"--x\r\nno"),
    "bad multipart offer": offer(b"--x\r\nno", b"Content-Type: multipart/form-data"),
    "negative length": upload(length=-1),
    "two lengths": upload(b"Content-Length: 5"),
    "length of words": lambda port: head(port, b"POST", b"/restore", b"Content-Length: abc"),
    "length and chunks": upload(b"Transfer-Encoding: chunked"),
    "length beyond the limit": upload(length=10**12),
    "length beyond 64 bits": upload(length=10**30),
    "offer beyond the limit": post(b"/offer", length=10**12),
    "unknown transfer encoding": lambda port: head(port, b"POST", b"/restore", b"Transfer-Encoding: bogus"),
    "bad chunks": chunked(b"/restore", b"ZZZ\r\nabc\r\n"),
    "bad chunks of an offer": chunked(b"/offer", b"ZZZ\r\nabc\r\n"),
    "huge field name": upload(b"X" * 20_000 + b": 1"),
    "huge field": upload(b"X: " + b"1" * 20_000),
    "many fields": upload(*(b"X-%d: 1" % number for number in range(500))),
    "folded field": upload(b"X-A: 1\r\n  2"),
    "NUL in a field": upload(b"X-A: a\0b"),
    "NUL in a name": post(b"/restore", b"X-Name: a\0.png"),
    "bytes in a name": post(b"/restore", b"X-Name: \xff\xfe.png"),
    "name of a path": post(b"/restore", b"X-Name: ../../etc/passwd"),
    "path with a suffix": post(b"/restore", b"X-Name: ../../etc/passwd.png"),
    "long suffix": post(b"/restore", b"X-Name: a." + b"p" * 5000),
    "unknown expectation": upload(b"Expect: nonsense"),
    "long path": get(b"/" + b"a" * 20_000),
    "NUL in a path": get(b"/\0"),
    "coded NUL in a path": get(b"/%00"),
    "bad coding of a path": get(b"/%zz%ff"),
    "bad address": get(b"http://[::1"),
    "two hosts": get(b"/", b"Host: evil.example"),
    "control character in a cookie": get(b"/", b"Cookie: \x01=;;=;a"),
    "no host": lambda port: b"GET / HTTP/1.1\r\n\r\n",
    "origin of bytes": lambda port: b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: \xff\r\n\r\n" % port,
    "method of bytes": get(b"/", method=b"FOO\x01"),
    "other methods": get(b"/", method=b"TRACE"),
    "options of the server": get(b"*", method=b"OPTIONS"),
    "proxy": get(b"evil.example:443", method=b"CONNECT"),
    "unknown version": lambda port: b"GET / HTTP/9.9\r\n\r\n",
    "HTTP/2": lambda port: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": lambda port: bytes.fromhex("16030100a5010000a10303") + bytes(100),
    "bytes": lambda port: b"\xff\xfe\r\n\r\n",
    "offer of NaN": offer(b'{"sdp": NaN, "type": "offer"}'),
    "offer of a text": offer(b'"sdp"'),
    "offer of a number": offer(b"1" * 5000),
    "offer of other types": offer(b'{"sdp": {}, "type": []}'),
    "offer in UTF-16": offer("{}".encode("utf-16")),
    "offer of half a character": offer(b'{"sdp": "\\ud800", "type": "offer"}'),
    "offer of many lines": offer(json.dumps({"sdp": "a\n" * 5000, "type": "offer"}).encode()),
    "offer of many addresses": offer(json.dumps({"sdp": "a=candidate:1\n" * 500, "type": "offer"}).encode()),
}


def test_malformed_requests_are_refused_with_words_and_without_a_log(port, caplog):
    answers = {name: exchange(port, make(port)) for name, make in MALFORMED.items()}
    status = re.compile(rb"HTTP/1\.[01] 4\d\d ")
    assert {name: answer[:60] for name, answer in answers.items() if not status.match(answer)} == {}
    assert {name for name, answer in answers.items() if len(answer.partition(b"\r\n\r\n")[2]) < 10} == set()
    assert [name for name, answer in answers.items() if b"Traceback" in answer or b"/tmp" in answer] == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert request(port, "GET", "/", origin=False)[0] == 200


def test_half_sent_headers_keep_nobody_out_and_are_closed_in_time(inverting_options, monkeypatch, caplog):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    with served(inverting_options) as (opened, _), ExitStack() as clients:
        half = [clients.enter_context(connected(opened, b"GET / HTTP/1.1\r\nHost: ")) for _ in range(150)]
        assert request(opened, "GET", "/", origin=False)[0] == 200
        began = time.monotonic()
        assert {closed(connection) for connection in half} == {True}
        assert time.monotonic() - began < 10
    assert caplog.records == []


def closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_client_is_asked_to_wait_where_all_connections_are_in_use(inverting_options, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_PER_ADDRESS", 2)
    with served(inverting_options) as (opened, _), ExitStack() as clients:

        def is_full():
            # a connection whose request has not been read yet gives way to the next one
            clients.enter_context(connected(opened, half_upload(opened)))
            time.sleep(0.1)
            return exchange(opened, head(opened, b"GET", b"/")).startswith(b"HTTP/1.1 503 ")

        wait_until(is_full)
        answer = exchange(opened, head(opened, b"GET", b"/"))
        assert b"Retry-After: " in answer
        assert b"Too many connections" in answer


def test_https(inverting_options, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 2.0)
    certificate = write_certificate(tmp_path / "page.pem")
    client = ssl.create_default_context(cafile=certificate)
    with served(inverting_options, tls=tls_context(certificate, None)) as (opened, _):
        silent, plain = connected(opened), connected(opened, b"GET / HTTP/1.1\r\n\r\n")
        with client.wrap_socket(connected(opened), server_hostname="localhost") as connection:
            connection.sendall(head(opened, b"GET", b"/"))
            assert connection.recv(12) == b"HTTP/1.1 200"
        # neither a client that does not shake hands, nor one that does not speak TLS, stays
        assert closed(silent)
        assert closed(plain)
        silent.close()
        plain.close()


def write_certificate(path):
    """A certificate for localhost, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today, today + timedelta(1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(
        key, hashes.SHA256()
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path

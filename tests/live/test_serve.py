"""The web application: access control, invalid requests, and uploads."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from support.media.videos import write_video

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from streamdeblur.live.serve import offers, uploads
from support.servers import request, served


@pytest.fixture(scope="module")
def port(inverting_options):
    with served(inverting_options) as (opened, _):
        yield opened


def error_of(content):
    return json.loads(content)["error"]


def restore(port, name, content, **headers):
    return request(port, "POST", "/restore", content, X_Name=name, **headers)


def test_the_page_loads_nothing_from_other_sites(port):
    for path, kind in (
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/comparison.js", "text/javascript"),
        ("/camera.js", "text/javascript"),
        ("/files.js", "text/javascript"),
        ("/requests.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ):
        status, headers, content = request(port, "GET", path, origin=False)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        addresses = re.findall(rb"(?:https?|wss?|stun|turn)://?[^\s\"'`)]+", content)
        assert [a for a in addresses if a != b"http://www.w3.org/2000/svg"] == []


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


def test_an_internal_error_is_logged_and_reported_without_details(inverting_options, monkeypatch, caplog):
    def fail(name):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(uploads, "suffix_of", fail)
    with served(inverting_options) as (opened, _):
        status, headers, content = restore(opened, "a.png", b"x")
        assert (status, error_of(content)) == (500, "Internal server error.")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert request(opened, "GET", "/", origin=False)[0] == 200
    logged = [record for record in caplog.records if "the disk is on fire" in record.message]
    assert [record.exc_info for record in logged] == [None]


def test_pictures_are_restored(port, face_picture):
    stream = io.BytesIO()
    Image.fromarray(face_picture).save(stream, "PNG")
    status, headers, content = restore(port, "me.png", stream.getvalue())
    assert status == 200
    assert headers["Content-Type"] == "image/png"
    assert re.fullmatch(r"(\d) of \1 faces restored\.", headers["X-Message"])
    sharp = np.asarray(Image.open(io.BytesIO(content)))
    changed = (sharp != face_picture).any(axis=2)
    assert 0.03 < changed.mean() < 0.8


def test_clips_are_restored(port, few_pictures, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", few_pictures)
    status, headers, content = restore(port, "clip.mp4", clip.read_bytes())
    assert status == 200
    assert headers["Content-Type"] == "video/mp4"
    assert re.fullmatch(r"(\d+) of \1 faces restored\.", headers["X-Message"])
    assert b"ftyp" in content[:16]


def bomb(width, height):
    """A PNG of a few bytes that claims to be large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", "empty"),
        ("a.png", b"not a picture", "not a PNG, JPEG or WebP picture"),
        ("a.png", bomb(60_000, 60_000), "million pixels"),
        ("a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG or WebP picture"),
        ("a.mp4", b"not a clip", "Cannot read"),
        ("a.mp4", PLAYLIST, "the file"),
        ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        ("a.exe", b"MZ", "Unsupported file type"),
        ("../../../etc/passwd", b"x", "Unsupported file type"),
        ("", b"x", "Unsupported file type"),
    ],
)
def test_invalid_uploads_are_refused_without_naming_a_path(port, name, content, message):
    status, _, answer = restore(port, name, content)
    assert status == 400
    assert message in error_of(answer)
    assert "/tmp" not in error_of(answer)


def test_only_the_suffix_of_the_file_name_is_used(port, face_picture):
    stream = io.BytesIO()
    Image.fromarray(face_picture).save(stream, "PNG")
    status, headers, _ = restore(port, "../../../../tmp/x.png", stream.getvalue())
    assert status == 200
    assert headers["Content-Disposition"] == 'attachment; filename="restored.png"'


def test_uploads_beyond_the_limit_are_not_read(port, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    # With a Content-Length, and chunked without one.
    for content in (b"x" * 2000, iter([b"x" * 600] * 4)):
        status, _, answer = request(port, "POST", "/restore", content, X_Name="a.png")
        assert status == 400
        assert "larger than" in error_of(answer)


@pytest.mark.parametrize(
    "offer", [b"", b"{}", b"[]", b'{"sdp": "v=0", "type": "offer"}', b'{"sdp": 1, "type": 2}', b"\xff\xfe", b"[" * 60_000]
)
def test_invalid_offers_are_refused(port, offer):
    status, _, answer = request(port, "POST", "/offer", offer, Content_Type="application/json")
    assert status == 400
    assert "offer" in error_of(answer).lower()


def test_large_offers_are_refused(port):
    assert request(port, "POST", "/offer", b"x" * (offers.MAX_BYTES + 1))[0] == 413

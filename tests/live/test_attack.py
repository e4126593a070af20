"""A server under attack: connections, half requests, random bytes and bad offers for a while, and then a normal visitor."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from contextlib import suppress

import pytest

from support.media.videos import write_video

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from support.servers import exchange, head, request, server_process, wait_until

SECONDS = 20.0
OPEN_FILES = 200
"""Files that the server may open: fewer than the connections of the attack."""
HELD = 1200
"""Connections with half of a header that are held open."""
LARGEST_GROWTH = 500
"""MiB that the server may grow by: the engines of two cameras among it."""
OFFER = (
    "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1",
    "a=sctp-port:5000", "a=setup:actpass", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 VP8/90000", "a=mid:0",
)  # fmt: skip
ATTRIBUTES = (
    "a=ssrc:1 cname:x", "a=fingerprint:sha-256 00:11", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901",
    "a=group:BUNDLE 0 1", "a=sendrecv", "a=rtcp-mux", "a=extmap:x", "a=fmtp:96 =;=", "a=rtcp-fb:", "a=setup:nobody",
)  # fmt: skip
CANDIDATE = "a=candidate:1 1 udp 1 127.0.0.%d 9 typ host"


def half_header(chance, port):
    return head(port, b"GET", b"/", b"X-A: " + b"a" * chance.randrange(2000))[: -chance.randint(3, 60)]


def half_body(chance, port):
    path = chance.choice([b"/restore", b"/offer"])
    return head(port, b"POST", path, b"X-Name: a.mp4", b"Content-Length: %d" % chance.randint(10, 10**6)) + chance.randbytes(9)


def random_bytes(chance, port):
    return chance.randbytes(chance.randrange(1, 4000))


def random_upload(chance, port):
    name = chance.choice([b"a.png", b"a.mp4", b"a.webm", b"a.jpg", b"a.mov", b"\xff"])
    content = chance.randbytes(chance.randrange(5000))
    return head(port, b"POST", b"/restore", b"X-Name: " + name, b"Content-Length: %d" % len(content)) + content


def damaged_request(chance, port):
    whole = bytearray(head(port, b"GET", b"/?token=x", b"Cookie: a=b", b"Range: bytes=0-1", b"Content-Length: 0"))
    for _ in range(chance.randint(1, 8)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)


def bad_offer(chance, port):
    lines = [*OFFER, *(CANDIDATE % chance.randrange(256) for _ in range(chance.choice([0, 1, 40, 500])))]
    lines += chance.sample(ATTRIBUTES, chance.randrange(len(ATTRIBUTES)))
    lines += ["m=audio 9 RTP/AVP 0"] * chance.choice([0, 0, 0, 300])
    if chance.random() < 0.5:
        chance.shuffle(lines)
    content = json.dumps({"sdp": "\r\n".join(lines) + "\r\n", "type": "offer"}).encode()
    return head(port, b"POST", b"/offer", b"Content-Length: %d" % len(content)) + content


ATTACKS = (half_header, half_body, random_bytes, random_upload, damaged_request, bad_offer)


def attack(port, seed, until, counts):
    """Send one attack after another; leave in the midst of some, with a reset of the connection."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(chance.choice(ATTACKS)(chance, port))
            counts[seed] += 1
            if chance.random() < 0.5:
                connection.settimeout(chance.uniform(0.01, 0.3))
                connection.recv(2**16)
            elif chance.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hold(port, until):
    """Keep many connections with half of a header open, and open new ones for those that the server closes."""
    held = []
    while time.monotonic() < until:
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=2)
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            held.append(connection)
        if len(held) > HELD:
            held.pop(0).close()
    for connection in held:
        connection.close()


@pytest.mark.slow
def test_a_server_that_was_attacked_serves_as_before(tmp_path, few_pictures):
    clip = write_video(tmp_path / "clip.mp4", few_pictures[:4]).read_bytes()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with server_process(temporary, "--always", files=OPEN_FILES) as server:
        visit(server.port, clip)
        before = server.figure("VmRSS") / 1024, server.figure("Threads")
        until, counts = time.monotonic() + SECONDS, dict.fromkeys(range(4), 0)
        threads = [threading.Thread(target=attack, args=(server.port, seed, until, counts)) for seed in counts]
        threads.append(threading.Thread(target=hold, args=(server.port, until)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        visit(server.port, clip)
        after = server.figure("VmRSS") / 1024, server.figure("Threads")
        said = server.errors.read_text()
        print(f"{sum(counts.values())} attacks; memory {before[0]:.0f} -> {after[0]:.0f} MiB, threads {before[1]} -> {after[1]}")
        print(f"{len(said)} bytes on stderr: {said}")
        assert sum(counts.values()) > 100
        assert len(said) < 4000
        assert "Traceback" not in said
        assert after[0] < before[0] + LARGEST_GROWTH
        wait_until(lambda: list(temporary.glob("*/*")) == [], seconds=10)
        assert server.process.poll() is None


def visit(port, clip):
    """Open the page, and have a clip restored, as soon as there is room."""
    end = time.monotonic() + 60
    while True:
        assert time.monotonic() < end
        with suppress(OSError):
            page = exchange(port, head(port, b"GET", b"/"))
            status, headers, _ = request(port, "POST", "/restore", clip, X_Name="clip.mp4")
            if page.startswith(b"HTTP/1.1 200") and status == 200:
                assert headers["X-Message"] == "4 of 4 faces restored."
                return
        time.sleep(0.2)

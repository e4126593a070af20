"""The web application: uploads of pictures and clips, and their limits."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import av
import numpy as np
import pytest
from PIL import Image

from streamdeblur import RestorationOptions
from streamdeblur.errors import InputError
from streamdeblur.pictures.picture import Metadata, Picture
from streamdeblur.pictures.reader import read_picture
from streamdeblur.pictures.writer import SUFFIXES, encode_picture
from support.media.videos import write_growing_video, write_video

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from streamdeblur.live.serve import uploads
from streamdeblur.live.serve.application import MAX_UPLOADS
from streamdeblur.live.serve.upload_process import UploadProcess
from streamdeblur.live.serve.upload_settings import UploadSettings
from support.servers import connected, error_of, half_upload, request, served, wait_until


@pytest.fixture(scope="module")
def port(inverting_options):
    with served(inverting_options) as (opened, _):
        yield opened


def restore(port, name, content, query="", **headers):
    return request(port, "POST", f"/restore{query}", content, X_Name=name, **headers)


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
    assert status == 200, content
    assert headers["Content-Type"] == "image/png"
    assert re.fullmatch(r"(\d) of \1 faces restored\.", headers["X-Message"])
    sharp = np.asarray(Image.open(io.BytesIO(content)))
    changed = (sharp != face_picture).any(axis=2)
    assert 0.03 < changed.mean() < 0.8


KINDS = {
    (".png", np.uint8): (4,), (".png", np.uint16): (3,), (".tif", np.uint8): (2,), (".tiff", np.uint16): (2, 3),
    (".jpg", np.uint8): (1,), (".webp", np.uint8): (4,), (".avif", np.uint8): (3,),
}  # fmt: skip
"""Some of the channels that files of each suffix and depth have; tests/pictures tries all."""


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels"), [(*kind, number) for kind, numbers in KINDS.items() for number in numbers]
)
def test_the_page_takes_the_pictures_that_the_command_takes(port, few_pictures, tmp_path, suffix, dtype, channels):
    rgba = np.dstack([few_pictures[0], np.full((240, 320), 200)]).astype(dtype) * (257 if dtype is np.uint16 else 1)
    pixels = rgba[..., [[1], [1, 3], [0, 1, 2], [0, 1, 2, 3]][channels - 1]]
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    source.write_bytes(encode_picture(Picture(pixels, Metadata("PNG")), SUFFIXES[suffix], []))
    status, headers, content = restore(port, source.name, source.read_bytes())
    assert status == 200, content
    assert headers["X-Message"] == "1 of 1 faces restored."
    target.write_bytes(content)
    before, after = (read_picture(path, []).pixels for path in (source, target))
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    assert np.abs(after / before.max() - before / before.max()).max() > 0.2


def test_clips_are_restored(port, few_pictures, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", few_pictures)
    status, headers, content = restore(port, "clip.mp4", clip.read_bytes())
    assert status == 200
    assert headers["Content-Type"] == "video/mp4"
    assert re.fullmatch(r"(\d+) of \1 faces restored\.", headers["X-Message"])
    assert b"ftyp" in content[:16]


def test_strength_and_part_of_an_upload_are_its_own(port, few_pictures, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", few_pictures).read_bytes()
    picture = io.BytesIO()
    Image.fromarray(few_pictures[0]).save(picture, "PNG")
    unchanged = restore(port, "me.png", picture.getvalue(), "?strength=0")[2]
    assert (np.asarray(Image.open(io.BytesIO(unchanged))) == few_pictures[0]).all()
    changed = restore(port, "me.png", picture.getvalue())[2]
    assert (np.asarray(Image.open(io.BytesIO(changed))) != few_pictures[0]).any()
    status, headers, part = restore(port, "clip.mp4", clip, "?start=0.1&end=0.3")
    (tmp_path / "part.mp4").write_bytes(part)
    assert status == 200
    # at 0.12 s: the first frame that does not begin before
    assert [float(headers[name]) for name in ("X-First-Second", "X-Frame-Seconds", "X-Faces")] == [0.12, 0.04, 5]
    assert len(sizes(tmp_path / "part.mp4")) == 5
    status, _, answer = restore(port, "clip.mp4", clip, "?start=9")
    assert (status, error_of(answer)) == (400, "The time 9 lies beyond the end of the file (0.48 s).")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?strength=2", "strength"),
        ("?strength=nan", "strength"),
        ("?start=-1", "start"),
        ("?start=2&end=1", "end must lie behind start"),
        ("?network=/etc/passwd", "network"),
    ],
)
def test_settings_of_uploads_that_are_not_valid_are_refused(port, query, message):
    status, _, answer = restore(port, "a.png", b"x", query)
    assert status == 400
    assert message in error_of(answer)


def test_the_progress_of_an_upload_is_told_to_who_knows_its_name(port, few_pictures, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", few_pictures * 20).read_bytes()
    name, told = "0123456789abcdef" * 2, []
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(restore, port, "clip.mp4", clip, X_Job=name)
        while not answer.done():
            status, _, content = request(port, "GET", f"/progress/{name}", origin=False)
            told += [json.loads(content)] if status == 200 else []
            # the upload goes on while it is asked
            time.sleep(0.05)
    assert answer.result()[0] == 200
    shares = [progress["share"] for progress in told if progress["share"]]
    assert len(set(shares)) > 1
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert told[-1]["seconds_left"] >= 0
    for unknown in (name, "0" * 32, "short"):
        assert request(port, "GET", f"/progress/{unknown}", origin=False)[0] == 404
    assert restore(port, "clip.mp4", clip, X_Job="short")[0] == 400


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
        ("a.png", b"not a picture", "not a PNG, JPEG, WebP, AVIF or TIFF picture"),
        ("a.png", bomb(60_000, 60_000), "million pixels"),
        ("a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG, WebP, AVIF or TIFF picture"),
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


def test_the_faces_that_were_chosen_are_restored_alone(inverting_options, face_picture, few_pictures, tmp_path):
    stream = io.BytesIO()
    Image.fromarray(face_picture).save(stream, "PNG")
    picture, clip = stream.getvalue(), write_video(tmp_path / "clip.mp4", few_pictures).read_bytes()
    nobody = "Only: no face had its middle in region:0,0,20,20 (left, top, width and height in pixels)."
    nobody_left = f"0 of 2 faces restored, 2 left: not chosen. {nobody}", f"0 of 12 faces restored, 12 left: not chosen. {nobody}"
    for only, of_picture, of_clip in (
        ("largest", "1 of 2 faces restored, 1 left: not chosen.", "12 of 12 faces restored."),
        ("region:0,0,20,20", *nobody_left),
        ("track:1", "No picture is restored here: --only is track:1, and only videos have tracks.", "12 of 12 faces restored."),
    ):
        with served(inverting_options.changed(only=only)) as (opened, _):
            for name, content, words in (("a.png", picture, of_picture), ("a.mp4", clip, of_clip)):
                status, headers, answer = restore(opened, name, content)
                assert (headers["X-Message"] if status == 200 else error_of(answer)) == words


def test_uploads_beyond_the_limit_are_not_read(port, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    # With a Content-Length, and chunked without one.
    for content in (b"x" * 2000, iter([b"x" * 600] * 4)):
        status, _, answer = request(port, "POST", "/restore", content, X_Name="a.png")
        assert status == 400
        assert "larger than" in error_of(answer)


def test_slow_uploads_end_and_further_ones_are_asked_to_wait(inverting_options, monkeypatch):
    # long enough for two requests while all places are taken, also on a loaded machine
    monkeypatch.setattr(uploads, "SILENT_SECONDS", 2.0)
    with served(inverting_options) as (opened, _), ExitStack() as clients:
        slow = [clients.enter_context(connected(opened, half_upload(opened))) for _ in range(MAX_UPLOADS)]
        wait_until(lambda: restore(opened, "a.txt", b"x")[0] == 503)
        status, headers, answer = restore(opened, "a.png", b"x")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert "Try again" in error_of(answer)
        assert [connection.recv(2**16)[:12] for connection in slow] == [b"HTTP/1.1 408"] * MAX_UPLOADS
        # neither does a client that sends a byte now and then hold its place
        monkeypatch.setattr(uploads, "LEAST_RATE", 10**9)
        dripping = clients.enter_context(connected(opened, half_upload(opened)))
        for _ in range(100):
            if select.select([dripping], [], [], 0.3)[0]:
                break
            dripping.sendall(b"x")
        assert dripping.recv(2**16)[:12] == b"HTTP/1.1 408"


def test_uploads_need_space_on_the_disk(port, monkeypatch):
    monkeypatch.setattr(uploads, "SPARE_BYTES", 2**62)
    status, _, answer = restore(port, "a.png", b"x")
    assert status == 507
    assert "too little space" in error_of(answer)


def test_frames_that_are_larger_than_declared_are_not_decoded(port, tmp_path):
    clip = write_growing_video(tmp_path / "growing.webm", small=128, large=3072)
    status, headers, content = restore(port, "growing.webm", clip.read_bytes())
    assert status == 200
    assert "over the limit of" in headers["X-Message"]
    (tmp_path / "restored.webm").write_bytes(content)
    assert {size for size, _ in sizes(tmp_path / "restored.webm")} == {128}


def sizes(path):
    with av.open(str(path)) as container:
        return [(frame.width, frame.height) for frame in container.decode(video=0)]


def test_a_file_that_ends_the_process_of_uploads_costs_nothing_else(inverting_options, few_pictures, tmp_path):
    source = write_video(tmp_path / "upload.mp4", few_pictures * 20)
    (tmp_path / "short").mkdir()
    short = write_video(tmp_path / "short" / "upload.mp4", few_pictures[:2])

    async def kill():
        process = UploadProcess(inverting_options, tmp_path)
        job = asyncio.create_task(process.restore(source, UploadSettings()))
        # the output is written beside the upload
        async with asyncio.timeout(60):
            while len(list(tmp_path.iterdir())) < 3:
                await asyncio.sleep(0.05)
        os.kill(process.identifier, signal.SIGKILL)
        with pytest.raises(InputError, match="damaged, or needs too much memory"):
            await job
        result = await process.restore(short, UploadSettings())
        await process.close()
        return result.message

    assert asyncio.run(kill()) == "2 of 2 faces restored."


def test_a_process_of_uploads_that_ended_while_it_was_idle_is_not_blamed_on_the_file(inverting_options, few_pictures, tmp_path):
    async def restored(process, name):
        (tmp_path / name).mkdir()
        source = write_video(tmp_path / name / "upload.mp4", few_pictures[:2])
        return (await process.restore(source, UploadSettings())).message

    async def kill():
        process = UploadProcess(inverting_options, tmp_path)
        idle = await process.start()
        idle.kill()
        await idle.wait()
        assert process.identifier is None
        messages = [await restored(process, "first")]
        # now, nobody has noticed its end when the next file comes
        os.kill(process.identifier, signal.SIGKILL)
        messages.append(await restored(process, "second"))
        await process.close()
        return messages

    assert asyncio.run(kill()) == ["2 of 2 faces restored."] * 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_a_file_that_ends_the_process_of_uploads_is_named_although_another_one_arrives(inverting_options, tmp_path):
    source = tmp_path / "upload.mp4"
    os.mkfifo(source)

    async def kill():
        process = UploadProcess(inverting_options, tmp_path)
        job, writing = asyncio.create_task(process.restore(source, UploadSettings())), None
        while writing is None:
            await asyncio.sleep(0.02)
            with suppress(OSError):
                # possible once it is read, which takes without end
                writing = os.open(source, os.O_WRONLY | os.O_NONBLOCK)
        first = await process.start()
        first.kill()
        await asyncio.gather(first.wait(), process.start())
        with pytest.raises(InputError, match="damaged, or needs too much memory"):
            await job
        await process.close()
        os.close(writing)

    asyncio.run(kill())


@pytest.mark.parametrize("fault", ["network", "process"])
def test_what_the_server_cannot_restore_is_not_blamed_on_the_file(fault, inverting_network, tmp_path, caplog, capfd):
    picture = io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "PNG")
    network = tmp_path / "network.onnx"
    network.write_bytes(inverting_network.read_bytes() if fault == "process" else b"no network")
    with served(RestorationOptions(network=network, engine="onnxruntime")) as (port, _):
        if fault == "process":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("streamdeblur.live.serve.upload_process.MODULE", "string")
                status, _, content = restore(port, "face.png", picture.getvalue())
        else:
            status, _, content = restore(port, "face.png", picture.getvalue())
        assert (status, error_of(content)[:28]) == (500, "The server cannot restore: i")
        assert str(tmp_path) not in error_of(content)
        assert [record.getMessage()[:26] for record in caplog.records] == ["The server cannot restore:"]
        assert "Traceback" not in capfd.readouterr().err
        network.write_bytes(inverting_network.read_bytes())
        assert restore(port, "face.png", picture.getvalue())[0] == 200


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
def test_memory_and_files_of_uploads_are_limited(tmp_path):
    code = f"""
from streamdeblur.live.serve import upload_worker
upload_worker.MEMORY = upload_worker.MEMORY_PER_CORE = 2**26
upload_worker.RESULT_BYTES = 1000
upload_worker.limit_resources()
for work in (lambda: bytearray(2**33), lambda: open({str(tmp_path / "large")!r}, "wb").write(bytes(10_000))):
    try:
        work()
    except (MemoryError, OSError) as error:
        print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["MemoryError", "OSError"]

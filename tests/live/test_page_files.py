"""Files on the page, in a real browser: the queue, its messages, and the players in step."""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from support.browsers import AXE, CHROMIUM, browser, page
from support.media.videos import VideoSpec, write_video
from support.servers import served, wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)")

VP9 = VideoSpec(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "crf": "20"})
CLIPS = {"clip.mp4": VideoSpec(audio="aac"), "clip.mov": VideoSpec(), "a clip.of.mine.WebM": VP9}
BROKEN = {
    "clip.mp4": (b"no clip", "Cannot read the file"),
    "clip.mov": (b"no clip", "Cannot read the file"),
    "clip.webm": (b"no clip", "Cannot read the file"),
    "empty.mp4": (b"", "The file is empty."),
    "picture.jpg": (b"no picture", "not a PNG, JPEG, WebP, AVIF or TIFF picture"),
    "notes.txt": (b"text", "Unsupported file type"),
    "no suffix": (b"text", "Unsupported file type"),
}
"""Files that are refused, and words of the message."""
STATUS = "document.getElementById('status').textContent.trim()"
DOWNLOADS = "[...document.querySelectorAll('#queue .download:not([hidden])')].map((link) => link.download)"
DONE_AGAIN = "document.getElementById('again').hidden && document.querySelector('#queue li').dataset.state === 'done'"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(picture.toDataURL()))))"
"""What the view shows after the next frame that it draws."""
BOX = "(({ left, top, width, height }) => [left, top, width, height])(comparison.getBoundingClientRect())"
BITS = 5
"""Of the number of a frame, which is drawn into both of its halves."""
NUMBERS = f"""(() => {{
  const context = picture.getContext("2d");
  const width = picture.width / {2 * BITS};
  const bits = Array.from({{ length: {2 * BITS} }}, (_, n) => context.getImageData((n + 0.5) * width, 8, 1, 1).data[0] > 127);
  const number = (bits) => bits.reduce((sum, bit) => 2 * sum + bit, 0);
  return [number(bits.slice(0, {BITS})), number(bits.slice({BITS}))];
}})()"""
"""The numbers of the frames of which the left and the right half are shown."""
PLAYED = f"""new Promise((resolve) => {{
  const seen = [];
  const look = () => {{
    seen.push({NUMBERS});
    if (seen.length < 40) requestAnimationFrame(look);
    else resolve(seen);
  }};
  look();
}})"""


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """One browser for all tests, since each start costs seconds."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(inverting_options):
    """Where the page is served; every face becomes its negative."""
    with served(inverting_options) as (opened, _):
        yield f"http://127.0.0.1:{opened}/"


@pytest.fixture(scope="module")
def numbered(few_pictures):
    """24 pictures of a face [240, 320, 3], each with its number in white and black blocks at the top of both halves."""
    pictures = [picture.copy() for picture in (*few_pictures, *few_pictures[::-1])]
    for number, picture in enumerate(pictures):
        bits = [255 * (number >> bit & 1) for bit in reversed(range(BITS))]
        picture[:16] = np.repeat([*bits, *bits], 320 // (2 * BITS))[None, :, None]
    return pictures


def encoded(picture, kind):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


def png(picture):
    return encoded(picture, "PNG")


async def number(opened):
    """The number of the frame that both halves show, when it no longer changes."""
    before = None
    async with asyncio.timeout(60):
        while (shown := await opened.run(NUMBERS)) != before or shown[0] != shown[1]:
            before = shown
            await asyncio.sleep(0.3)
    return shown[0]


async def shows(opened, expected):
    """Wait until both halves show the frame with a number."""
    await opened.until(f"JSON.stringify({NUMBERS}) === '[{expected},{expected}]'")


@pytest.mark.parametrize(
    ("name", "download"),
    [
        ("clip.mp4", "clip-sharp.mp4"),
        # the quick suite has one container
        pytest.param("clip.mov", "clip-sharp.mp4", marks=pytest.mark.slow),
        pytest.param("a clip.of.mine.WebM", "a clip.of.mine-sharp.webm", marks=pytest.mark.slow),
    ],
)
def test_clips_of_each_type_are_played_in_step_with_their_results(port, address, numbered, tmp_path, name, download):
    clip = write_video(tmp_path / name.lower(), numbered, CLIPS[name]).read_bytes()

    async def use_page():
        async with page(port, address) as opened:
            words = await opened.restored({name: clip})
            await opened.until("'line' in comparison.dataset && picture.width === 320")
            await asyncio.sleep(0.5)
            played = await opened.run(PLAYED)
            await opened.click("play")
            first = await number(opened)
            for step, after in (("forward", first + 1), ("forward", first + 2), ("back", first + 1)):
                await opened.click(step)
                await shows(opened, after)
            return words, played, await opened.run(DOWNLOADS), opened.errors

    words, played, downloads, errors = asyncio.run(use_page())
    assert words == ["24 of 24 faces restored."]
    assert [pair for pair in played if pair[0] != pair[1]] == []
    assert len({left for left, _ in played}) > 3
    assert (downloads, errors) == ([download], [])


def test_a_part_of_a_clip_is_restored_again_with_another_strength(port, address, numbered, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", numbered).read_bytes()

    async def use_page():
        async with page(port, address) as opened:
            await opened.restored({"clip.mp4": clip})
            await opened.until("!document.getElementById('start-here').hidden")
            # the frames 8 to 17: the first one begins 0.02 s later
            for name, value in (("start", 0.3), ("end", 0.72), ("strength", 0)):
                await opened.fill(f"#{name}", value)
            assert not await opened.run("document.getElementById('again').hidden")
            await opened.click("again")
            await opened.until(DONE_AGAIN)
            await opened.until("document.getElementById('seek').max < 0.5")
            await opened.click("play")
            for seconds, expected in ((0, 8), (9, 17)):
                await opened.fill("#seek", seconds)
                await shows(opened, expected)
            return opened.requests, opened.errors

    requests, errors = asyncio.run(use_page())
    assert f"{address}restore?strength=0&start=0.3&end=0.72" in requests
    assert errors == []


def test_files_that_cannot_be_restored_are_explained_and_change_nothing_that_is_shown(port, address, face_picture):
    no_face = png(np.full((90, 120, 3), 128, np.uint8))

    async def use_page():
        async with page(port, address) as opened:
            words = await opened.restored({"me & you.png": png(face_picture)})
            await opened.until("'line' in comparison.dataset && picture.width === 426")
            before = await opened.run(DRAWN)
            messages = [await opened.restored({name: content}) for name, (content, _) in BROKEN.items()]
            shown = await opened.run("document.querySelector('#queue [aria-current]').textContent")
            after = await opened.run(DRAWN)
            faceless = await opened.restored({"gray.png": no_face})
            await opened.until("picture.width === 120")
            line = await opened.run("'line' in comparison.dataset")
            await opened.run("document.querySelectorAll('#queue .name')[1].click()")
            await opened.until("'empty' in comparison.dataset")
            hidden = await opened.run("['part', 'start-here', 'end-here'].map((id) => document.getElementById(id).hidden)")
            return words, messages, shown, before == after, faceless, line, hidden, await opened.run(DOWNLOADS), opened.errors

    words, messages, shown, same, faceless, line, hidden, downloads, errors = asyncio.run(use_page())
    assert words == ["2 of 2 faces restored."]
    told = {name: message for name, (message,) in zip(BROKEN, messages, strict=True)}
    assert {name: told[name] for name, (_, part) in BROKEN.items() if part not in told[name]} == {}
    assert shown == "me & you.png"
    assert same
    assert faceless == ["No face was found."]
    assert not line
    # times may be entered, but there is no frame to take them from
    assert hidden == [False, True, True]
    assert downloads == ["me & you-sharp.png", "gray-sharp.png"]
    assert errors == []


def test_pictures_of_each_type_are_restored_and_a_selected_one_comes_into_view(port, address, face_picture):
    kinds = {"a.jpg": "JPEG", "a.webp": "WEBP", "a.avif": "AVIF", "a.tif": "TIFF", "a.TIFF": "TIFF"}
    top = "document.getElementById('comparison').getBoundingClientRect().top"

    async def use_page():
        async with page(port, address) as opened:
            await opened.resize(390, "light")
            words = await opened.restored({name: encoded(face_picture, kind) for name, kind in kinds.items()})
            await opened.run("document.querySelector('#queue li:last-child').scrollIntoView()")
            tops = [await opened.run(top)]
            await opened.run("document.querySelector('#queue li:nth-child(3) .name').click()")
            await opened.until("'line' in comparison.dataset && picture.width === 426")
            tops.append(await opened.run(top))
            await opened.resize(1280, "light")
            await opened.run("document.querySelector('#queue li:last-child').scrollIntoView()")
            return words, [*tops, await opened.run(top)], await opened.run(DOWNLOADS), opened.errors

    words, (scrolled, selected, wide), downloads, errors = asyncio.run(use_page())
    assert words == ["2 of 2 faces restored."] * len(kinds)
    assert scrolled < 0 <= selected
    assert wide >= 0
    assert downloads == ["a-sharp.jpg", "a-sharp.webp", "a-sharp.avif", "a-sharp.tif", "a-sharp.tif"]
    assert errors == []


def test_a_cancelled_file_ends_at_once_and_the_next_one_is_restored(port, inverting_options, numbered, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    long = write_video(tmp_path / "long.mp4", numbered * 20).read_bytes()

    def uploads():
        return list(tmp_path.glob("*/streamdeblur-*"))

    async def use_page(address):
        async with page(port, address) as opened:
            await opened.drop({"long.mp4": long, "me.png": png(numbered[0])})
            await opened.until("/^\\d+ %, \\d+ s left$/.test(document.querySelector('#queue .words')?.textContent)")
            assert uploads()
            progress = await opened.run("document.querySelector('#queue progress').value")
            await opened.run("document.querySelector('#queue .cancel').click()")
            state = await opened.run("document.querySelector('#queue li').dataset.state")
            await opened.until("document.querySelectorAll('#queue li')[1].dataset.state === 'done'")
            return progress, state, await opened.run(DOWNLOADS), opened.errors

    with served(inverting_options) as (own, _):
        progress, state, downloads, errors = asyncio.run(use_page(f"http://127.0.0.1:{own}/"))
        wait_until(lambda: not uploads())
    assert 0 < progress < 1
    assert state == "cancelled"
    assert downloads == ["me-sharp.png"]
    assert errors == []


def test_the_queue_and_the_view_are_used_by_the_keyboard(port, address, face_picture):
    async def use_page():
        async with page(port, address) as opened:
            await opened.restored({"a.png": png(face_picture), "notes.txt": b"text"})
            await opened.until("'line' in comparison.dataset")
            await opened.run("document.getElementById('split').focus()")
            await opened.press("ArrowRight")
            line = await opened.run("document.getElementById('split').getAttribute('aria-valuetext')")
            await opened.press("+")
            zoom = await opened.run("document.getElementById('zoom-value').textContent")
            picture = await opened.run(DRAWN)
            await opened.press("ArrowLeft", modifiers=8)
            moved = await opened.run(DRAWN) != picture
            await opened.run("document.querySelectorAll('#queue .remove')[1].focus()")
            await opened.press("Enter")
            left = await opened.run("[document.querySelectorAll('#queue li').length, document.activeElement.textContent]")
            return line, zoom, moved, left, opened.errors

    line, zoom, moved, left, errors = asyncio.run(use_page())
    assert line == "51 % before, 49 % after"
    assert zoom == "150 %"
    assert moved
    assert left == [1, "a.png"]
    assert errors == []


def test_fingers_move_the_line_scroll_the_page_and_enlarge_the_picture(port, address, face_picture):
    async def use_page():
        async with page(port, address) as opened:
            await opened.resize(390, "light")
            await opened.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
            await opened.restored({"a.png": png(face_picture)})
            await opened.until("'line' in comparison.dataset && picture.width === 426")
            left, top, width, height = await opened.run(BOX)
            x, y = left + width / 2, top + height / 2

            async def state():
                line, zoom = "document.getElementById('split').value", "document.getElementById('zoom-value').textContent"
                return await opened.run(f"[{line}, {zoom}, scrollY > 0]")

            found = {}
            await opened.touch([(x, y)], [(x + width / 8, y)], [(x + width / 4, y)])
            found["a finger across"] = await state()
            await opened.touch([(x, y)], *([(x, y - step), (x + 40, y - step)] for step in range(0, 120, 10)))
            found["two fingers up"] = await state()
            await opened.touch([(x, y - 20)], *([(x, y - 20 - step), (x, y + 20 + step)] for step in range(0, 21, 5)))
            found["two fingers apart"] = await state()
            enlarged = await opened.run(DRAWN)
            await opened.touch([(x, y)], *([(x, y + step), (x + 40, y + step)] for step in range(0, 60, 10)))
            found["two fingers down"] = await state()
            moved = await opened.run(DRAWN) != enlarged
            await opened.touch([(x - 80, y)], *([(x - 80 + step, y), (x + 80 - step, y)] for step in range(0, 71, 10)))
            found["two fingers together"] = await state()
            await opened.touch(*([(x - 60, y - step)] for step in range(0, 120, 10)))
            await opened.until("scrollY > 0")
            found["a finger up"] = await state()
            return found, moved, opened.errors

    found, moved, errors = asyncio.run(use_page())
    assert found == {
        "a finger across": ["75", "100 %", False],
        "two fingers up": ["75", "100 %", False],
        "two fingers apart": ["75", "200 %", False],
        "two fingers down": ["75", "200 %", False],
        "two fingers together": ["75", "100 %", False],
        "a finger up": ["75", "100 %", True],
    }
    assert moved
    assert errors == []


@pytest.mark.skipif(AXE is None, reason="axe-core is not installed (pip install --no-deps axe-playwright-python)")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(port, address, numbered, tmp_path, width, scheme):
    clip = write_video(tmp_path / "clip.mp4", numbered).read_bytes()

    async def use_page():
        async with page(port, address) as opened:
            await opened.resize(width, scheme)
            found = await opened.accessibility_findings()
            await opened.restored({"clip.mp4": clip, "a-name-without-any-spaces-that-is-very-long-indeed.txt": b"text"})
            await opened.until("'line' in comparison.dataset")
            await opened.click("play")
            found += await opened.accessibility_findings()
            return found, await opened.run("document.documentElement.scrollWidth")

    found, wide = asyncio.run(use_page())
    assert found == []
    assert wide <= width


def test_a_server_that_has_ended_is_told(port, inverting_options, face_picture):
    async def use_page():
        with ExitStack() as server:
            ending, _ = server.enter_context(served(inverting_options))
            async with page(port, f"http://127.0.0.1:{ending}/") as opened:
                server.close()
                (words,) = await opened.restored({"me.jpeg": png(face_picture)})
                return words, await opened.run(STATUS), opened.errors

    words, status, errors = asyncio.run(use_page())
    assert "Is streamdeblur still running?" in words
    assert re.match(r"me\.jpeg: The server", status)
    assert errors == []

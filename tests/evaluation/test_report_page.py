"""The page of an evaluation in a real browser."""

from __future__ import annotations

import asyncio

import pytest

from support.browsers import AXE, CHROMIUM, browser, page
from support.cli import run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)")

POINT = "document.querySelector('.view').getBoundingClientRect().toJSON()"


@pytest.fixture(scope="module")
def address(made_once, faces_folder):
    """The page of an evaluation with all columns, curves and landmarks."""

    def fill(folder):
        done = run("evaluate", faces_folder, "--protocol", "runs:synthetic", "--methods", "blurred,unsharp,oracle",
                   "--limit", "3", "--out", folder / "report", "--json")  # fmt: skip
        assert done.exit_code == 0, done.stderr

    return (made_once("evaluation with a page", fill) / "report" / "report.html").as_uri()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_fits_the_screen_and_follows_its_colours(port, address, width, scheme):
    async def use_page():
        async with page(port, address) as opened:
            await opened.resize(width, scheme)
            wide = await opened.run("document.documentElement.scrollWidth")
            ground = await opened.run("getComputedStyle(document.body).backgroundColor")
            chart = await opened.run("getComputedStyle(document.querySelector('.curves text')).fill")
            order = await opened.run("[...document.querySelectorAll('h3')].slice(0, 2).map((title) => title.textContent)")
            return wide, ground, chart, order, await opened.accessibility_findings() if AXE else [], opened.errors

    wide, ground, chart, order, findings, errors = asyncio.run(use_page())
    assert wide <= width
    dark, light = "rgb(13, 16, 22)", "rgb(255, 255, 255)"
    assert ground == (dark if scheme == "dark" else light)
    assert chart == ("rgb(233, 236, 242)" if scheme == "dark" else "rgb(22, 26, 34)")
    assert order == ["Pictures", "Metrics"]
    assert findings == []
    assert errors == []


def test_a_line_divides_two_pictures_of_a_case_that_can_be_enlarged(port, address):
    async def use_page():
        async with page(port, address) as opened:
            await opened.resize(1280, "light")
            box = await opened.run(POINT)
            x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
            for kind in ("mousePressed", "mouseReleased"):
                await opened.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            line = await opened.run("document.querySelector('.split').value")
            shown = "document.querySelectorAll('.view')[0].querySelectorAll('img')[1].alt"
            before = await opened.run(shown)
            change = (
                "document.querySelector('.right').value = 2; document.querySelector('.right').dispatchEvent(new Event('change'))"
            )
            await opened.run(change)
            await opened.run(
                "const zoom = document.querySelector('.zoom'); zoom.value = 3; zoom.dispatchEvent(new Event('input'))"
            )
            scale = await opened.run("getComputedStyle(document.querySelector('.view img')).transform")
            return line, before, await opened.run(shown), scale

    line, before, after, scale = asyncio.run(use_page())
    assert line == "25"
    assert [before, after] == ["unsharp face", "sharp face"]
    assert scale == "matrix(3, 0, 0, 3, 0, 0)"

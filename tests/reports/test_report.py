"""Reports of the faces of a video: a row for each face and frame, and a page to look at."""

from __future__ import annotations

import asyncio
import csv
import sys

import pytest

from streamdeblur import deblur_video
from streamdeblur.errors import OptionError, OutputError, StreamDeblurError
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.faces.window import FaceWindow
from streamdeblur.reports.page import MOST_TRACKS, PageReport, clock
from streamdeblur.video.planes import array_planes
from support.browsers import CHROMIUM, browser, page
from support.cli import run
from support.media.videos import VideoSpec, write_video

COLUMNS = [
    "frame", "time", "track", "x", "y", "width", "height", "blur", "blur_after", "gain", "decision", "reason", "seconds",
]  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory, few_pictures):
    recipe = VideoSpec(codec="ffv1", options={}, pts=tuple(range(25, 33)))
    return write_video(tmp_path_factory.mktemp("clips") / "in.mkv", few_pictures[:8], recipe)


@pytest.fixture(scope="module")
def reports(tmp_path_factory, source, inverting):
    """The reports of one video, by their suffix, and the summary."""
    folder = tmp_path_factory.mktemp("reports")
    paths = {suffix: folder / f"faces.{suffix}" for suffix in ("csv", "parquet", "html")}
    for suffix, path in paths.items():
        summary = deblur_video(source, folder / f"{suffix}.mkv", deblurrer=inverting, report=path)
    return paths, summary


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_has_a_row_for_each_face_and_frame(reports):
    paths, summary = reports
    rows = rows_of(paths["csv"])
    assert list(rows[0]) == COLUMNS
    assert len(rows) == summary.faces >= 8
    assert [float(row["time"]) for row in rows if row["track"] == "1"] == pytest.approx([n / 25 for n in range(8)], abs=1e-3)
    assert {(row["decision"], row["reason"]) for row in rows} == {("restored", "always")}
    first = rows[0]
    assert 60 < float(first["width"]) < float(first["height"]) < 200
    assert 0 < float(first["blur"]) < 1
    assert float(first["seconds"]) > 0
    assert summary.median_blur is not None


def test_each_face_is_measured_once_in_the_output(tmp_path, source, inverting, monkeypatch):
    measured, blur_in = [], FaceDecision.blur_in
    monkeypatch.setattr(FaceDecision, "blur_in", lambda face, planes: measured.append(face) or blur_in(face, planes))
    summary = deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, report=tmp_path / "faces.csv")
    assert len(measured) == summary.faces


def test_parquet_has_the_same_rows(reports):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow comes with the extra report")
    table, rows = parquet.read_table(reports[0]["parquet"]).to_pylist(), rows_of(reports[0]["csv"])
    assert list(table[0]) == COLUMNS
    assert len(table) == len(rows)
    for one, other in zip(table, rows, strict=True):
        different = {name for name in COLUMNS if name != "seconds" and str(one[name]) != other[name]}
        assert different == set()


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_narrow_and_wide_windows_and_needs_nothing_else(tmp_path, reports, scheme):
    path = reports[0]["html"]

    async def look(port):
        async with page(port, path.as_uri()) as opened:
            await opened.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for width in (390, 1280):
                await opened.send(
                    "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
                )
                assert await opened.run("document.documentElement.scrollWidth") == width
                assert await opened.run("[...document.images].every((one) => one.complete && one.naturalWidth === 256)")
                assert await opened.run("document.querySelector('polyline.after').getBoundingClientRect().width") > width / 2
            text = await opened.run("document.body.innerText")
            dark = await opened.run("getComputedStyle(document.documentElement).colorScheme.includes('dark')")
            return text, dark, opened.errors, [url for url in opened.requests if not url.startswith("data:")]

    with browser(tmp_path) as port:
        text, dark, errors, requests = asyncio.run(look(port))
    assert "Track 1" in text
    assert "restored in any case" in text
    assert "Worst, at 0:00." in text
    assert dark
    assert (errors, requests) == ([], [path.as_uri()])


def test_a_page_about_many_people_shows_those_who_are_seen_longest(tmp_path, face_picture):
    """Its memory does not grow with each passer-by."""
    planes, path = array_planes(face_picture), tmp_path / "crowd.html"
    window = FaceWindow(200, 150, 120)

    def seen(track):
        return FaceDecision(track, (150, 100, 250, 200), window, "not chosen")

    # the name ends in a byte that is no UTF-8
    with PageReport(path, "<crowd>.mp4\udcff") as report:
        for frame in range(3 * MOST_TRACKS):
            report.add(frame, float(frame), planes, [seen(1), seen(frame + 2)], lambda face: 0.5)
        assert len(report._tracks) <= 2 * MOST_TRACKS
    text = path.read_text(encoding="utf-8")
    assert r"Faces of &lt;crowd&gt;.mp4\udcff" in text
    assert text.count("<h2>Track ") == MOST_TRACKS
    assert f"{3 * MOST_TRACKS + 1 - MOST_TRACKS} shorter tracks are not shown." in text
    assert text.index("Track 1<") < text.index("Track 2<")


def test_times_are_written_as_clocks():
    assert [clock(seconds) for seconds in (0.04, 59.96, 61.25, 3725.0)] == ["0:00.0", "1:00.0", "1:01.2", "1:02:05.0"]


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path, source, monkeypatch):
    out, there = tmp_path / "out.mkv", tmp_path / "there.csv"
    there.touch()
    for name, error, words in (
        ("faces.xlsx", OptionError, r"Unknown kind of report 'faces.xlsx'. Use .csv, .parquet or .html."),
        ("there.csv", OutputError, "exists. Give overwrite=True"),
        ("out.mkv", OptionError, "Unknown kind of report"),
    ):
        with pytest.raises(error, match=words):
            deblur_video(source, out, report=tmp_path / name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OptionError, match=r"Reports in .parquet need pyarrow. Install it with: pip install .*\[report\]"):
        deblur_video(source, out, report=tmp_path / "faces.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    many = run("video", source, "--out", tmp_path / "out", "--report", "faces.csv")
    assert (many.exit_code, "report is about one video" in many.stderr) == (2, True)


def test_a_job_that_fails_leaves_no_report(tmp_path, source, inverting):
    def fail(progress):
        raise StreamDeblurError("enough")

    with pytest.raises(StreamDeblurError, match="enough"):
        deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, report=tmp_path / "faces.csv", on_progress=fail)
    assert list(tmp_path.iterdir()) == []

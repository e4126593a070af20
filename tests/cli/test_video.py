"""streamdeblur video on folders of older kinds of files."""

from __future__ import annotations

import pytest

from streamdeblur.archive.archive import own_folder
from streamdeblur.archive.manifest import locked
from support.cli import run
from support.media.videos import VideoSpec, read_frames, write_video

OLD = {"a.wmv": "wmv2", "a.flv": "flv", "b.mpg": "mpeg2video", "c.ogv": "libvpx"}


@pytest.fixture
def folder(tmp_path, few_pictures):
    (tmp_path / "in").mkdir()
    for name, codec in OLD.items():
        write_video(tmp_path / "in" / name, few_pictures[:4], VideoSpec(codec, options={}))
    return tmp_path / "in"


def test_older_kinds_are_written_to_newer_ones_with_a_note(folder, quick):
    out = folder.parent / "out"
    done = run("video", folder, "--out", out, "--json", *quick)
    assert done.exit_code == 0, done.stderr
    targets = {path.name for path in out.iterdir()}
    assert targets == {"a.wmv.mp4", "a.flv.mp4", "b.mp4", "c.mkv"}
    assert all(len(read_frames(out / name)) == 4 for name in targets)
    assert "a.wmv is written as a.wmv.mp4: .wmv files cannot be written" in done.stderr
    assert done.json["done"] == 4
    again = run("video", folder, "--out", out, "--json", "--resume", *quick)
    assert (again.exit_code, again.json["skipped"]) == (0, 4)


def test_a_source_that_is_missing_is_said_to_be_missing_alone(tmp_path):
    done = run("video", "nothing", "--out", tmp_path / "out", cwd=tmp_path)
    assert (done.exit_code, "No such file" in done.stderr, "is written as" in done.stderr) == (1, True, False)


def test_several_processes_may_write_into_one_folder(folder, quick):
    """As with xargs: each has other inputs, and one that is the same as another is refused."""
    out = folder.parent / "out"
    with locked(own_folder([folder / "a.wmv"], out), None):
        assert run("video", folder / "b.mpg", "--out", out, *quick).exit_code == 0
        refused = run("video", folder / "a.wmv", "--out", out, *quick)
    assert refused.exit_code == 2
    assert f"Another batch is working on {out} (process" in refused.stderr
    assert run("video", folder / "a.wmv", "--out", out, *quick).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"a.mp4", "b.mp4"}


def test_a_target_that_cannot_be_written_names_the_kinds_that_can(folder):
    failed = run("video", folder / "a.wmv", folder.parent / "o.wmv")
    assert failed.exit_code == 2
    assert all(suffix in failed.stderr for suffix in ("o.wmv", ".mp4", ".mkv", ".webm"))

"""Files that arrive in a folder are restored when they have been written to their end."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from streamdeblur.archive.watch import Watch
from streamdeblur.errors import OptionError
from streamdeblur.options import ArchiveOptions


def test_files_are_taken_when_they_do_not_change_any_more(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("streamdeblur.archive.watch.time.monotonic", lambda: now)
    folder = tmp_path / "in"
    watch = Watch([folder], tmp_path / "out", keep_tree=False, settle=10.0, idle=60.0)
    folder.mkdir()
    assert watch.new() == []
    (folder / "a.mp4").write_bytes(b"begin")
    for seconds, content, taken in (
        (5, b"begun", []),
        (8, b"begin and end", []),
        (8, None, []),
        (3, None, ["a.mp4"]),
        (20, None, []),
    ):
        now += seconds
        if content is not None:
            (folder / "a.mp4").write_bytes(content)
        assert [job.source.name for job in watch.new()] == taken
    assert not watch.is_over
    now += 45
    assert watch.new() == []
    assert watch.is_over


def test_what_arrives_while_others_are_restored(tmp_path, batch, archive):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy2(archive / "a.mkv", folder / "old.mkv")

    def arrive():
        time.sleep(0.3)
        with (folder / "new.mkv").open("wb") as file:
            for byte in range(4):
                content = (archive / "more" / "b.mkv").read_bytes()
                part = len(content) // 4 + 1
                file.write(content[byte * part : (byte + 1) * part])
                file.flush()
                time.sleep(0.1)

    arriving = threading.Thread(target=arrive)
    arriving.start()
    done = batch(tmp_path / "out", [folder], watch=True, settle=0.3, idle=1.0)
    arriving.join()
    assert (done.status, sorted(done.begun)) == (["done"] * 2, ["new.mkv", "old.mkv"])


def test_settings_of_a_watch_without_one_are_refused():
    with pytest.raises(OptionError, match="settle is of a watch"):
        ArchiveOptions(settle=3)
    with pytest.raises(OptionError, match="give one of them"):
        ArchiveOptions(watch=True, shard="1/2")

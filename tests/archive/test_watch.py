"""Files that arrive in a folder are restored when they have been written to their end."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from streamdeblur.archive.pool import OwnProcess
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


@pytest.mark.parametrize("fate", ["is removed", "gets another name", "stays empty"])
def test_a_file_that_does_not_settle_holds_up_no_end(tmp_path, monkeypatch, fate):
    now = 1000.0
    monkeypatch.setattr("streamdeblur.archive.watch.time.monotonic", lambda: now)
    folder, file = tmp_path / "in", tmp_path / "in" / "a.mp4"
    folder.mkdir()
    watch = Watch([folder], tmp_path / "out", keep_tree=False, settle=10.0, idle=65.0)
    (folder / "complete.mp4").write_bytes(b"begin and end")
    os.utime(folder / "complete.mp4", (0, 0))
    file.write_bytes(b"" if fate == "stays empty" else b"begin")
    assert [job.source.name for job in watch.new()] == ["complete.mp4"]
    now += 5
    if fate == "is removed":
        file.unlink()
    elif fate == "gets another name":
        file.rename(folder / "a.mp4.part")
    for _ in range(6):
        assert not watch.is_over
        now += 11
        assert watch.new() == []
    assert watch.is_over


def test_outputs_in_a_watched_folder_do_not_arrive_in_it(tmp_path, monkeypatch):
    """The folder is named by a relative path, and that of the outputs by an absolute one."""
    monkeypatch.chdir(tmp_path)
    watch = Watch([Path()], tmp_path / "sharp", keep_tree=False, settle=0.0, idle=None)
    (tmp_path / "a.mp4").write_bytes(b"recording")
    for expected in (["a.mp4"], [], []):
        jobs = watch.new()
        assert [job.source.as_posix() for job in jobs] == expected
        for job in jobs:
            job.target.write_bytes(b"restored")


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
    done = batch(tmp_path / "out", [folder], watch=True, settle=0.6, idle=2.0)
    arriving.join()
    assert (done.status, sorted(done.begun)) == (["done"] * 2, ["new.mkv", "old.mkv"])


def test_what_failed_is_done_when_it_has_changed(tmp_path, batch, archive):
    """A recording that paused for longer than it takes to settle, beside one whose output another one has."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        shutil.copy2(archive / "a.mkv", folder / "same.mkv")
    os.utime(second / "same.mkv", ns=(0, 0))
    (first / "late.mkv").write_bytes((archive / "a.mkv").read_bytes()[:300])
    arriving = threading.Timer(0.8, lambda: shutil.copyfile(archive / "a.mkv", first / "late.mkv"))

    class Arriving(OwnProcess):
        def reports(self, on_progress):
            for report in super().reports(on_progress):
                if report.state == "failed":
                    arriving.start()
                yield report

    done = batch(tmp_path / "out", [first, second], pool=Arriving, watch=True, settle=0.3, idle=2.0)
    arriving.join()
    assert (done.status, done.begun.count("late.mkv")) == (["done"] * 2, 2)


def test_a_file_that_changes_is_done_anew_when_its_old_version_has_failed(tmp_path, batch, archive):
    folder = tmp_path / "in"
    folder.mkdir()
    source = shutil.copy2(archive / "long.mkv", folder)

    class Changing(OwnProcess):
        changes = 0

        def reports(self, on_progress):
            task = self._task
            yield from super().reports(on_progress)
            if (task.name, Changing.changes) in (("long.mkv#1", 0), ("long.mkv#join", 1)):
                Changing.changes += 1
                os.utime(source, ns=(0, Changing.changes))

    done = batch(tmp_path / "out", [folder], pool=Changing, watch=True, settle=0.1, idle=1.0)
    assert (done.status, Changing.changes) == (["done"], 2)
    assert done.begun == ["long.mkv#1", "long.mkv#2", *("long.mkv#1", "long.mkv#2", "long.mkv#3", "long.mkv#join")]


def test_settings_of_a_watch_without_one_are_refused():
    with pytest.raises(OptionError, match="settle is of a watch"):
        ArchiveOptions(settle=3)
    with pytest.raises(OptionError, match="give one of them"):
        ArchiveOptions(watch=True, shard="1/2")

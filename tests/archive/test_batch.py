"""A batch goes on after whatever has ended it, and ends with what an undisturbed one gives."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import threading
from pathlib import Path

import pytest

from streamdeblur.archive.archive import forget
from streamdeblur.archive.manifest import FOLDER, Header, Manifest, locked, working
from streamdeblur.archive.plan import plan_files
from streamdeblur.archive.pool import OwnProcess
from streamdeblur.archive.shards import Shard
from streamdeblur.errors import EngineError, OutputError
from streamdeblur.files import REPLACING
from streamdeblur.jobs.batch import Job
from streamdeblur.options import ArchiveOptions
from support.archives import QUICK, contents
from support.servers import wait_until

TASKS = ["a.mkv", "long.mkv#1", "long.mkv#2", "long.mkv#3", "long.mkv#join", "more/b.mkv"]


def dying(after):
    """A pool of this process that is interrupted when it has done some tasks, in the midst of the next one."""

    class Dying(OwnProcess):
        left = after

        def reports(self, on_progress):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield from super().reports(on_progress)

    return Dying


def lines(out):
    first, *others = (out / ".streamdeblur" / "manifest.jsonl").read_text().splitlines()
    return json.loads(first), [json.loads(line) for line in others]


def test_what_is_complete_is_never_done_again(tmp_path, batch):
    whole = batch(tmp_path / "whole")
    assert (whole.status, sorted(whole.begun)) == (["done"] * 3, TASKS)
    begun = []
    for after in (0, 3, 1):
        with pytest.raises(KeyboardInterrupt):
            batch(tmp_path / "out", pool=dying(after))
        begun += [record["name"] for record in lines(tmp_path / "out")[1] if record["state"] == "done"]
    end = batch(tmp_path / "out")
    assert len(end.begun) == 2
    assert sorted(set(begun) | set(end.begun)) == TASKS
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    again = batch(tmp_path / "out")
    assert (again.status, again.begun) == (["skipped"] * 3, [])
    assert not (tmp_path / "out" / ".streamdeblur" / "segments").exists()


def test_a_region_without_faces_is_told_once_for_all_segments(tmp_path, batch, archive):
    (done,) = batch(tmp_path, [archive / "long.mkv"], only="region:0,0,5,5").files
    assert [warning for warning in done.summary.warnings if warning.startswith("only: ")] == [
        "only: no face had its middle in region:0,0,5,5 (left, top, width and height in pixels)"
    ]


def test_the_manifest_tells_all_of_each_task(tmp_path, batch, archive):
    batch(tmp_path)
    header, records = lines(tmp_path)
    assert header["manifest"] == 1
    assert header["settings"]["segment"] == 0.24
    last = {record["name"]: record for record in records}
    assert sorted(last) == TASKS
    second = last["long.mkv#2"]
    assert (second["kind"], second["file"], second["output"]) == ("segment", str(archive / "long.mkv"), "long.mkv")
    assert (second["frames"], second["state"], second["attempts"], second["error"]) == (6, "done", 1, "")
    assert second["segment"]["end"] > second["segment"]["begin"] > second["segment"]["prepare"]
    assert second["seconds"] > 0
    assert last["long.mkv#join"]["summary"]["frames"] == 18


def test_half_a_line_and_lost_lines_cost_nothing_else(tmp_path, batch):
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path, pool=dying(2))
    manifest = tmp_path / ".streamdeblur" / "manifest.jsonl"
    text = manifest.read_text()
    kept = [line for line in text.splitlines() if '"long.mkv#2"' not in line]
    manifest.write_text("\n".join(kept) + '\n{"name": "more/b.mkv", "ki')
    assert "done" in batch(tmp_path).status
    assert batch(tmp_path).status == ["skipped"] * 3


def test_a_manifest_with_random_damage_is_read_or_refused(tmp_path, batch, archive):
    batch(tmp_path)
    manifest = tmp_path / ".streamdeblur" / "manifest.jsonl"
    header, *records = manifest.read_bytes().splitlines(keepends=True)
    for output in tmp_path.rglob("*.mkv"):
        output.unlink()
    plan = Header(**json.loads(header))
    randomness = random.Random(0)
    for _ in range(50):
        damaged = bytearray(b"".join(randomness.sample(records, randomness.randint(0, len(records)))))
        for _ in range(randomness.randint(0, 8) if damaged else 0):
            damaged[randomness.randrange(len(damaged))] = randomness.randrange(256)
        manifest.write_bytes(header + damaged)
        read = Manifest(tmp_path, manifest.parent, plan)
        jobs = [Job(archive / name, tmp_path / name) for name in ("a.mkv", "long.mkv", "more/b.mkv")]
        for file in plan_files(jobs, read, ArchiveOptions(**QUICK).work(), None):
            assert file.last.kind == ("join" if len(file.tasks) > 1 else "video")
            assert [task.segment.number for task in file.tasks[:-1]] == list(range(file.last.segments))


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names there are UTF-8")
def test_names_that_are_no_text_are_complete_the_next_time(tmp_path, batch, archive):
    (tmp_path / "in").mkdir()
    for name in (b"\xe9.mkv", b"\n\x1b[31m.mkv", b"[bold].mkv"):
        shutil.copy(archive / "a.mkv", tmp_path / "in" / os.fsdecode(name))
    assert batch(tmp_path / "out", [tmp_path / "in"]).status == ["done"] * 3
    assert batch(tmp_path / "out", [tmp_path / "in"]).status == ["skipped"] * 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes (POSIX)")
def test_what_is_no_regular_file_costs_no_other(tmp_path, batch, archive):
    os.mkfifo(tmp_path / "pipe.mkv")
    done = batch(tmp_path / "out", [tmp_path / "pipe.mkv", Path(os.devnull), archive / "a.mkv"])
    assert done.status == ["done", "failed", "failed"]
    assert all("is no regular file" in file.error for file in done.files if file.status == "failed")


def test_segments_of_two_versions_of_a_source_are_never_joined(tmp_path, batch, archive):
    (tmp_path / "in").mkdir()
    source = shutil.copy2(archive / "long.mkv", tmp_path / "in")

    class Changing(OwnProcess):
        def reports(self, on_progress):
            task = self._task
            yield from super().reports(on_progress)
            if task.name.endswith("#2"):
                os.utime(source, ns=(0, 0))

    changed = batch(tmp_path / "out", [tmp_path / "in"], pool=Changing)
    assert (changed.status, changed.begun[-1]) == (["failed"], "long.mkv#3")
    assert "has changed since it was planned. The same command restores it anew" in changed.files[0].error
    again = batch(tmp_path / "out", [tmp_path / "in"])
    assert (again.status, again.begun) == (["done"], TASKS[1:5])


def test_a_source_that_changes_while_it_is_restored_is_told(tmp_path, batch, archive, monkeypatch):
    source = tmp_path / "a.mkv"
    shutil.copy2(archive / "a.mkv", source)

    class Changing(OwnProcess):
        def reports(self, on_progress):
            yield from super().reports(lambda _: os.utime(source, ns=(0, 0)))

    monkeypatch.setattr("streamdeblur.archive.worker.PROGRESS_SECONDS", 0)
    done = batch(tmp_path / "out", [source], pool=Changing)
    assert (done.status, len(done.files[0].summary.warnings)) == (["done"], 1)
    assert "the source has changed while it was restored" in done.files[0].summary.warnings[0]


def test_an_output_is_not_taken_for_that_of_another_source(tmp_path, batch, archive):
    first, moved = tmp_path / "1" / "x.mkv", tmp_path / "2" / "x.mkv"
    for path in (first, moved):
        path.parent.mkdir()
        shutil.copy2(archive / "a.mkv", path)
    assert batch(tmp_path / "out", [first]).status == ["done"]
    assert batch(tmp_path / "out", [moved]).status == ["skipped"]
    os.utime(moved, ns=(0, 0))
    other = batch(tmp_path / "out", [moved])
    assert other.status == ["failed"]
    assert "exists" in other.files[0].error


def test_a_source_that_changes_is_planned_anew(tmp_path, batch, archive):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "x.mp4"
    source.write_bytes((archive / "long.mkv").read_bytes())
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path / "out", [source.parent], pool=dying(1))
    source.write_bytes((archive / "more" / "b.mkv").read_bytes())
    assert batch(tmp_path / "out", [source.parent]).begun == ["x.mp4"]


def test_files_that_are_new_are_added(tmp_path, batch, archive):
    assert batch(tmp_path, [archive / "a.mkv"]).begun == ["a.mkv"]
    assert batch(tmp_path, [archive / "more"]).begun == ["b.mkv"]
    assert {record["name"] for record in lines(tmp_path)[1]} == {"a.mkv", "b.mkv"}


def test_what_was_killed_comes_last(tmp_path, batch, archive):
    inputs = [archive / "a.mkv", archive / "more"]
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path, inputs, pool=dying(0))
    assert batch(tmp_path, inputs).begun == ["b.mkv", "a.mkv"]


def test_outputs_of_others_are_kept_or_replaced_as_is_said(tmp_path, batch, archive):
    (tmp_path / "a.mkv").write_bytes(b"of somebody else")
    refused = batch(tmp_path, [archive / "a.mkv"])
    assert refused.status == ["failed"]
    assert "exists" in refused.files[0].error
    assert batch(tmp_path, [archive / "a.mkv"], resume=True).status == ["skipped"]
    assert (tmp_path / "a.mkv").read_bytes() == b"of somebody else"
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path, [archive / "a.mkv"], pool=dying(0), overwrite=True)
    assert batch(tmp_path, [archive / "a.mkv"], overwrite=True).status == ["done"]
    assert batch(tmp_path, [archive / "a.mkv"], overwrite=True).status == ["skipped"]


def test_an_output_that_exists_is_refused_before_anything_of_its_file_is_restored(tmp_path, batch, archive):
    """Its plan was forgotten, as `video` does; other files are restored unless none may fail."""
    source = shutil.copy2(archive / "long.mkv", tmp_path / "x.mkv")
    out = tmp_path / "out"
    assert batch(out, [source]).status == ["done"]
    forget(out / FOLDER)
    before = (out / "x.mkv").read_bytes()
    refused = batch(out, [source, archive / "a.mkv"])
    assert (refused.status, refused.begun) == (["done", "failed"], ["a.mkv"])
    assert [file.error for file in refused.files if file.error] == [f"{out / 'x.mkv'} exists. {REPLACING}."]
    assert {record["name"]: record["state"] for record in lines(out)[1]}["x.mkv#join"] == "failed"
    assert not (out / FOLDER / "segments").exists()
    assert batch(out, [source], max_failures=0).stopped
    assert (out / "x.mkv").read_bytes() == before
    assert batch(out, [source], overwrite=True).status == ["done"]


def test_another_batch_in_the_folder_is_refused(tmp_path, batch):
    with locked(tmp_path / FOLDER, None), pytest.raises(OutputError, match="Another batch is working on"):
        batch(tmp_path)
    with locked(tmp_path / FOLDER, Shard(1, 2)):
        with pytest.raises(OutputError, match="Another batch is working on"):
            batch(tmp_path)
        with pytest.raises(OutputError, match="Another batch is working on"):
            batch(tmp_path, shard="1/2")
        batch(tmp_path, shard="2/2")


@pytest.mark.parametrize(("shard", "next_shard"), [(None, None), (Shard(2, 2), None), (Shard(1, 2), Shard(1, 2))])
def test_processes_of_a_batch_that_was_killed_are_waited_for(tmp_path, caplog, shard, next_shard):
    folder, events = tmp_path / FOLDER, []
    folder.mkdir()

    def begin():
        with locked(folder, next_shard):
            events.append("begun")

    caplog.set_level("INFO")
    with working(folder, shard):
        beginning = threading.Thread(target=begin)
        beginning.start()
        wait_until(lambda: "Waiting for processes of an earlier run to end" in caplog.text)
        events.append("ended")
    beginning.join()
    assert events == ["ended", "begun"]


def test_manifests_of_other_settings_and_versions_are_refused(tmp_path, batch, archive):
    batch(tmp_path, [archive / "a.mkv"])
    with pytest.raises(OutputError, match=r"other settings \(strength\)"):
        batch(tmp_path, [archive / "a.mkv"], strength=0.5)
    manifest = tmp_path / ".streamdeblur" / "manifest.jsonl"
    content = manifest.read_text()
    manifest.write_text(content.replace('"manifest": 1', '"manifest": 2'))
    with pytest.raises(OutputError, match="manifest version 2, not 1"):
        batch(tmp_path, [archive / "a.mkv"])
    manifest.write_text("no manifest\n")
    with pytest.raises(OutputError, match="no manifest of streamdeblur"):
        batch(tmp_path, [archive / "a.mkv"])


def test_shards_that_know_nothing_of_each_other_make_one_whole(tmp_path, batch):
    batch(tmp_path / "whole")
    runs = [batch(tmp_path / "out", shard=f"{n}/3") for n in (1, 2, 3)]
    assert sorted(name for run in runs for name in run.begun) == TASKS
    assert max(len(run.begun) for run in runs) <= 3
    assert len(runs[0].unfinished) == 2
    assert not runs[-1].unfinished
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert batch(tmp_path / "out").status == ["skipped"] * 3


def test_what_shards_did_of_a_source_that_has_changed_counts_no_more(tmp_path, batch, archive):
    source = tmp_path / "long.mkv"
    shutil.copy2(archive / "long.mkv", source)
    assert batch(tmp_path / "out", [source], shard="2/2").begun == ["long.mkv#2"]
    os.utime(source, ns=(0, 0))
    assert batch(tmp_path / "out", [source], shard="1/2").begun == ["long.mkv#1", "long.mkv#3"]
    assert batch(tmp_path / "out", [source], shard="2/2").begun == ["long.mkv#2", "long.mkv#join"]


def test_a_batch_stops_after_too_many_failures(tmp_path, batch, archive):
    inputs = [tmp_path / f"{n}.mp4" for n in range(3)]
    for path in inputs:
        path.write_bytes(b"no video")
    assert batch(tmp_path / "all", [*inputs, archive / "a.mkv"]).status == ["done", *["failed"] * 3]
    stopped = batch(tmp_path / "few", [*inputs, archive / "a.mkv"], max_failures=1)
    assert stopped.stopped
    assert (stopped.status, len(stopped.unfinished)) == (["failed"] * 2, 2)


def test_segments_that_do_not_make_a_whole_are_done_in_one_piece(tmp_path, batch, monkeypatch):
    from streamdeblur.archive import worker
    from streamdeblur.archive.segments import NotJoinedError

    def refuse(*_, **__):
        raise NotJoinedError("they do not fit")

    monkeypatch.setattr(worker, "join_segments", refuse)
    done = batch(tmp_path)
    assert done.status == ["done"] * 3
    assert done.begun[-1] == "long.mkv"
    assert {r["name"]: r for r in lines(tmp_path)[1]}["long.mkv"]["reason"] == "they do not fit"
    assert not (tmp_path / ".streamdeblur" / "segments").exists()


def test_a_batch_waits_for_workers_that_are_being_started(tmp_path, batch, archive):
    class Starting(OwnProcess):
        looks = 0

        @property
        def free(self):
            return super().free if self.looks == 3 else 0

        def reports(self, on_progress):
            self.looks = min(self.looks + 1, 3)
            yield from super().reports(on_progress)

    assert batch(tmp_path, [archive / "a.mkv"], pool=Starting).status == ["done"]


def test_segments_that_were_begun_before_one_piece_change_nothing(tmp_path, batch, archive):
    """Reports of two segments arrive after that of the first one, which says that the file cannot be joined."""
    from streamdeblur.archive.tasks import Report

    class Late(OwnProcess):
        free, size = 3, 3

        def __init__(self, assignment):
            super().__init__(assignment)
            self.given = []

        def give(self, task):
            self.given.append(task)

        def reports(self, on_progress):
            given, self.given = self.given, []
            for task in given:
                if task.name.endswith("#1"):
                    yield Report(task.name, "a worker", "failed", error="it is damaged", fault="segments")
                else:
                    yield self._worker.run(task, on_progress)

    done = batch(tmp_path, [archive / "long.mkv"], pool=Late)
    assert (done.status, done.begun) == (["done"], [*TASKS[1:4], "long.mkv"])


def test_a_worker_without_the_network_of_the_batch_does_nothing(tmp_path, batch, quick_network):
    class OtherNetwork(OwnProcess):
        def __init__(self, assignment):
            from dataclasses import replace

            super().__init__(replace(assignment, network="0" * 64))

    with pytest.raises(EngineError, match=r"No worker can do the work\. .*is another network than that of the batch"):
        batch(tmp_path, pool=OtherNetwork)
    assert batch(tmp_path).status == ["done"] * 3

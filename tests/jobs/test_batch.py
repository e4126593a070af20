"""Many files: one that fails, whatever it raises, does not stop the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdeblur.errors import InputError, OutputError
from streamdeblur.jobs import batch
from streamdeblur.video.encoders import writable_suffix


def test_one_file_never_stops_the_batch(tmp_path):
    failures = {
        "b": InputError("b is damaged."),
        "c": ValueError("what nobody foresaw"),
        "d": MemoryError(),
        "e": RecursionError(),
    }

    def work(job: batch.Job) -> str:
        if failure := failures.get(job.source.name):
            raise failure
        return job.source.name.upper()

    jobs = [batch.Job(tmp_path / name, tmp_path / "out" / name) for name in "abcdef"]
    outcomes = list(batch.run(jobs, work, resume=False))
    assert [outcome.status for outcome in outcomes] == ["done", *["failed"] * 4, "done"]
    assert [outcome.summary for outcome in outcomes if outcome.summary] == ["A", "F"]
    assert outcomes[1].error == "b is damaged."
    assert outcomes[2].error == f"{tmp_path / 'c'} failed with an unexpected ValueError: what nobody foresaw"


def test_interrupt_ends_the_batch(tmp_path):
    def work(job: batch.Job) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(batch.run([batch.Job(tmp_path / "a", tmp_path / "b")], work, resume=False))


def test_path_that_the_system_does_not_take_fails_alone(tmp_path):
    targets = [tmp_path / ("long" * 100), tmp_path / "short"]
    outcomes = list(batch.run([batch.Job(tmp_path, target) for target in targets], lambda job: job.target.name, resume=True))
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]


def planned(folder, *names):
    """Names of the targets of videos with these names."""
    for name in names:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).touch()
    jobs = batch.plan([folder / "in"], folder / "out", batch.VIDEO_SUFFIXES, writable_suffix)
    return {job.source.relative_to(folder / "in").as_posix(): job.target.relative_to(folder / "out").as_posix() for job in jobs}


def test_kinds_that_cannot_be_written_get_another_suffix(tmp_path):
    targets = planned(tmp_path, "a.mp4", "b.wmv", "c.FLV", "d.3gp", "e.mpg", "f.ogv", "deep/g.wmv", "h.nut", "i.MOV")
    assert targets == {
        "a.mp4": "a.mp4", "b.wmv": "b.mp4", "c.FLV": "c.mp4", "d.3gp": "d.mp4", "e.mpg": "e.mp4", "f.ogv": "f.mkv",
        "deep/g.wmv": "deep/g.mp4", "h.nut": "h.nut", "i.MOV": "i.MOV",
    }  # fmt: skip


def test_files_that_would_get_one_name_keep_their_own_suffixes_in_it(tmp_path):
    targets = planned(tmp_path, "a.wmv", "a.flv", "b.mp4", "b.wmv", "c.ogv", "c.wmv")
    assert targets == {
        "a.flv": "a.flv.mp4", "a.wmv": "a.wmv.mp4", "b.mp4": "b.mp4", "b.wmv": "b.wmv.mp4", "c.ogv": "c.mkv", "c.wmv": "c.mp4",
    }  # fmt: skip


def test_names_that_cannot_be_told_apart_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"would both be written to .*a\.wmv\.mp4"):
        planned(tmp_path, "a.wmv", "a.flv", "a.wmv.mp4")


@pytest.mark.parametrize(
    ("inputs", "out"),
    [
        (".", "{in}/sharp"), ("{in}", "sharp"), ("deep/..", "sharp"), ("{link}", "sharp"), (".", "{link}/sharp"),
        ("{in}", "./deep/../sharp"), (".", "sharp"),
    ],
)  # fmt: skip
def test_results_in_a_folder_of_inputs_are_no_inputs_however_the_folders_are_spelled(tmp_path, monkeypatch, inputs, out):
    folder = tmp_path / "in"
    for name in ("a.mp4", "deep/b.mp4", "sharp/a.mp4", "sharp/deep/b.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    inputs, out = (text.format_map({"in": folder, "link": tmp_path / "link"}) for text in (inputs, out))
    jobs = batch.plan([Path(inputs)], Path(out), batch.VIDEO_SUFFIXES)
    assert [job.source.relative_to(inputs).as_posix() for job in jobs] == ["a.mp4", "deep/b.mp4"]


def test_a_folder_of_inputs_may_lie_in_the_output_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path):
        assert batch.plan([Path("in")], out, batch.VIDEO_SUFFIXES) == [batch.Job(Path("in", "a.mp4"), out / "a.mp4")]

"""Many files: one that fails, whatever it raises, does not stop the others."""

from __future__ import annotations

import pytest

from streamdeblur.errors import InputError
from streamdeblur.jobs import batch


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

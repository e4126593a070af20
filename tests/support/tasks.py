"""Tasks of a data set for worker processes, which import them by name."""

from __future__ import annotations

import os
import time
from functools import partial

from streamdeblur.training.datasets.part_tasks import PartTask
from streamdeblur.training.datasets.shards import Sample, json_bytes


def sample_with(text):
    return [Sample("text", {"json": json_bytes({"text": text})})]


def kill_this_process(after):
    while not after.exists():
        time.sleep(0.001)
    os._exit(9)


def task_that_works(name):
    return PartTask(name, name, partial(sample_with, "worked"), sample_with)


def task_that_kills_its_process(name, after):
    """One whose process dies when a file is there."""
    return PartTask(name, name, partial(kill_this_process, after), sample_with)

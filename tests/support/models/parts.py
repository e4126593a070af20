"""Jobs for worker processes, which import them by name."""

from __future__ import annotations

import os
from functools import partial

from streamdeblur.training.datasets.part_tasks import PartTask
from streamdeblur.training.datasets.shards import Sample, json_bytes


def say(text):
    return [Sample("said", {"json": json_bytes({"text": text})})]


def die():
    os._exit(9)


def job_that_works(name):
    return PartTask(name, name, partial(say, "worked"), say)


def job_that_dies(name):
    return PartTask(name, name, die, say)

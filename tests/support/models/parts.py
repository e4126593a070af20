"""Jobs for worker processes, which import them by name."""

from __future__ import annotations

import os
from functools import partial

from streamdeblur.training.datasets.parts import Job
from streamdeblur.training.datasets.shards import Sample, json_bytes


def say(text):
    return [Sample("said", {"json": json_bytes({"text": text})})]


def die():
    os._exit(9)


def job_that_works(name):
    return Job(name, name, partial(say, "worked"), say)


def job_that_dies(name):
    return Job(name, name, die, say)

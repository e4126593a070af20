"""200 networks with random changes: each is refused in words or runs; none crashes, hangs, or takes memory without limit."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter

import numpy as np
import pytest

from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.errors import StreamDeblurError
from streamdeblur.faces.window import FaceWindow
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.warmup import compile_kernels
from support.models.mutations import mutated_network

NETWORKS = 200
SECONDS = 60
"""Longest time for one network."""
MEGABYTES = 3000
"""Most memory of a process that runs one network."""
ACCEPTED, REFUSED, BROKEN = 0, 2, 9


def _restore(path, engine):
    """Read a network and restore two faces of a frame with it, as the product does; return how that ended."""
    try:
        opened = open_engine(engine, Network.read(path))
        picture = np.full((200, 200, 3), 90, np.uint8)
        planes = array_planes(picture)
        faces = FrameFaces.read(planes, [FaceWindow(60, 80, 90), FaceWindow(110, 90, 80)], [1.0, 0.5])
        opened.submit(faces).paste(planes)
        opened.infer(np.stack(faces.crops))
        opened.warm_up()
    except StreamDeblurError as error:
        return REFUSED if str(error).strip() else BROKEN
    return ACCEPTED


def _in_a_process(path, engine):
    """Run `_restore` in a forked process; return how it ended, and its seconds and megabytes."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = BROKEN
        try:
            signal.alarm(SECONDS)
            code = _restore(path, engine)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - began, used.ru_maxrss / 1024


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_two_hundred_networks(tmp_path):
    compile_kernels()
    outcomes, seconds, megabytes, bad = Counter(), 0.0, 0.0, []
    for seed in range(NETWORKS):
        path = tmp_path / "network.onnx"
        path.write_bytes(mutated_network(seed))
        engine = ("openvino", "onnxruntime")[seed % 2]
        code, took, used = _in_a_process(path, engine)
        outcomes[code] += 1
        seconds, megabytes = max(seconds, took), max(megabytes, used)
        if code not in (ACCEPTED, REFUSED) or used > MEGABYTES:
            bad.append((seed, engine, code, round(took, 1), round(used)))
    figures = {
        "accepted": outcomes[ACCEPTED],
        "refused": outcomes[REFUSED],
        "seconds": seconds,
        "megabytes": megabytes,
        "bad": bad,
    }
    print(json.dumps(figures))
    assert bad == []
    assert outcomes[ACCEPTED] >= 10
    assert outcomes[REFUSED] >= 10

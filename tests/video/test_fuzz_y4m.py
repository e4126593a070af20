"""Damaged YUV4MPEG2: on stdin of `pipe` and as files for `video`; none stops the program, leaves half a file or takes memory.

`pytest -m slow tests/video/test_fuzz_y4m.py` gives it 400 streams, the same ones each time.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

STREAMS, PER_PROCESS = 400, 50
SECONDS = 300
LARGEST_MEMORY = 1 << 30


def run_streams(first, count, folder):
    """Results of streams in a process of their own, whose end by a signal would fail this test by name."""
    command = [sys.executable, "-m", "support.fuzz_y4m", str(first), str(count), str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, (
        f"stream {lines[-1] if lines else first} ended the process: {done.returncode} {done.stderr[-2000:]}"
    )
    return list(zip(lines[::2], lines[1::2], strict=True))


def check(results):
    for number, result in results:
        assert result["code"] in (0, 2), (number, result)
        assert result["whole"], (number, result)
        assert "Traceback" not in result["errors"], (number, result)
        assert "nexpected" not in result["errors"], (number, result)
        assert result["code"] == 0 or len(result["errors"].splitlines()[-1]) < 400, (number, result)
        assert result["video"] != "half a file", (number, result)
        assert result["memory"] < LARGEST_MEMORY, (number, result)


def test_some_damaged_streams(tmp_path):
    check(run_streams(1000, 4, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, STREAMS, PER_PROCESS))
def test_damaged_streams(tmp_path, first):
    check(run_streams(first, PER_PROCESS, tmp_path))

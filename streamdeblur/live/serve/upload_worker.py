"""What the process of `UploadProcess` runs: jobs come in as lines of JSON on stdin, and answers go out as lines on stdout."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdeblur.cores import usable_cores
from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import DetectorError, EngineError, InputError, NetworkError, StreamDeblurError
from streamdeblur.live.serve import uploads
from streamdeblur.live.serve.upload_settings import UploadProgress, UploadSettings
from streamdeblur.options import RestorationOptions

MEMORY = 4 * 2**30
"""Memory that restoring a file may take, in bytes: about three times what a 4K clip takes on a machine with few cores."""
MEMORY_PER_CORE = 128 * 2**20
"""Further memory for each core: decoders, encoders and engines keep stacks and frames for each of their threads."""
RESULT_BYTES = 2**30
"""Upper limit of the size of a result."""
PROGRESS_SECONDS = 0.2
"""Shortest time between two lines about the progress of a file."""


def main() -> None:
    """Restore uploads until the server closes stdin."""
    for name in ("SIGINT", "SIGHUP"):
        # a terminal sends these to all processes of a command; the server ends this one
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # what libraries print does not mix with the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.getLogger("streamdeblur").setLevel(logging.CRITICAL)
    first = json.loads(sys.stdin.readline() or "{}")
    if not first:
        return
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=[jobs, Path(first["folder"])], daemon=True).start()

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    limit_resources()
    try:
        deblurrer = FaceDeblurrer(RestorationOptions.model_validate(first["options"]), throughput=True)
    except Exception as error:
        # Guards the clients against what runtimes raise where memory is limited: it is the server's fault, whatever it is.
        tell({"failed": str(error) or type(error).__name__})
        return
    tell({"ready": True})
    with deblurrer:
        while True:
            job = jobs.get()
            # what ends the process from here on may be the file
            tell({"taken": True})
            tell(_answer(job, deblurrer, _Reports(tell)))


def _read_jobs(jobs: queue.SimpleQueue[dict[str, Any]], folder: Path) -> None:
    """Pass jobs on; when the server has ended, however it did, remove what it left and end this process, too."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class _Reports:
    """Tells the progress of a file now and then."""

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        self._tell, self._told = tell, 0.0

    def __call__(self, progress: UploadProgress) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._tell({"progress": asdict(progress)})


def _answer(job: dict[str, Any], deblurrer: FaceDeblurrer, on_progress: _Reports) -> dict[str, Any]:
    try:
        settings = UploadSettings.model_validate(job["settings"])
        result = uploads.restore(Path(job["source"]), deblurrer, settings, on_progress)
    except InputError as error:
        return {"error": str(error), "refused": True}
    except (NetworkError, EngineError, DetectorError) as error:
        return {"failed": str(error)}
    except StreamDeblurError as error:
        return {"error": str(error), "refused": False}
    except MemoryError:
        return {"error": "The file needs too much memory.", "refused": True}
    except Exception as error:
        # Guards the process, whose start takes seconds, against what libraries raise for files that are damaged in ways nobody
        # thought of. The client gets an error without internals, the log of the server gets the cause.
        return {"error": "The file could not be restored.", "refused": False, "cause": f"{type(error).__name__}: {error}"}
    return {"result": {**asdict(result), "path": str(result.path)}}


def limit_resources() -> None:
    """Limit the memory of this process and the size of its files, where the operating system does."""
    try:
        import resource
    except ImportError:
        # Windows
        return
    memory = MEMORY + MEMORY_PER_CORE * usable_cores()
    for kind, limit in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, RESULT_BYTES)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    main()

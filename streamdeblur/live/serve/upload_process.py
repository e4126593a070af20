"""UploadProcess: restores uploads in a process of its own, which is killed when a file takes too much or nobody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.serve.failures import CannotRestoreError
from streamdeblur.live.serve.upload_settings import UploadProgress, UploadSettings
from streamdeblur.live.serve.uploads import MAX_WORKING_SECONDS, UploadResult
from streamdeblur.options import RestorationOptions

logger = logging.getLogger(__name__)

MODULE = "streamdeblur.live.serve.upload_worker"


class UploadProcess:
    """The process that restores uploads, one after another. It is started before the first one, and again after it was killed.

    The formats of pictures and clips are decoded by native code, which a hostile file may make use all memory, hang or crash.
    """

    def __init__(self, options: RestorationOptions, folder: Path) -> None:
        """Set what the process works with; `start` starts it.

        Args:
            options: Settings of the restoration.
            folder: The folder of all uploads, which the process removes if this one dies.
        """
        self._options, self._folder = options, folder
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        """Whether the engine of the process is open: what ends it before is not the fault of a file."""
        self._stopped = False
        self._free, self._starting = asyncio.Lock(), asyncio.Lock()

    @property
    def identifier(self) -> int | None:
        """Number of the process; None where it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> asyncio.subprocess.Process:
        """Start the process unless it runs, for example while an upload arrives; returns it."""
        async with self._starting:
            if self._process is not None and self._process.returncode is not None:
                # it has ended by itself, or the system has ended it for lack of memory
                self.kill()
            if self._process is None:
                # -P: no module of the current folder is imported in place of one that is installed
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
                )
                settings = {"options": self._options.model_dump(mode="json"), "folder": str(self._folder)}
                self._ready = False
                await self._send(self._process, settings)
            return self._process

    async def restore(
        self, source: Path, settings: UploadSettings, on_progress: Callable[[UploadProgress], object] = lambda _: None
    ) -> UploadResult:
        """Restore an upload, after those that came before it. The process is killed if this call is cancelled.

        Args:
            source: The file, in a folder of its own.
            settings: Those of this upload.
            on_progress: Called when it is this file's turn, and now and then while it is restored.

        Raises:
            InputError: The file cannot be read or restored, takes too long, or needs too much memory.
            CannotRestoreError: The network, the engine or the detector failed; the next call starts the process again.
            StreamDeblurError: The result cannot be written.
        """
        async with self._free:
            on_progress(UploadProgress(0.0))
            try:
                async with asyncio.timeout(MAX_WORKING_SECONDS):
                    process = await self._hand_over({"source": str(source), "settings": settings.model_dump(mode="json")})
                    answer = await self._answer(process, on_progress)
            except TimeoutError:
                self.kill()
                raise InputError(f"The file takes longer than {MAX_WORKING_SECONDS / 60:g} minutes.") from None
            except BaseException:
                # Cancelled, because the client left or the server ends: the work would go on without anyone who waits for it.
                # Or the process has ended, or cannot restore: the next file starts another one.
                self.kill()
                raise
        if "cause" in answer:
            logger.error("Restoring an upload failed: %s", answer["cause"])
        if "error" in answer:
            raise (InputError if answer["refused"] else StreamDeblurError)(answer["error"])
        result: dict[str, Any] = answer["result"]
        return UploadResult(**{**result, "path": Path(result["path"])})

    def kill(self) -> asyncio.subprocess.Process | None:
        """End the process at once, whatever it is doing; returns it."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            assert process.stdin is not None
            process.stdin.close()
        return process

    async def close(self) -> None:
        """End the process, and wait until it has ended."""
        self._stopped = True
        process = self.kill()
        if process is not None:
            await process.wait()

    async def _hand_over(self, job: dict[str, Any]) -> asyncio.subprocess.Process:
        """Let the process take a job; returns the process. One that ended before it took the job is started again, once."""
        for _ in range(2):
            process = await self.start()
            await self._wait_until_ready(process)
            await self._send(process, job)
            if await self._read(process) is not None:
                return process
            status = await process.wait()
            logger.warning("The process that restores uploads ended with status %d while it waited for a file.", status)
        raise CannotRestoreError(f"The process that restores uploads ended with status {status} before it took the file.")

    async def _answer(
        self, process: asyncio.subprocess.Process, on_progress: Callable[[UploadProgress], object]
    ) -> dict[str, Any]:
        while (answer := await self._read(process)) is not None and "progress" in answer:
            on_progress(UploadProgress(**answer["progress"]))
        if answer is None:
            status = await process.wait()
            logger.warning("The process that restores uploads ended with status %d; the next file starts it again.", status)
            raise InputError("The file could not be restored: it is damaged, or needs too much memory.")
        return answer

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        """Wait until the engine is open."""
        if self._ready:
            return
        if await self._read(process) is None:
            raise CannotRestoreError(f"The process that restores uploads ended with status {await process.wait()} at its start.")
        self._ready = True

    async def _read(self, process: asyncio.subprocess.Process) -> dict[str, Any] | None:
        """Read an answer; None if the process has ended.

        Raises:
            InputError: The server has ended it.
            CannotRestoreError: The network, the engine or the detector failed.
        """
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            if self._stopped:
                raise InputError("The server was stopped.")
            return None
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise CannotRestoreError(answer["failed"])
        return answer

    async def _send(self, process: asyncio.subprocess.Process, content: dict[str, Any]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            # the end of a process is noticed where its answer is read
            process.stdin.write(json.dumps(content).encode() + b"\n")
            await process.stdin.drain()

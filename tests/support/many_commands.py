"""Runs commands one after the other, most of them in this process: `python -m support.many_commands JOBS`.

JOBS is a list in JSON; each job has the fields `command`, `arguments`, `exit_code`, `stdin` and `until_stopped`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.cli import run, run_process, start


def main(jobs: str) -> int:
    """Run the jobs, and print the moment at which each begins; ends at the first that does not end as it should."""
    for job in json.loads(jobs):
        print(json.dumps({"moment": time.monotonic(), "command": job["command"]}), flush=True)
        code, words = _run(job)
        if code != job["exit_code"]:
            print(job["command"], "ended with", code, words, file=sys.stderr)
            return 1
    return 0


def _run(job: dict[str, Any]) -> tuple[int, str]:
    arguments = [*job["command"].split(), *job["arguments"]]
    if job["until_stopped"]:
        return _visit(arguments)
    if job["stdin"]:
        done = run_process(*arguments, input=Path(job["stdin"]).read_bytes())
        return done.exit_code or (0 if done.output else 1), done.stderr
    done = run(*arguments)
    return done.exit_code, done.stderr


def _visit(arguments: list[str]) -> tuple[int, str]:
    """Start a server, show it a camera, and stop it."""
    process = start(*arguments, stderr=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        if address is None:
            return 1, process.stderr.read()
        asyncio.run(_show_camera(address[0]))
        process.send_signal(signal.SIGTERM)
        return process.wait(60), process.stderr.read()
    finally:
        process.kill()


async def _show_camera(address: str) -> None:
    """Open the page, and send it a camera as a browser does; the server's first frame comes back."""
    import aiohttp
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
    from aiortc.mediastreams import VideoStreamTrack

    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: asyncio.Queue[Any] = asyncio.Queue()
    connection.on("track", tracks.put_nowait)
    connection.addTrack(VideoStreamTrack())
    connection.createDataChannel("controls")
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
    async with aiohttp.ClientSession(headers={"Origin": address}) as session:
        async with session.get(address) as page:
            page.raise_for_status()
        async with session.post(f"{address}/offer", json=offer) as answer:
            answer.raise_for_status()
            await connection.setRemoteDescription(RTCSessionDescription(**await answer.json()))
    track = await asyncio.wait_for(tracks.get(), 60)
    await asyncio.wait_for(track.recv(), 60)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(connection.close(), 5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

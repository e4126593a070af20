"""A headless Chromium, controlled over its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from contextlib import asynccontextmanager
from itertools import count

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--mute-audio",
)  # fmt: skip


class Page:
    """One open page."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, count(1)
        self.requests = []
        """URLs that the page requested."""

    async def send(self, method, **parameters):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self._socket:
            reply = json.loads(message.data)
            if reply.get("method") == "Network.requestWillBeSent":
                self.requests.append(reply["params"]["request"]["url"])
            if reply.get("id") == number:
                assert "error" not in reply, reply
                return reply["result"]
        raise AssertionError(f"The browser ended during {method}.")

    async def run(self, script):
        """The value of a script; promises are awaited."""
        reply = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def until(self, script, seconds=60.0):
        """Wait until a script is true."""
        for _ in range(round(seconds / 0.25)):
            if await self.run(script):
                return
            await asyncio.sleep(0.25)
        raise AssertionError(
            f"never true: {script}; the page shows: {await self.run('document.getElementById(`status`).textContent')}"
        )


@asynccontextmanager
async def page(address, profile, *flags, width=1000, height=800):
    """Open an address in a browser of its own."""
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        for _ in range(240):
            if port_file.exists() and port_file.read_text().count("\n"):
                break
            await asyncio.sleep(0.25)
        port = port_file.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                targets = await answer.json()
            target = next(one for one in targets if one["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                opened = Page(socket)
                await opened.send("Network.enable")
                await opened.send("Page.enable")
                await opened.send("Page.navigate", url=address)
                await opened.until("document.readyState === 'complete' && location.href !== 'about:blank'")
                yield opened
    finally:
        browser.terminate()
        browser.wait(20)

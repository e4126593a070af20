"""A headless Chromium, controlled over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import aiohttp

from support.servers import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--mute-audio",
    "--window-size=1000,800",
)  # fmt: skip


class Page:
    """One open page, in a tab of its own."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, count(1)
        self.requests = []
        """URLs that the page requested."""
        self.errors = []
        """Errors of the console: of scripts, of the content security policy, and exceptions that nothing caught."""

    async def send(self, method, **parameters):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self._socket:
            reply = json.loads(message.data)
            self._note(reply.get("method"), reply.get("params"))
            if reply.get("id") == number:
                assert "error" not in reply, reply
                return reply["result"]
        raise AssertionError(f"The browser ended during {method}.")

    def _note(self, event, content):
        if event == "Network.requestWillBeSent":
            self.requests.append(content["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(content["exceptionDetails"])
        elif event == "Runtime.consoleAPICalled" and content["type"] in ("error", "assert"):
            self.errors.append(content["args"])
        elif event == "Log.entryAdded" and content["entry"]["level"] == "error" and content["entry"]["source"] != "network":
            # The browser itself logs each response of status 4xx or 5xx, with the source "network".
            self.errors.append(content["entry"])

    async def drop(self, name, content, kind=""):
        """Drop a file on the page, with the media type that a browser finds for it, and wait until the page is done with it."""
        await self.run(
            f"""(() => {{
              const bytes = Uint8Array.from(atob("{base64.b64encode(content).decode()}"), (c) => c.charCodeAt(0));
              const data = new DataTransfer();
              data.items.add(new File([bytes], {json.dumps(name)}, {{ type: "{kind}" }}));
              comparison.dispatchEvent(new DragEvent("drop", {{ dataTransfer: data, bubbles: true, cancelable: true }}));
            }})()"""
        )
        await self.until("document.getElementById('progress').hidden")

    async def run(self, script):
        """The value of a script; promises are awaited."""
        reply = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def until(self, script, seconds=60.0):
        """Wait until a script is true."""
        for _ in range(round(seconds / 0.05)):
            if await self.run(script):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(
            f"never true: {script}; the page shows: {await self.run('document.getElementById(`status`).textContent')}"
        )


@contextmanager
def browser(profile, *flags):
    """Run a browser, in which each `page` is a tab; yields the port of its DevTools."""
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        wait_until(lambda: port_file.exists() and "\n" in port_file.read_text())
        yield int(port_file.read_text().splitlines()[0])
    finally:
        process.terminate()
        process.wait(20)


@asynccontextmanager
async def page(port, address):
    """Open an address in a tab of the browser with this port, and close it at the end."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.put("/json/new?about:blank") as answer:
            target = await answer.json()
        try:
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                opened = Page(socket)
                await opened.send("Network.enable")
                await opened.send("Page.enable")
                await opened.send("Runtime.enable")
                await opened.send("Log.enable")
                await opened.send("Page.navigate", url=address)
                await opened.until("document.readyState === 'complete' && location.href !== 'about:blank'")
                yield opened
        finally:
            await session.get(f"/json/close/{target['id']}")

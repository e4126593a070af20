"""A headless Chromium, controlled over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import aiohttp

from support.servers import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PACKAGE = importlib.util.find_spec("axe_playwright_python")
AXE = Path(PACKAGE.submodule_search_locations[0]) / "axe.min.js" if PACKAGE else None
"""The checks of axe-core, which this package brings; the package itself, which needs Playwright, is not imported."""
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

    async def drop(self, files):
        """Drop files on the page: contents by name."""
        contents = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
        await self.run(
            f"""(() => {{
              const data = new DataTransfer();
              const bytes = (content) => Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
              {json.dumps(contents)}.forEach(([name, content]) => data.items.add(new File([bytes(content)], name)));
              comparison.dispatchEvent(new DragEvent("drop", {{ dataTransfer: data, bubbles: true, cancelable: true }}));
            }})()"""
        )

    async def restored(self, files):
        """Drop files on the page, wait until it is done with them, and return what it says of each of them."""
        listed = await self.run("document.querySelectorAll('#queue li').length")
        await self.drop(files)
        await self.until(f"document.querySelectorAll('#queue li').length === {listed + len(files)}")
        await self.until("![...document.querySelectorAll('#queue li')].some((row) => /wait|work/.test(row.dataset.state))")
        return (await self.run("[...document.querySelectorAll('#queue .words')].map((words) => words.textContent)"))[listed:]

    async def click(self, name):
        """Click on the element with this id."""
        await self.run(f"document.getElementById('{name}').click()")

    async def fill(self, selector, value):
        """Give a field, list or slider another value, as a user does."""
        events = "for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));"
        find = f"const field = document.querySelector({json.dumps(selector)});"
        await self.run(f"(() => {{ {find} field.value = {json.dumps(value)}; {events} }})()")

    async def press(self, key, **modifiers):
        """Press a key, such as "Enter" or "ArrowLeft", where the focus is."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        codes = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}
        event = {"key": key, "code": key, "text": text, "windowsVirtualKeyCode": codes.get(key, 0), **modifiers}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **event)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    async def touch(self, *moments):
        """Put fingers on the page, move them, and lift them: for each moment the places (x, y) of all fingers."""
        fingers = 0
        for places in (*moments, ()):
            kind = "touchStart" if len(places) > fingers else "touchMove" if places else "touchEnd"
            fingers = len(places)
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
            await self.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    async def resize(self, width, scheme):
        """Show the page on a screen of this width, in the colour scheme "light" or "dark"."""
        await self.send("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
        # without transitions, in the midst of which colours have little contrast
        media = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        await self.send("Emulation.setEmulatedMedia", features=[{"name": key, "value": value} for key, value in media.items()])

    async def accessibility_findings(self):
        """What axe-core finds on the page that is serious or critical: the rule and the elements of each."""
        await self.run(AXE.read_text(encoding="utf-8"))
        found = await self.run("axe.run().then((result) => result.violations)")
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        return [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious]

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

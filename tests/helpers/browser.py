"""A headless Chromium that is talked to over two pipes (the DevTools protocol): open a page, ask it, photograph it."""

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """Tabs, of which one at a time is worked in.

    Attributes
    ----------
    tab : str or None
        The name of the tab that is worked in; None while one is opened.
    complaints : list of str
        Errors, warnings, broken policies and requests to a network of the page that is open.
    """

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._rest = 0, b""
        self.complaints: list[str] = []
        self._home = self._address = "file:"
        self.open_tab()

    def open_tab(self) -> str:
        """Open one more tab and work in it; returns its name for `turn_to`."""
        self.tab: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.tab = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        return self.tab

    def turn_to(self, tab: str) -> None:
        """Work in another tab, in front of the others."""
        self.tab = tab
        self.ask("Page.bringToFront")

    def close_tab(self) -> None:
        """Close the tab that is worked in; `turn_to` another then."""
        self.ask("Page.close")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self.tab} if self.tab else {}
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, path: Path, width: int = 1440, height: int = 900, fragment: str = "") -> None:
        """Open a file in a window of this size; back when it has loaded."""
        self.complaints.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.run("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        self.run("new Promise((done) => setTimeout(done))")

    def visit(self, address: str, width: int = 1280, height: int = 900) -> None:
        """Open an address of this machine; requests to the same server are no complaint."""
        self.complaints.clear()
        self._home, self._address = "/".join(address.split("/")[:3]) + "/", address.partition("#")[0]
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)
        self.run("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def until(self, script: str, seconds: float = 20.0) -> Any:
        """Wait until an expression is true, and return it; raises TimeoutError."""
        ends = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > ends:
                raise TimeoutError(f"{script} is still {value!r} after {seconds:g} s")
            time.sleep(0.05)
        return value

    def theme(self, name: str) -> None:
        """Prefer "light" or "dark"."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the left button at the first point, move over the others and release it at the last."""
        for k, (x, y) in enumerate(points):
            kind = "mousePressed" if k == 0 else "mouseMoved"
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=int(k == 0))
        x, y = points[-1]
        self.ask("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def press(self, key: str, control: bool = False) -> None:
        """Press and release a key: one that is printed, or "Tab", "Enter", "Escape", "Delete" or an arrow."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Delete": 46, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40}  # fmt: skip
        code = codes.get(key) or ord(key.upper())
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 and not control else "")
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, modifiers=2 * control,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def load_seconds(self) -> float:
        """From the start of the navigation to the end of the load event."""
        return self.run("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000

    def photograph(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=self._whole_page())
        path.write_bytes(base64.b64decode(shot["data"]))

    def print(self, path: Path) -> int:
        """The page as PDF on A4; returns the number of its pages."""
        pdf = self.ask("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(pdf["data"]))
        return len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))

    def _whole_page(self) -> dict[str, float]:
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = self._answers.read(1 << 20)
            if not part:
                raise RuntimeError("the browser has gone")
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Log.entryAdded":
            url = told["entry"].get("url", "")
            if url.startswith(self._address) or not url.startswith("http"):  # else of a page visited before
                self.complaints.append(f"{told['entry']['text']} {url}".rstrip())
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(str(told["args"]))
        elif event == "Network.requestWillBeSent" and told["request"]["url"].startswith("http"):
            if told["request"]["url"].startswith(self._home):
                return
            self.complaints.append(f"asked for {told['request']['url']}")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a Chromium for the length of a block; it reads commands from descriptor 3 and answers on 4."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        (commands, ours), (answers, theirs) = os.pipe(), os.pipe()
        # Numbers from 10 on, so that putting one at 3 does not close the other.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, theirs)]
        actions = [
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            *((os.POSIX_SPAWN_DUP2, end, place) for end, place in zip(ends, (3, 4), strict=True)),
        ]
        arguments = [CHROMIUM, *_QUIET, f"--user-data-dir={profile}"]
        process = os.posix_spawn(CHROMIUM, arguments, os.environ, file_actions=actions)
        for end in (commands, theirs, *ends):
            os.close(end)
        with os.fdopen(ours, "wb", 0) as to_it, os.fdopen(answers, "rb", 0) as from_it:
            try:
                yield Browser(to_it, from_it)
            finally:
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)

"""A real browser without a window, driven by the DevTools protocol: pages opened, keys pressed, complaints heard."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell")
_ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
# Nothing is asked of any network, and nothing of the user's own browser is used.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--window-size=1200,900",
)
# No answer takes longer.
_PATIENCE = 300
_KEYS = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}


class Browser:
    """A page, and what the browser had to say about it."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._data = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command carried out, and its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": params, **session}
        data = json.dumps(message).encode() + b"\0"
        assert os.write(self._write, data) == len(data)
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]  # type: ignore[no-any-return]
            self._events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._data:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE)
            assert ready, f"the browser has said nothing for {_PATIENCE} seconds"
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has gone"
            self._data += data
        answer, _, self._data = self._data.partition(b"\0")
        return json.loads(answer)  # type: ignore[no-any-return]

    def open(self, url: str) -> None:
        """Load a page and wait for it."""
        self.send("Page.navigate", url=url)
        self._wait("Page.loadEventFired")

    def _wait(self, method: str) -> None:
        while not any(event.get("method") == method for event in self._events):
            self._events.append(self._next())
        self._events = [event for event in self._events if event.get("method") != method]

    def evaluate(self, source: str, drawn: bool = True) -> Any:
        """What an expression of JavaScript gives, once what waits has been `drawn`, for which scripts must run."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        expression = f"{frames}.then(() => ({source}))" if drawn else source
        found = self.send("Runtime.evaluate", expression=expression, awaitPromise=drawn, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, shift: bool = False) -> None:
        """A key pressed and released, as by a hand."""
        told = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **told, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **told)

    @property
    def said(self) -> list[dict[str, Any]]:
        """Messages of the console, of the log and of scripts that failed."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self._events if event.get("method") in kinds]


def installed() -> str:
    """The browser that is installed: CHROMIUM names it, or it is on PATH."""
    given = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), _ON_A_MAC)
    path = shutil.which(given)
    assert path, "these tests need Chromium or Chrome: `apt-get install chromium`, or name it in CHROMIUM"
    return path


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser that keeps all it keeps in a folder."""
    path = installed()
    commands, to_commands = os.pipe()
    from_answers, answers = os.pipe()
    # Those that the browser looks for are 3 and 4; above them, none is in the way.
    high = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10) for number in (commands, answers)]
    log = os.open(folder / "browser.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)]
    actions += [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    words = [path, *_FLAGS, f"--user-data-dir={folder / 'profile'}"]
    process = os.posix_spawn(path, words, os.environ, file_actions=actions, setpgroup=0)
    for number in (commands, answers, *high, log):
        os.close(number)
    try:
        yield Browser(from_answers, to_commands)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(from_answers)
        os.close(to_commands)

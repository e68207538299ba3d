"""A command on a pseudo-terminal that is typed to, one key after the other, and watched."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager

from tests.command import COMMAND, environment

#: What is shown where a line is asked for: by readline, and by prompt_toolkit.
READLINE, PROMPT = "> ", "\x05"
_WHERE = "\x1b[6n"
_PATIENCE = 300.0
# What would change what is shown, unless a test sets it.
_TASTES = ("NO_COLOR", "FORCE_COLOR", "PAGER", "GRADCLI_PAGER", "LESS", "LINES")
_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Talk:
    """A running command: what it has shown since the last key, and its keyboard."""

    def __init__(self, terminal: int, pid: int) -> None:
        self.terminal = terminal
        self.pid = pid
        self.ended = False
        #: What is shown where a line is asked for, by those who know it.
        self.prompt = READLINE
        #: Every byte, and what is left of them to wait for.
        self.everything = ""
        self._shown = ""
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def wait_for(self, text: str) -> str:
        """Everything shown until `text` is; what comes after is kept for the next time."""
        end = time.monotonic() + _PATIENCE
        while text not in self._shown:
            assert not self.ended and time.monotonic() < end, f"waited for {text!r}, shown is {self._shown!r}"
            self._read()
        shown, _, self._shown = self._shown.partition(text)
        return shown

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def type_until(self, keys: str, text: str) -> None:
        """Type the same keys again and again until a text is shown, for when nobody can tell who reads them."""
        end = time.monotonic() + _PATIENCE
        while text not in self._shown:
            assert not self.ended and time.monotonic() < end, f"typed for {text!r}, shown is {self._shown!r}"
            self.type(keys)
            pause = time.monotonic() + 0.3
            while text not in self._shown and time.monotonic() < pause:
                self._read()
        self._shown = self._shown.partition(text)[2]

    def end(self) -> tuple[int, str]:
        """Wait for the command to end: its exit code, and what it still showed."""
        end = time.monotonic() + _PATIENCE
        while not self.ended:
            assert time.monotonic() < end, f"waited for the end, shown is {self._shown!r}"
            self._read()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self._shown

    def _read(self) -> None:
        if not select.select([self.terminal], [], [], 0.1)[0]:
            return
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            data = b""
        if not data:
            self.ended = True
        text = self._decoder.decode(data)
        self.everything += text
        if _WHERE in text:
            # Where the cursor is, prompt_toolkit asks once for each prompt.
            os.write(self.terminal, b"\x1b[1;1R")
        self._shown += _CODES.sub("", text.replace(_WHERE, PROMPT))


@contextmanager
def talk(*words: str, rows: int = 24, columns: int = 80, **variables: str) -> Iterator[Talk]:
    """A conversation with a command on a terminal."""
    import fcntl
    import pty
    import signal
    import struct
    import termios

    pid, terminal = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        inherited = environment(**{"TERM": "xterm", **variables}).items()
        env = {name: value for name, value in inherited if name in variables or name not in _TASTES}
        os.execve(sys.executable, [*COMMAND, *words], env)
    conversation = Talk(terminal, pid)
    try:
        yield conversation
    finally:
        os.close(terminal)
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def watch(*words: str, rows: int = 24, columns: int = 80, **variables: str) -> tuple[int, str]:
    """The exit code of a command on a terminal that nobody types to, and all that it shows there."""
    with talk(*words, rows=rows, columns=columns, **variables) as command:
        code, _ = command.end()
    return code, command.everything.replace("\r\n", "\n")

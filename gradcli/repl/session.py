"""An interactive session: each line is a statement of the language or a command, and is answered with text."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import copy_context

from gradcli.errors import GradcliError
from gradcli.graph.op import OPS
from gradcli.language.constants import CONSTANTS
from gradcli.language.lalr import tables
from gradcli.language.tokens import open_brackets
from gradcli.plotting.terminal import Screen
from gradcli.repl.answers import Answers, Reply
from gradcli.repl.commands import COMMANDS, command
from gradcli.storage import open_array

_FILE = re.compile(r"\s*(\w+)\s*=\s*@(.*)", re.DOTALL)
_LAST_WORD = re.compile(r"(?:(\.)\s*)?(\w*)$")
_LEAVE = frozenset({"exit", "quit", "exit()", "quit()"})


class Typed:
    """Lines as they are typed, up to the one that closes all brackets; each is looked at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    @property
    def is_open(self) -> bool:
        """Whether there are lines that wait for more."""
        return bool(self._lines)

    def add(self, line: str) -> str | None:
        """The whole text, once it can be run: no bracket is open. An empty line ends it all the same."""
        whole = not line.strip()
        if not self._lines:
            whole = whole or line.lstrip().startswith(":") or _FILE.fullmatch(line) is not None
        self._depth = 0 if whole else open_brackets(line, tables(), self._depth)
        self._lines.append(line)
        return None if self._depth else self.take()

    def take(self) -> str:
        """What has been typed, whether whole or not; the next line begins anew."""
        text = "\n".join(self._lines)
        self._lines, self._depth = [], 0
        return text


class Session(Answers):
    """An interactive session. `run` takes a line and gives a `Reply`, or raises GradcliError.

    A line that fails, or is interrupted, changes nothing. Settings are the session's own.

    >>> session = Session()
    >>> session.run("x = [1, 2]").text
    ''
    >>> print(session.run(":grad sum(x**2)").text)
    x.grad
    tensor([2., 4.])
    """

    def __init__(self, screen: Callable[[], Screen] = Screen) -> None:
        super().__init__(screen)
        self._context = copy_context()

    def run(self, line: str) -> Reply:
        """Carry out a line: statements, or a command that begins with a colon."""
        with self.workspace.kept_on_failure():
            return self._context.run(self._answer, line)

    def _answer(self, line: str) -> Reply:
        text = line.strip()
        if not text or text.startswith("#"):
            return Reply()
        if text in _LEAVE and text not in self.workspace.names:
            return Reply(over=True)
        if text == "help" and text not in self.workspace.names:
            text = ":help"
        if text.startswith(":"):
            return command(self, text[1:])
        found = _FILE.fullmatch(line)
        if found is not None:
            return self._assign_file(found[1], found[2].strip())
        outcome = self.workspace.run(line)
        return self.shown(outcome) if outcome.is_expression else Reply()

    def _assign_file(self, name: str, path: str) -> Reply:
        if not name.isidentifier() or name in ("None", "True", "False"):
            raise GradcliError(f"{name!r} is not a name")
        if not path:
            raise GradcliError("the name of the file is missing", hint=f"for example, {name} = @{name}.npy")
        self.workspace.assign_input(name, open_array(path))
        return Reply()

    # Completion -------------------------------------------------------------------------------------------------------

    def completions(self, before: str) -> tuple[int, list[str]]:
        """What the last word of a line may become, and how many of its characters that replaces."""
        stripped = before.lstrip()
        if stripped.startswith(":") and " " not in stripped:
            return len(stripped), [f":{name}" for name in COMMANDS if f":{name}".startswith(stripped)]
        found = _LAST_WORD.search(before)
        assert found is not None
        after_dot, word = found[1], found[2]
        if word[:1].isdigit() or (not word and not after_dot):
            return 0, []
        names = [*OPS.functions()]
        if not after_dot:
            names += [*self.workspace.names, *self.workspace.functions, *self.workspace.offered, *CONSTANTS]
        return len(word), sorted({name for name in names if name.startswith(word)})

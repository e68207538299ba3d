"""`gradcli repl`: expressions typed one after the other, or read as a script."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import click

from gradcli import __version__
from gradcli.cli.command_kinds import HelpfulCommand
from gradcli.cli.options import CommonOptions, allow_import, tell_of_engine
from gradcli.cli.plot import screen
from gradcli.cli.printing import note, report, tell, write_text
from gradcli.errors import GradcliError, WorkError, unable_to

if TYPE_CHECKING:
    from gradcli.repl.session import Session

HELP = """Evaluate expressions interactively.

Assign inputs and write expressions; each expression prints its value, its backward graph and its gradients. Lines
that begin with a colon are commands, and :help lists them. Ctrl-C clears the line or stops a computation; Ctrl-D
exits.

If standard input is not a terminal, its lines are run one after the other. An error does not stop them, but the exit
code is then 1. pip install "gradcli[repl]" gives better editing and completion.

\b
Example:
  $ gradcli repl
  > x = ones(2,2)
  > mean(2*(3*x+7)**2)
"""

_PROMPT, _MORE = "> ", ". "
_LONGEST_LINE = 64 << 20


@click.command("repl", cls=HelpfulCommand, help=HELP)
@allow_import
@click.pass_context
def repl_command(context: click.Context, allow_import: tuple[str, ...]) -> None:
    from gradcli.cli.asked import settle
    from gradcli.repl.session import Session

    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if stream is None:
            raise WorkError(f"standard {name} is closed")
    settle(CommonOptions())
    tell_of_engine()
    session = Session(screen)
    session.workspace.allowed = allow_import
    if sys.stdin.isatty() and sys.stdout.isatty():
        _talk(session)
        return
    from gradcli.cli.signals import stopping_cleanly

    with stopping_cleanly():
        well = _run_script(session)
    if not well:
        context.exit(1)


# A script -------------------------------------------------------------------------------------------------------------


def _run_script(session: Session) -> bool:
    """Carry out standard input line by line; whether all went well."""
    from gradcli.repl.session import Typed

    well, typed, first = True, Typed(), 0
    for number, line in enumerate(_lines(), 1):
        first = first if typed.is_open else number
        text = typed.add(line)
        if text is None:
            continue
        over, failed = _carry_out(session, text, f"line {first}: ")
        well = well and not failed
        if over:
            return well
    if typed.is_open:
        well = not _carry_out(session, typed.take(), f"line {first}: ")[1] and well
    return well


def _lines() -> Iterator[str]:
    """The lines of standard input as text."""
    from gradcli.storage.pipes import each_line

    lines = enumerate(each_line(sys.stdin.buffer, _LONGEST_LINE), 1)
    while True:
        # What is done with a line fails in ways of its own.
        with unable_to("read standard input"):
            number, data = next(lines, (0, b""))
        if not number:
            return
        if len(data) > _LONGEST_LINE:
            raise WorkError(f"line {number} of standard input is longer than {_LONGEST_LINE >> 20} MB")
        try:
            yield data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError:
            raise WorkError(f"standard input is not UTF-8 text (line {number})") from None


def _carry_out(session: Session, text: str, place: str = "") -> tuple[bool, bool]:
    """Run a line and print what comes of it; whether the session is over, and whether the line failed."""
    try:
        reply = session.run(text)
        if reply.text:
            write_text(reply.text)
            sys.stdout.flush()
        if reply.note:
            note(reply.note)
        return reply.over, False
    except GradcliError as error:
        told = error.render()
    except MemoryError:
        told = "not enough memory for this"
    report("gradcli:" if place else "", f"{place}{told}")
    return False, True


# A conversation -------------------------------------------------------------------------------------------------------


class _Interrupts:
    """What Ctrl-C does: it ends a line or a computation, not the session.

    The first one while it is armed is an exception, and disarms it: nothing is interrupted twice.
    """

    def __init__(self) -> None:
        self.armed = False
        self._before: Any = None

    def __enter__(self) -> _Interrupts:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *failure: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: object) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


class _Reader(Protocol):
    """Where lines come from. EOFError ends the session, KeyboardInterrupt the line."""

    def read(self, prompt: str) -> str: ...


def _talk(session: Session) -> None:
    """Read lines from the terminal until the user leaves."""
    from gradcli.cli.signals import Stopped, stopping_cleanly
    from gradcli.repl.history import History, history_path
    from gradcli.repl.session import Typed

    history = History(history_path())
    write_text(f"gradcli {__version__}; :help lists the commands, Ctrl-D exits")
    typed, over, interrupted = Typed(), False, False
    # Several lines that are pasted come as one, and mean what they would have meant one after the other.
    waiting: list[str] = []
    with stopping_cleanly(), _Interrupts() as interrupts:
        reader = _reader(session, history.lines, interrupts)
        while not over:
            try:
                if interrupted:
                    interrupted = False
                    tell("")
                if not waiting:
                    waiting = reader.read(_MORE if typed.is_open else _PROMPT).split("\n")
                line = waiting.pop(0)
                history.add(line)
                text = typed.add(line)
                if text is not None:
                    interrupts.armed = True
                    over = _carry_out(session, text)[0]
                    interrupts.armed = False
            except Stopped:
                # Not the key: the session itself is to end, and files and the terminal are put in order.
                raise
            except KeyboardInterrupt:
                typed, waiting, interrupted = Typed(), [], True
            except EOFError:
                over = True
                tell("")


def _reader(session: Session, lines: list[str], interrupts: _Interrupts) -> _Reader:
    """The best way of reading lines that is installed."""
    try:
        return _PromptToolkit(session, lines)
    except ImportError:
        return _Readline(session, lines, interrupts)


class _PromptToolkit:
    """Lines edited with prompt_toolkit, for which Ctrl-C is a key like others."""

    def __init__(self, session: Session, lines: list[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import Completer, Completion
        from prompt_toolkit.history import InMemoryHistory

        class Words(Completer):  # type: ignore[misc,unused-ignore]
            """The session's completions, as prompt_toolkit takes them."""

            def get_completions(self, document: Any, complete_event: Any) -> Any:
                length, words = session.completions(document.text_before_cursor)
                return (Completion(word, start_position=-length) for word in words)

        self.session: Any = PromptSession(
            history=InMemoryHistory(lines),
            completer=Words(),
            complete_while_typing=False,
            enable_history_search=True,
            enable_suspend=True,
        )

    def read(self, prompt: str) -> str:
        return str(self.session.prompt(prompt))


class _Readline:
    """Lines edited with the readline of the standard library, or not at all where that is missing."""

    def __init__(self, session: Session, lines: list[str], interrupts: _Interrupts) -> None:
        self.interrupts = interrupts
        try:
            import readline
        except ImportError:
            return
        for line in lines:
            readline.add_history(line)

        def complete(word: str, state: int) -> str | None:
            length, words = session.completions(readline.get_line_buffer()[: readline.get_endidx()])
            kept = word[: len(word) - length]
            return f"{kept}{words[state]}" if state < len(words) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" \t\n()[]{}+-*/%@=<>,;&|~!.#\"'")
        # macOS ships another library under this name, with its own way of binding keys.
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

    def read(self, prompt: str) -> str:
        self.interrupts.armed = True
        line = input(prompt)
        self.interrupts.armed = False
        return line

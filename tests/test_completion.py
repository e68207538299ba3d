"""Completion: what a real bash, zsh and fish make of a line when Tab is pressed, and what they are told."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.cli.complete import Line, split
from tests import terminal
from tests.command import process
from tests.command import shell as process_of_shell

# What a user types, and the line as it stands once Tab has been pressed.
TYPED = [
    ("gradcli comp", "gradcli completion "),
    ("gradcli eval --gr", "gradcli eval --grad-output "),
    ("gradcli eval x x=3 --dtype=float3", "gradcli eval x x=3 --dtype=float32 "),
    ("gradcli ops softma", "gradcli ops softmax "),
    ("gradcli help ev", "gradcli help eval "),
    ("gradcli eval 'x*y' y=2 ", "gradcli eval 'x*y' y=2 x="),
    ("gradcli eval 'x*y' x=da", "gradcli eval 'x*y' x=days.npy "),
    ("gradcli 'x*y' x=@da", "gradcli 'x*y' x=@days.npy "),
    ("gradcli eval 'x*y' x=@two.npz:he", "gradcli eval 'x*y' x=@two.npz:height "),
    ("gradcli eval 'x*y' x=two.npz:ag", "gradcli eval 'x*y' x=two.npz:age "),
    ("gradcli eval 'x*y' x=@table.csv:we", "gradcli eval 'x*y' x=@table.csv:weight "),
    ("gradcli eval 'x*y' x=table.csv:height,we", "gradcli eval 'x*y' x=table.csv:height,weight "),
    ("gradcli eval 'x*y' x=fol", "gradcli eval 'x*y' x=folder/"),
    ("gradcli eval 'x*y' x=folder/", "gradcli eval 'x*y' x=folder/inner.npy "),
    ("gradcli eval 'long*y' long=2 --wrt lo", "gradcli eval 'long*y' long=2 --wrt long "),
    ("gradcli eval 'long*y' long=2 --wrt long,", "gradcli eval 'long*y' long=2 --wrt long,y "),
    ("gradcli eval 'long*y' long=2 --only long.h", "gradcli eval 'long*y' long=2 --only long.hessian "),
    ("gradcli steps 'long = 3*x' x=2 --only lo", "gradcli steps 'long = 3*x' x=2 --only long "),
    ("gradcli eval 'long = x*2' x=2 --wrt ", "gradcli eval 'long = x*2' x=2 --wrt x "),
    ("gradcli eval x x=3 --show value,gra", "gradcli eval x x=3 --show value,gra"),
    ("gradcli eval x x=3 --show value,grap", "gradcli eval x x=3 --show value,graph "),
    ("gradcli eval 'long*y' long=2 -o lo", "gradcli eval 'long*y' long=2 -o long.grad="),
    ("gradcli eval 'x*y' -o value=da", "gradcli eval 'x*y' -o value=days.npy "),
    ("gradcli eval -f two", "gradcli eval -f two.npz "),
    ("ls | gradcli batc", "ls | gradcli batch "),
]
# Within quotes, too, but for the space after a word, which bash leaves out.
QUOTED = [
    ("gradcli eval 'mean(softma", "gradcli eval 'mean(softmax("),
    ('gradcli eval "mean(softma', 'gradcli eval "mean(softmax('),
    ("gradcli eval x 'x=days", "gradcli eval x 'x=days.npy'"),
    ("gradcli eval 'mean(x)' \"x=@da", "gradcli eval 'mean(x)' \"x=@days.npy\""),
    ("gradcli eval 'mean(x)' 'x=@da", "gradcli eval 'mean(x)' 'x=@days.npy'"),
    ('gradcli "mean(x)" "x=@two.npz:he', 'gradcli "mean(x)" "x=@two.npz:height"'),
    ("gradcli eval x 'x=@two.npz:he", "gradcli eval x 'x=@two.npz:height'"),
    ('gradcli eval x "x=table.csv:height,we', 'gradcli eval x "x=table.csv:height,weight"'),
    ('gradcli eval x "x=@folder/', 'gradcli eval x "x=@folder/inner.npy"'),
    ("gradcli eval x 'x=@we", "gradcli eval x 'x=@we ird.npy'"),
    ('gradcli eval x "x=@we ir', 'gradcli eval x "x=@we ird.npy"'),
    ('gradcli eval x x=1 -o "value=da', 'gradcli eval x x=1 -o "value=days.npy"'),
    ('gradcli eval x x=1 --dtype "float3', 'gradcli eval x x=1 --dtype "float32"'),
    ("gradcli eval 'long*y' long=2 --wrt 'lo", "gradcli eval 'long*y' long=2 --wrt 'long'"),
    ('gradcli eval x "x=@no', 'gradcli eval x "x=@no'),
]
# Of quotes that begin within a word zsh keeps none.
BEGUN_WITHIN = [('gradcli eval x x="@da', "x=@days.npy"), ("gradcli eval x x=@'we", "x=@we ird.npy")]
# How each shell begins, reads what makes it complete, and writes its line to a file on Ctrl-G.
STARTS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        'bind \'set enable-bracketed-paste off\'; bind -x \'"\\C-g": printf %s "$READLINE_LINE" >line.new; '
        'mv line.new line\'; eval "$(gradcli completion bash)"',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; dump() { print -rn -- $BUFFER >line.new; command mv line.new line }; "
        "zle -N dump; bindkey '^G' dump; bindkey '^U' kill-whole-line; eval \"$(gradcli completion zsh)\"",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        "bind \\cg 'commandline >line.new; command mv line.new line'; gradcli completion fish | source",
    ),
}
# A shell without a terminal that is its own may refuse to be interactive.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Shell:
    """A shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        import pty

        words, setup = STARTS[name]
        env = terminal.environment(folder / "commands")
        env |= {"TERM": "xterm", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        env |= {"PS1": "$ ", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "FISH_TEST_NO_GREETING": "1"}
        self._folder = folder
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *words],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        os.close(inner)
        os.set_blocking(self._terminal, False)
        self._send(f"{setup}; echo > ready\n")
        self._await("ready")

    def _send(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _await(self, name: str) -> str:
        """The text of a file, once the shell has made it."""
        path = self._folder / name
        shown = b""
        for _ in range(600):
            try:
                shown += os.read(self._terminal, 1 << 16)
            except BlockingIOError:
                pass
            except OSError:
                break
            if path.exists():
                text = path.read_text()
                path.unlink()
                return text
            time.sleep(0.05)
        self.close()
        raise AssertionError(f"the shell did not answer: {shown.decode(errors='replace')}")

    def complete(self, text: str) -> str:
        """The line after Tab."""
        self._send(f"\x15{text}\t")
        # What is typed while the shell waits for an answer may be taken for another line.
        time.sleep(0.1)
        self._send("\x07")
        return self._await("line").removesuffix("\n")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture(scope="module", params=sorted(STARTS))
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    if shutil.which(request.param) is None and request.param != "bash":
        pytest.skip(f"there is no {request.param} here")
    folder = tmp_path_factory.mktemp(request.param)
    np.save(folder / "days.npy", np.ones(3))
    np.savez(folder / "two.npz", age=np.ones(3), height=np.ones(3))
    (folder / "table.csv").write_text("name,height,weight\na,1,2\nb,3,4\n")
    (folder / "folder").mkdir()
    np.save(folder / "folder" / "inner.npy", np.ones(3))
    np.save(folder / "we ird.npy", np.ones(3))
    found = Shell(request.param, folder)
    yield found
    found.close()


@pytest.mark.slow
def test_tab_in_a_real_shell(shell: Shell) -> None:
    assert [(typed, shell.complete(typed)) for typed, _ in TYPED] == TYPED
    assert [(typed, shell.complete(typed).rstrip()) for typed, _ in QUOTED] == QUOTED
    assert [shlex.split(shell.complete(typed))[-1] for typed, _ in BEGUN_WITHIN] == [word for _, word in BEGUN_WITHIN]
    assert shell.complete("gradcli eval x x=we").rstrip() in (
        "gradcli eval x x=we\\ ird.npy",
        "gradcli eval x 'x=we ird.npy'",
    )
    # Where nothing fits, nothing changes.
    assert shell.complete("gradcli eval 'x' y=nothing").rstrip() == "gradcli eval 'x' y=nothing"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
@pytest.mark.parametrize(
    ("typed", "code"),
    [("gradcli eva", 0), ("gradcli eval 'softp", 0), ("gradcli eval x x=@fol", 0), ("gradcli zzz", 1)],
)
def test_zsh_is_told_whether_there_is_something(typed: str, code: int, tmp_path: Path) -> None:
    """It beeps, and tries its other completers, where it is told of nothing."""
    (tmp_path / "folder").mkdir()
    *words, last = typed.split(" ")
    script = f"""
compdef() {{ }}
compadd() {{ }}
eval "$(gradcli completion zsh)"
words=({shlex.join([*words, last])}) CURRENT={len(words) + 1} PREFIX={shlex.quote(last)}
_gradcli
"""
    env = terminal.environment(tmp_path / "commands")
    done = subprocess.run(["zsh", "-f", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")


# What is said to the shell -------------------------------------------------------------------------------------------


def told(line: str, shell: str = "fish", **variables: str) -> list[str]:
    done = process(_GRADCLI_COMPLETE=f"{shell}_complete", COMP_LINE=line, **variables)
    assert (done.code, done.err) == (0, ""), done
    return done.out.splitlines()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_scripts(name: str) -> None:
    done = process("completion", name)
    assert done.code == 0 and "_GRADCLI_COMPLETE" in done.out
    # What start-up files of earlier versions ask for.
    assert process(_GRADCLI_COMPLETE=f"{name}_source") == done


def test_bad_questions() -> None:
    done = process("completion", "csh")
    assert (done.code, done.out) == (2, "") and "'csh' is not one of 'bash', 'zsh', 'fish'" in done.err
    assert process("completion").code == 2
    for variables in ({"_GRADCLI_COMPLETE": "bash_complete"}, {"_GRADCLI_COMPLETE": "nonsense"}):
        done = process(**variables)
        assert done.code == 2 and done.out == "" and done.err.count("\n") == 2, done


def test_nobody_who_listens() -> None:
    done = process_of_shell('COMP_LINE="gradcli ev" _GRADCLI_COMPLETE=bash_complete $G >&-')
    assert done == (1, "", "gradcli: standard output is closed\n")


def test_descriptions() -> None:
    assert told("gradcli eval --hess") == ["--hessian\tCompute the Hessian of a scalar value, for each pair of inputs."]
    gelu, other = told("gradcli '2*gel")
    assert gelu.startswith("2*gelu(\tThe input times") and other == "2*gelu(…"


def test_methods_and_parameters() -> None:
    line = "gradcli minimize 'sum((long - y)**2)' long=2 y=@y.npy "
    assert [found.partition("\t")[0] for found in told(f"{line}--method ne")] == ["newton-cg", "nelder-mead"]
    assert told(f"{line}--weight") == ["--weight-decay\tWeight decay of the parameters."]
    assert told(f"{line}--wrt lo") == ["long"] and told(f"{line}--rows lo") == ["long"]
    assert told(f"{line}--bounds lo") == ["long="] and told(f"{line}--bounds long=0") == []
    assert told(f"{line}-o v") == ["value="] and told(f"{line}-o lo") == ["long="]


def test_every_command_and_option_is_completed() -> None:
    from gradcli.cli.main import cli

    assert {line.split("\t")[0] for line in told("gradcli ")} == set(cli.commands)
    for name, command in cli.commands.items():
        options = {line.split("\t")[0] for line in told(f"gradcli {name} -")}
        wanted = {word for param in command.params if param.param_type_name == "option" for word in param.opts}
        assert options >= {word for word in wanted if word.startswith("--")}, name


@pytest.mark.parametrize(
    "line",
    [
        "gradcli eval 'x +' x=",
        "gradcli eval 'mean(' ",
        "gradcli eval '' --wrt ",
        "gradcli eval 3",
        "gradcli eval 3e",
        "gradcli eval x x=@missing/",
        "gradcli eval x x=broken.npz:",
        "gradcli eval x x=pipe:",
        "gradcli eval x x=pip",
        "gradcli nonsense x",
        "gradcli eval x --memory-limit nonsense x=",
        "gradcli eval x x=s3://bucket/",
        "gradcli eval x x=~nobody/",
        "gradcli eval x 'x=\0",
    ],
)
def test_nothing_fails(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    os.mkfifo(tmp_path / "pipe")
    told(line.replace("\0", "\x01"))


def test_names_in_files_of_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = {"age": np.arange(3.0), "height": np.ones(3)}
    np.savez("a.npz", **numbers)
    Path("a.csv").write_text("name,age,height\na,1,2\n")
    Path("a.tsv").write_text("name\tage\theight\na\t1\t2\n")
    Path("a.csv.gz").write_bytes(gzip.compress(b"name,age,height\na,1,2\n"))
    Path("a.json").write_text('{"age": [1, 2], "height": 3}')
    Path("a.jsonl").write_text('{"age": 1, "height": 3}\n')
    header = json.dumps({n: {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]} for n in numbers}).encode()
    Path("a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    made = ["a.npz", "a.csv", "a.tsv", "a.csv.gz", "a.json", "a.jsonl", "a.safetensors"]
    if scipy := _found("scipy.io"):
        scipy.savemat("a.mat", numbers)
        made.append("a.mat")
    if h5py := _found("h5py"):
        with h5py.File("a.h5", "w") as file:
            for name, array in numbers.items():
                file[name] = array
        made.append("a.h5")
    if arrow := _found("pyarrow"):
        table = arrow.table(numbers)
        _found("pyarrow.parquet").write_table(table, "a.parquet")
        _found("pyarrow.feather").write_feather(table, "a.feather")
        made += ["a.parquet", "a.feather"]
    for path in made:
        assert told(f"gradcli eval x x=@{path}:") == [f"x=@{path}:age", f"x=@{path}:height"], path
        assert told(f"gradcli eval x x={path}:he") == [f"x={path}:height"], path
        # Damaged in its middle, it has whatever it has, or nothing.
        data = Path(path).read_bytes()
        Path(path).write_bytes(data[: len(data) // 2])
        told(f"gradcli eval x x=@{path}:")
    assert told("gradcli eval x x=a.csv.g") == ["x=a.csv.gz"]


def _found(module: str) -> Any:
    """A package that need not be installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def test_names_that_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a$b.npy", "a'b.npy", 'a"b.npy', "a\nb.npy", "a`b.npy"):
        np.save(tmp_path / name, np.ones(2))
    found = told("gradcli eval x x=a", "bash", COMP_WORDBREAKS="\"'@><=;|&(:")
    assert found == ['a\\"b.npy ', "a\\$b.npy ", "a\\'b.npy ", "a\\`b.npy "]
    found = told("gradcli eval x 'x=a", "bash", COMP_WORDBREAKS="\"'@><=;|&(:")
    assert found == ['x=a"b.npy', "x=a$b.npy", "x=a'\\''b.npy", "x=a`b.npy"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", Line([], "", "", 0)),
        ("gradcli eval ", Line(["gradcli", "eval"], "", "", 0)),
        ("gradcli '' x", Line(["gradcli", ""], "x", "", 0)),
        ("a; gradcli x=b:c", Line(["gradcli"], "x=b:c", "", 4)),
        ('gradcli x="a\\"b', Line(["gradcli"], 'x=a"b', '"', 2)),
        ("gradcli a\\ b", Line(["gradcli"], "a b", "", 0)),
        ("gradcli a\\", Line(["gradcli"], "a", "", 0)),
        ("gradcli x=@a", Line(["gradcli"], "x=@a", "", 2)),
    ],
)
def test_lines_are_split_as_shells_split_them(text: str, line: Line) -> None:
    assert split(text, "@><=;|&(:") == line

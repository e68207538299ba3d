"""Make the pictures of the README and the recording of a minute, from real commands: `python docs/pictures.py`.

It writes a terminal as SVG for each entry of TERMINALS, for the sessions in Python and in `gradcli repl`,
docs/plot-gelu.svg, docs/minute.cast (asciinema's format, version 2) and, where Chromium is on the path,
docs/report.png.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parent
COLUMNS, ROWS = 100, 30

MINUTE = (
    "gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'",
    "gradcli steps 'y = 3*x + 7; mean(2*y**2)' x=1",
    "gradcli derive 'sum((A@x - b)**2)' A:2 x:1 b:1 --wrt x",
    "gradcli check 'sum(x*sigmoid(x))' 'x=[-1, 0, 2]' --against 'x=sigmoid(x)*(1 + x)'",
    "gradcli eval 'sofmax(x, 0)[1]' 'x=[1, 2, 3]'",
    "gradcli plot 'x**3 - x' 'x=-1.5:1.5' --height 14",
)
# What the commands below read.
DATA = """
import os, numpy as np
rng = np.random.default_rng(0)
np.save("X.npy", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
np.save("y.npy", [1.0, 2.0, 3.0])
with open("loss.txt", "w") as file:
    file.write("huber(r) = where(abs(r) < 1, r**2/2, abs(r) - 1/2)\\nmean(huber(X@w - y))\\n")
with open("points.jsonl", "w") as file:
    file.write('{"id": 7, "x": [1, 2]}\\n{"id": 8, "x": [3, 4, 5]}\\n')
os.makedirs("days")
for day in ("mon", "tue", "wed"):
    np.save(f"days/{day}.npy", rng.normal(size=1000).astype("f4"))
"""
# A picture for each, of these commands one after the other in one terminal.
TERMINALS = {
    "install": ("gradcli --version", "gradcli help"),
    "eval": (
        "cat loss.txt",
        "gradcli eval -f loss.txt X=X.npy y=y.npy 'w=zeros(2)' --wrt w --show value,graph",
        "gradcli eval 'sofmax(x, 0)[1]' 'x=[1, 2, 3]'",
    ),
    "steps": ("gradcli steps 'y = exp(x); w = y*sin(y)' x=0",),
    "pipes": (
        "gradcli stream 'sum(x**2)' < points.jsonl",
        "seq 3 | gradcli stream 'x**2' | tail -1",
        "gradcli eval 'x**2' x=@y.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)' g=@- --no-grad",
    ),
    "derive": (
        "gradcli derive 'sum((A@x - b)**2)' A:2 x:1 b:1",
        "gradcli derive 'logdet(X)' X:2 --format latex",
        "gradcli derive 'mean(log1p(exp(-y*(X@w))))' X:2 y:1 w:1 --wrt w --format python",
    ),
    "minimize": (
        "gradcli minimize '(1 - x)**2 + 100*(y - x**2)**2' x=-1.2 y=1 --wrt x,y --dtype float64",
        "gradcli fit 'y = a*exp(-b*t)' 't=[0, 1, 2, 3, 4]' 'y=[2.0, 1.3, 0.7, 0.5, 0.3]' --params a=1,b=1",
    ),
    "check": (
        "gradcli check 'sum(x*sigmoid(x))' 'x=[-1, 0, 2]' --against 'x=sigmoid(x)*(1 + x)'",
        "gradcli check 'where(x > 0, sqrt(x), 0)' 'x=[-1, 4]'",
    ),
    "batch": (
        "gradcli batch 'mean(2*(3*x+7)**2)' x='days/*.npy' -o out",
        "ls out",
        'grep -o \'"item": "[a-z]*", "value": [0-9.]*\' out/results.jsonl',
    ),
    "explain": (
        "gradcli explain 'mean(log1p(exp(-y*(X@w))))' 'X=zeros(1000000,20)' 'y=zeros(1000000)' \\\n"
        "    'w=zeros(20)' --wrt w --engine numpy --threads 2",
    ),
}
PLOT = "gradcli plot 'gelu(x)' 'x=linspace(-4,4,400)' --derivatives 2 -o plot-gelu.svg"
REPL = ("x = [1, 2, 3]", "p = softmax(x, 0)", "-log(p[2])", ":value p")
PYTHON = (
    "import gradcli as gc",
    "x = gc.ones(2, 2, requires_grad=True)",
    "z = gc.mean(2 * (3*x + 7)**2)",
    "z.backward()",
    "x.grad",
    "gc.hessian(lambda t: gc.sum(t**3), gc.tensor([1.0, 2.0]))",
)
REPORT = (
    "gradcli report 'y = X@w; loss = mean(log1p(exp(-t*y))); loss + 0.1*sum(w**2)' 'X=randn(50,3)' "
    "'t=sign(randn(50))' 'w=[1, -2, 0.5]' --wrt w --seed 1 -o report.html"
)

PROMPT = "\x1b[32m$\x1b[0m "

# Seconds: between two keys, after a command, and after its answer.
_KEY, _PAUSE, _READ = 0.035, 0.4, 4.0
_SGR = re.compile(r"\x1b\[([\d;]*)m")
_COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "34": "#61afef", "35": "#c678dd", "36": "#56b6c2"}
# Of a letter in a picture, in pixels.
_WIDTH, _HEIGHT = 8.4, 19


def main() -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in written(folder).items():
            (DOCS / name).write_text(text, encoding="utf-8")
        answer(PLOT, folder)
        shutil.copyfile(Path(folder, "plot-gelu.svg"), DOCS / "plot-gelu.svg")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if chromium is not None:
            answer(REPORT, folder)
            words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            words += ["--window-size=1300,1400", f"--screenshot={DOCS / 'report.png'}", f"file://{folder}/report.html"]
            subprocess.run(words, check=True, capture_output=True)


def written(folder: str) -> dict[str, str]:
    """The files with what commands print, by their names; the commands run in an empty folder."""
    subprocess.run([sys.executable, "-c", DATA], cwd=folder, check=True)
    shown = {
        name: "\n".join(f"{PROMPT}{typed(one)}\n{answer(one, folder)}" for one in commands)
        for name, commands in TERMINALS.items()
    }
    shown["repl"] = f"{PROMPT}gradcli repl\n" + session("gradcli repl --color always", "> ", REPL, folder)
    shown["python"] = f"{PROMPT}python3 -q\n" + session("python3 -iq 2>/dev/null", ">>> ", PYTHON, folder)
    minute = cast([(one, answer(one, folder)) for one in MINUTE])
    return {"minute.cast": minute, **{f"{name}.svg": picture(text) for name, text in shown.items()}}


def typed(command: str) -> str:
    """A command as it is typed, its further lines behind a prompt of their own."""
    return command.replace("\n", "\n> ")


def answer(command: str, folder: str, stdin: str = "") -> str:
    """What a command prints on a terminal with colours, errors included."""
    env = {**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=env,
        input=stdin,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout


def cast(answers: list[tuple[str, str]]) -> str:
    """A recording in which each command is typed and answered."""
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "gradcli in a minute"}
    lines = [json.dumps(head)]
    now = 0.0

    def show(text: str, wait: float) -> None:
        nonlocal now
        lines.append(json.dumps([round(now, 3), "o", text.replace("\n", "\r\n")], ensure_ascii=False))
        now += wait

    for command, printed in answers:
        show(PROMPT, _PAUSE)
        for letter in command:
            show(letter, _KEY)
        show("\n", _PAUSE)
        show(printed, _READ)
    return "\n".join(lines) + "\n"


def session(program: str, prompt: str, lines: Sequence[str], folder: str) -> str:
    """A session with a program, each line with its prompt and what it answers beyond those before it."""
    text, before = "", ""
    for count, line in enumerate(lines, 1):
        now = answer(program, folder, "\n".join(lines[:count]) + "\n")
        text += f"\x1b[32m{prompt}\x1b[0m{line}\n{now.removeprefix(before)}"
        before = now
    return text


class Piece(NamedTuple):
    """Some letters of a line in one style."""

    text: str
    color: str | None
    is_bold: bool


def pieces(line: str) -> Iterator[Piece]:
    """The parts of a line by their colours."""
    color, is_bold, at = None, False, 0
    for match in [*_SGR.finditer(line), None]:
        end = match.start() if match else len(line)
        if end > at:
            yield Piece(line[at:end], color, is_bold)
        if match is None:
            return
        at = match.end()
        for code in match[1].split(";"):
            if code in ("", "0"):
                color, is_bold = None, False
            elif code == "1":
                is_bold = True
            else:
                color = _COLORS.get(code, color)


def picture(text: str) -> str:
    """What stands on a terminal as SVG."""
    lines = text.rstrip("\n").split("\n")
    width, height = COLUMNS * _WIDTH + 32, len(lines) * _HEIGHT + 36
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14" fill="#d7dae0">',
        f"<title>{escape(_SGR.sub('', lines[0]))}</title>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#21252b"/>',
    ]
    for row, line in enumerate(lines):
        column = 0
        for piece in pieces(line):
            style = (f' fill="{piece.color}"' if piece.color else "") + (' font-weight="bold"' if piece.is_bold else "")
            place = f'x="{16 + column * _WIDTH:g}" y="{30 + row * _HEIGHT}" textLength="{len(piece.text) * _WIDTH:g}"'
            if piece.text.strip():
                out.append(f'<text xml:space="preserve" {place}{style}>{escape(piece.text)}</text>')
            column += len(piece.text)
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    main()

"""A terminal for what users read and copy: `gradcli` and `python3` on PATH, an empty folder, a real shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests import warm

ROOT = Path(__file__).resolve().parents[1]
_END = "\0"


def environment(commands: Path) -> dict[str, str]:
    """The variables of a process that finds this Python and this gradcli by name; `commands` is a folder for both."""
    commands.mkdir(exist_ok=True)
    python = shlex.quote(sys.executable)
    gradcli = f"{python} -m gradcli"
    if warm.can_serve({}):
        gradcli = " ".join([f"{python} -IS", shlex.quote(str(warm.CLIENT)), shlex.quote(warm.address())])
    for name, line in {"gradcli": gradcli, "python3": python, "python": python}.items():
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        script.chmod(0o755)
    path = os.pathsep.join([str(commands), os.environ.get("PATH", os.defpath)])
    # What is under test is this tree, also where another gradcli is installed.
    modules = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PATH": path, "PYTHONPATH": modules, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}


def run_session(commands: list[str], folder: Path, env: dict[str, str]) -> list[str]:
    """What one shell prints for each command in turn, results and errors together, as a terminal shows them."""
    # The exit code goes on to the next command, which may ask for it with $?.
    report = "gradcli_code=$?; printf '\\000'; (exit $gradcli_code)"
    script = "exec 2>&1\n" + "".join(f"{command}\n{report}\n" for command in commands)
    done = subprocess.run(
        ["sh"], input=script, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=600, check=False
    )
    outputs = done.stdout.split(_END)
    assert len(outputs) == len(commands) + 1, f"the shell ended early: {done.stdout}{done.stderr}"
    return outputs[:-1]

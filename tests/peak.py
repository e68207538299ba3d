"""The most memory that a process has had, in bytes: this one, or a command in a process of its own.

On Linux `ru_maxrss` of a process begins with the peak of the one that it was forked from. So a process reads its own
from /proc, and commands are started by a small process, as which this file runs.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, NamedTuple


class Measured(NamedTuple):
    """What a command left behind, and the most memory that it had."""

    code: int
    out: str
    err: str
    peak: int


def measured(command: list[str], env: Mapping[str, str], stdout: IO[bytes] | int = subprocess.PIPE) -> Measured:
    """Run a command without input; `out` is empty where standard output goes elsewhere."""
    starter = [sys.executable, "-S", __file__, *command]
    done = subprocess.run(
        starter, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=300, env=env, check=False
    )
    err, _, peak = done.stderr.decode().rpartition("\n")
    return Measured(done.returncode, (done.stdout or b"").decode(), err, int(peak))


def own_peak() -> int:
    """The most memory that this process has had since it began."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/status", encoding="ascii") as status:
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read())
    assert found is not None
    return int(found[1]) * 1024


def _start(command: list[str]) -> int:
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    sys.stderr.write(f"\n{usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024)}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_start(sys.argv[1:]))

"""The command's entry: exit codes, and the streams closed with care. Everything else is in `gradcli.cli`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command and leave the process with its exit code."""
    # Start-up allocates much and frees nothing: collecting during the imports would only cost time.
    gc.disable()
    from gradcli.cli import run

    code = run(sys.argv[1:])
    # Everything is flushed by now. Tearing the interpreter down would take longer than the work itself.
    os._exit(code)


if __name__ == "__main__":
    main()

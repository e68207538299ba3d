"""The command's entry: what an interrupt does, and the exit code. Everything else is in `gradcli.cli.main`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command and leave the process with its exit code."""
    # Start-up allocates much and frees nothing: collecting during the imports would only cost time.
    gc.disable()
    try:
        # Imported here: it takes a millisecond, in which an interrupt would be told of as a traceback.
        import signal

        # As an exception, an interrupt could come up inside an import or a callback that reports it as something else.
        signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        _leave(2)
    from gradcli.cli.main import run

    code = run(sys.argv[1:])
    if code < 0:
        # A signal that has waited until everything was in order.
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    # Everything is flushed by now. Tearing the interpreter down would take longer than the work itself.
    os._exit(code)


def _leave(signum: int, frame: object = None) -> None:
    """Leave at once: nothing is open that would have to be cleaned up (see `gradcli.cli.signals`)."""
    if os.isatty(2):
        # The prompt goes to a line of its own, after "^C".
        os.write(2, b"\n")
    os._exit(128 + signum)


if __name__ == "__main__":
    main()

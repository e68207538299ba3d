"""Run a command and print its wall time in seconds and its peak resident memory in bytes.

A process of its own, and a small one: the peak that Linux reports for a child starts at that of its parent.
"""

import os
import sys
import time

start = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - start
if status:
    sys.exit(f"failed: {sys.argv[1:]}")
print(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))

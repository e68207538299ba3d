"""A worker process of `--scheduler local:N`; see `gradcli.cluster.local`, which starts it.

Its standard input is a line of JSON with the scheduler's address, the number of threads and the key of the run, and is
then kept open for as long as there is work: at its end the process ends, however the command ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

from gradcli.cluster.local import LOOPBACK, START, without_http


def main() -> None:
    """Work until the scheduler says that there is no more to do."""
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    asyncio.run(_work(task))


def _end_with_the_command() -> None:
    sys.stdin.read()
    os._exit(0)


async def _work(task: dict[str, Any]) -> None:
    from distributed.security import Security

    keys = {"tls_ca_file": task["ca"], "tls_worker_cert": task["cert"], "tls_worker_key": task["key"]}
    security = Security(**keys, require_encryption=True)
    options = {"host": LOOPBACK, "protocol": "tls://", "security": security, "dashboard": False}
    limits = {"nthreads": task["threads"], "memory_limit": 0, "death_timeout": START}
    async with without_http("Worker")(task["scheduler"], **options, **limits) as worker:
        await worker.finished()


if __name__ == "__main__":
    main()

"""The data of an array, from a stream into memory that a lying header cannot make us take."""

from __future__ import annotations

import os
import re
from typing import IO

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.limits import MEMORY_LIMIT, check_limit
from gradcli.storage.header import Array, Header, promise, shown, truncated
from gradcli.storage.pipes import fill

# Memory for more than this is taken as the bytes arrive.
LARGE = 64 << 20


def most_read() -> int:
    """The largest file that is read into memory at once: larger ones are opened."""
    limit = MEMORY_LIMIT.get()
    return LARGE if limit is None else min(LARGE, limit)


def receive(stream: IO[bytes], header: Header) -> Array:
    """The data of a stream as bytes; memory grows as they come, since the header may promise what never does."""
    data = np.empty(min(header.nbytes, LARGE), np.uint8)
    found = fill(stream, data.data)
    while found == data.size < header.nbytes:
        # In steps of an eighth: reallocation moves pages instead of copying them, and little is ever unused.
        data.resize(min(header.nbytes, found + max(LARGE, found // 8)), refcheck=False)
        found += fill(stream, data.data[found:])
    if found < header.nbytes:
        raise truncated(header, found)
    return data


def finish(data: Array, header: Header) -> Array:
    """Bytes just read, as the array that the header describes; in place."""
    array = data.view(header.dtype).reshape(header.shape, order="F" if header.fortran_order else "C")
    check_booleans(array, header)
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def check_booleans(array: Array, header: Header) -> None:
    """Refuse booleans whose bytes are not 0 or 1."""
    # NumPy takes a boolean byte on trust, and computes nonsense from a 2.
    if array.dtype.kind == "b" and array.size and int(array.view(np.uint8).max()) > 1:
        raise WorkError(f"{shown(header.path)} is corrupt: its booleans are neither 0 nor 1")


def check_memory(header: Header) -> None:
    """Refuse an array that has to be held in memory and cannot be."""
    check_limit(header.nbytes, shown(header.path))
    # Asking costs more than a small array is worth.
    available = available_memory() if header.nbytes > LARGE else None
    if available is not None and header.nbytes > available:
        message = f"{shown(header.path)} does not fit into memory: {promise(header)}, {available} are available"
        raise WorkError(message, hint="a regular .npy file in native byte order is mapped instead")


def available_memory() -> int | None:
    """Bytes that can be allocated before the machine runs out, swap included; None where it does not say.

    A limit on the container or service that this process runs in counts too, and so does one on the process.
    """
    found = (_machine_memory(), _cgroup_memory(), _process_memory())
    return min([bytes_left for bytes_left in found if bytes_left is not None], default=None)


def _process_memory() -> int | None:
    """What `ulimit -v` leaves this process; None where it sets no limit."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        with open("/proc/self/statm", encoding="ascii") as file:
            return max(0, limit - int(file.read().split()[0]) * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None


def _machine_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            sizes = dict(re.findall(r"^(MemAvailable|SwapFree):\s*([0-9]+) kB", file.read(), re.MULTILINE))
        return 1024 * (int(sizes["MemAvailable"]) + int(sizes.get("SwapFree", 0)))
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _cgroup_memory() -> int | None:
    """What Linux's control groups (of either version) leave this process; None where they set no limit."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    free: list[int] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            free += _free_in_groups("/sys/fs/cgroup", group, ("memory.max", "memory.current"), "")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            free += _free_in_groups("/sys/fs/cgroup/memory", group, names, "total_")
    return min(free, default=None)


def _free_in_groups(root: str, group: str, names: tuple[str, str], prefix: str) -> list[int]:
    """What a group and those around it have left; cached files count as free, since they are given back on demand."""
    free = []
    parts = [part for part in group.split("/") if part]
    for depth in range(len(parts) + 1):
        directory = "/".join([root, *parts[:depth]])
        limit, used = (_numbers(f"{directory}/{name}") for name in names)
        if limit and used:
            stat = _numbers(f"{directory}/memory.stat")
            cached = stat.get(f"{prefix}active_file", 0) + stat.get(f"{prefix}inactive_file", 0)
            free.append(max(0, limit[""] - used[""] + cached))
    return free


def _numbers(path: str) -> dict[str, int]:
    """The numbers in a file of a control group by name; a lone number has the name "", and "max" is none."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.rpartition(" ") for line in file.read().splitlines()]
    except OSError:
        return {}
    return {name: int(number) for name, _, number in rows if number.isdigit()}

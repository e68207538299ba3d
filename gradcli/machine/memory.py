"""How much memory this process can still get."""

from __future__ import annotations

import os
import re


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

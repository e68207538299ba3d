"""Writing text and pictures: whole, or not at all."""

from __future__ import annotations

import os
import sys
from typing import Any

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.stream import write_all
from gradcli.storage.target import create, find_target, replacing, sync, writing


def save_document(path: str, data: bytes, *, text: bool = True) -> None:
    """Write `data` to the file `path`, wholly or not at all; "-" is standard output.

    What is no `text` is not written to a terminal. A failure is a WorkError, a reader who left a BrokenPipeError.
    """
    target = find_target(path)
    with replacing([target]), writing(target.path):
        if target.temporary is not None:
            with open(create(target, target.temporary), "wb", buffering=0) as file:
                write_all(file, memoryview(data))
                sync(file.fileno())
        elif target.path != "-":
            with open(os.open(target.path, os.O_WRONLY), "wb", buffering=0) as file:
                write_all(file, memoryview(data))
        else:
            _to_standard_output(data, text)


def _to_standard_output(data: bytes, text: bool) -> None:
    stdout: Any = sys.stdout
    if stdout is None or stdout.closed:
        raise WorkError("standard output is closed")
    if stdout.isatty():
        if not text:
            raise GradcliError("standard output is a terminal, and this is not text", hint="name a file: -o FILE")
        # A terminal may know fewer characters than UTF-8 has.
        stdout.write(data.decode("utf-8"))
        return
    stdout.flush()
    stream = stdout.buffer
    write_all(getattr(stream, "raw", stream), memoryview(data))
    stream.flush()

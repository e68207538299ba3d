"""Writing text and pictures: whole, or not at all."""

from __future__ import annotations

import os

from gradcli.errors import GradcliError
from gradcli.storage.pipes import write_all
from gradcli.storage.target import find_target
from gradcli.storage.together import together
from gradcli.storage.writing import standard_output


def save_document(path: str, data: bytes, *, text: bool = True) -> None:
    """Write `data` to the file `path`, wholly or not at all; "-" is standard output.

    What is no `text` is not written to a terminal. A failure is a WorkError, a reader who left a BrokenPipeError.
    """
    target = find_target(path)
    with together() as files:
        files.add([target])
        if target.temporary is not None:
            files.write(target, [memoryview(data)])
        else:
            files.at_last(target, lambda: _write_directly(target.path, data, text))


def _write_directly(path: str, data: bytes, text: bool) -> None:
    if path == "-":
        _to_standard_output(data, text)
    else:
        with open(os.open(path, os.O_WRONLY), "wb", buffering=0) as file:
            write_all(file, memoryview(data))


def _to_standard_output(data: bytes, text: bool) -> None:
    stdout = standard_output()
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

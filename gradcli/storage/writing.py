"""Writing arrays in the format that the end of a name tells: all of them, whole, or none."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.endings import ending_of, is_url
from gradcli.storage.archive import archive_blocks
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.dispatch import check_encodable, encoder_of
from gradcli.storage.header import Array, DType, shown
from gradcli.storage.pipes import write_all
from gradcli.storage.target import Target, check_folder, find_array_target, find_target, refuse_dtype
from gradcli.storage.together import Together, refuse_duplicates, together


def save(path: str, array: Array) -> None:
    """Write `array` to the file `path` ("-" is standard output, as .npy), wholly or not at all."""
    save_all([(path, array)])


def save_all(
    items: Sequence[tuple[str, Array | FileArray]], files: Together | None = None, names: Sequence[str] = ()
) -> None:
    """Write every (path, array), or none: all are on the disk under temporary names before the first is renamed.

    Arrays in files are gone through piece by piece. `names` are those of the arrays in formats that give them some;
    else each is the value. Pipes, devices and standard output ("-") cannot be renamed; they are written between the two
    steps. With `files` the second step is that of others too, and comes at their end. A failure is a WorkError, except
    that BrokenPipeError is passed on: whoever reads our output has stopped listening.
    """
    if files is None:
        with together() as files:
            save_all(items, files, names)
        return
    arrays = [array if isinstance(array, FileArray) else np.asarray(array) for _, array in items]
    names = names or ["value"] * len(items)
    for (path, _), array, name in zip(items, arrays, names, strict=True):
        refuse_dtype(array.dtype)
        check_encodable(path, name, array.shape, array.dtype)
    targets = [find_array_target(path) for path, _ in items]
    files.add(targets)
    for target, array, name in zip(targets, arrays, names, strict=True):
        _write(files, target, partial(encoded, target.path, array, name))


def save_document(path: str, data: bytes, files: Together | None = None, *, text: bool = True) -> None:
    """Write text or a picture as `save_all` writes arrays; what is no `text` is not written to a terminal."""
    if files is None:
        with together() as files:
            save_document(path, data, files, text=text)
        return
    target = find_target(path)
    files.add([target])
    if target.path == "-" and (stdout := standard_output()).isatty():
        if not text:
            raise GradcliError("standard output is a terminal, and this is not text", hint="name a file: -o FILE")
        # A terminal may know fewer characters than UTF-8 has.
        files.at_last(target, partial(stdout.write, data.decode("utf-8")))
    else:
        _write(files, target, lambda: iter([memoryview(data)]), terminals=True)


def encoded(path: str, array: Array | FileArray, name: str) -> Iterator[memoryview]:
    """The bytes of a file that holds an array, in the format that its path tells; .npy unless it tells another."""
    codec = encoder_of(path)
    if codec is not None:
        return codec.encode(array, name, path)
    blocks = npy_blocks(array)
    return archive_blocks([(name, blocks)]) if ending_of(path) == ".npz" else blocks


def check_writable(paths: list[str]) -> None:
    """Refuse paths that cannot be written ("-" is standard output), as far as that can be told without writing."""
    targets = [find_array_target(path) for path in paths]
    refuse_duplicates(targets)
    for target in targets:
        if target.path == "-":
            _refuse_terminal(standard_output(), "standard output")
        elif is_url(target.real):
            from gradcli.storage.remote import check_remote

            check_remote(target.real)
        elif target.temporary is not None:
            check_folder(target)


def _write(
    files: Together, target: Target, blocks: Callable[[], Iterator[memoryview]], terminals: bool = False
) -> None:
    """Write a file, or what is none when all files are written; `terminals` may be among these."""
    if target.temporary is not None:
        files.write(target, blocks())
    else:
        files.at_last(target, partial(_write_directly, target, blocks, terminals))


def _write_directly(target: Target, blocks: Callable[[], Iterator[memoryview]], terminals: bool) -> None:
    if target.path != "-":
        with open(os.open(target.path, os.O_WRONLY), "wb", buffering=0) as file:
            if not terminals:
                _refuse_terminal(file, shown(target.path))
            for block in blocks():
                write_all(file, block)
        return
    stdout = standard_output()
    if not terminals:
        _refuse_terminal(stdout, "standard output")
    stdout.flush()
    # Past the buffer: what is left in it after a failure would fail once more when the interpreter exits.
    stream = stdout.buffer
    for block in blocks():
        write_all(getattr(stream, "raw", stream), block)
    stream.flush()


def standard_output() -> Any:
    """Standard output, if there is one."""
    if sys.stdout is None or sys.stdout.closed:
        raise WorkError("standard output is closed")
    return sys.stdout


def _refuse_terminal(stream: Any, name: str) -> None:
    if stream.isatty():
        raise GradcliError(f"{name} is a terminal, and a .npy is not text", hint="redirect it with >, or pipe it")


def header_bytes(shape: tuple[int, ...], dtype: DType, fortran_order: bool = False) -> bytes:
    """What a .npy file has before its data."""
    header = io.BytesIO()
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": fortran_order, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def npy_blocks(array: Array | FileArray) -> Iterator[memoryview]:
    """The bytes of the .npy file, without a second copy of the array in memory."""
    if isinstance(array, FileArray):
        yield memoryview(header_bytes(array.shape, array.dtype))
        yield from (block.view(np.uint8).data for block in array.blocks())
        return
    fortran_order = array.flags.f_contiguous and not array.flags.c_contiguous
    yield memoryview(header_bytes(array.shape, array.dtype, fortran_order))
    if array.flags.c_contiguous:
        yield array.reshape(-1).view(np.uint8).data
    elif array.flags.f_contiguous:
        yield array.T.reshape(-1).view(np.uint8).data
    else:
        flags = ["external_loop", "buffered", "zerosize_ok"]
        for block in np.nditer(array, flags=flags, buffersize=1 << 16, order="C"):  # type: ignore[call-overload]
            yield memoryview(block.tobytes())

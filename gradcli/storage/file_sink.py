"""Results larger than memory: .npy files written block by block, by any number of threads; all of them or none.

Other formats are written in one go, from a file of that kind of which nothing remains.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.temporary import create_temporary, temporary_name
from gradcli.storage.boxes import cut, merge_box, whole, write_at, write_box
from gradcli.storage.file_array import Descriptor, FileArray
from gradcli.storage.header import Array, DType, Header
from gradcli.storage.ranges import Shape, block_ranges, ranges_of_block
from gradcli.storage.target import UNKNOWN_SYNC, find_array_target, promises_other_format, refuse_dtype, sync, writing
from gradcli.storage.together import Together, together
from gradcli.storage.writing import header_bytes

# From so many bytes on, files are brought to the disk while they are being written; so often, in seconds.
_EARLY = 1 << 28
_PAUSE = 1.0


def can_stream(path: str) -> bool:
    """Whether `path` can be written block by block: .npy, but not standard output, pipes and devices.

    A path that cannot be written at all is an error, as it is for `save`.
    """
    return can_spool(path) and not promises_other_format(path)


@contextlib.contextmanager
def streaming(targets: Sequence[tuple[str, Shape, DType]], others: Together | None = None) -> Iterator[list[FileSink]]:
    """A sink for each (path, shape, dtype), to be filled within this block.

    The files are temporary ones with all their space reserved, so that a full disk is known at once. After the block
    they are brought to the disk and get their names, together with `others` where there are any; if it fails in
    whatever way, nothing remains of them. No thread may write after the block. Every `can_stream(path)` must hold.
    Failures are errors as those of `save_all`.
    """
    if others is None:
        with together() as others, streaming(targets, others) as sinks:
            yield sinks
        return
    for _, _, dtype in targets:
        refuse_dtype(np.dtype(dtype))
    found = [find_array_target(path) for path, _, _ in targets]
    others.add(found)
    files: list[_File] = []
    try:
        for target, (_, shape, dtype) in zip(found, targets, strict=True):
            if target.temporary is None:
                raise WorkError(f"cannot write {target.path} in blocks: it is not a regular file")
            with writing(target.path):
                files.append(_reserved(others.create(target), target.path, target.temporary, shape, dtype))
        with _flushing(files):
            yield [FileSink(file, file.header) for file in files]
        for file in files:
            file.finish()
    finally:
        for file in files:
            file.finished = True


def can_spool(path: str) -> bool:
    """Whether what goes to `path` can be written block by block into a file beside it, and from there in any format."""
    # Windows cannot write at a place without seeking.
    return find_array_target(path).temporary is not None and hasattr(os, "pwrite") and hasattr(os, "preadv")


@contextlib.contextmanager
def spooling(targets: Sequence[tuple[str, Shape, DType]]) -> Iterator[list[FileSink]]:
    """A sink for each (path, shape, dtype), in a file beside the path of which nothing remains after the block.

    Every `can_spool(path)` must hold.
    """
    names: list[str] = []
    files: list[_File] = []
    try:
        for path, shape, dtype in targets:
            folder = os.path.dirname(find_array_target(path).temporary or "")
            with writing(path):
                names.append(temporary_name(folder))
                descriptor = Descriptor(create_temporary(names[-1], 0o600))
                files.append(_reserved(descriptor, path, names[-1], shape, dtype))
        yield [FileSink(file, file.header) for file in files]
    finally:
        for file in files:
            file.finished = True
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(name)


@contextlib.contextmanager
def _flushing(files: Sequence[_File]) -> Iterator[None]:
    """Bring large files to the disk while they are being written: at the end there is little left to wait for."""
    if sum(file.header.nbytes for file in files) < _EARLY or not hasattr(os, "fdatasync"):
        yield
        return
    over = threading.Event()

    def flush() -> None:
        while not over.wait(_PAUSE):
            for file in files:
                file.flush()

    thread = threading.Thread(target=flush, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The system allows no more threads: then all of it goes to the disk at the end.
        yield
        return
    try:
        yield
    finally:
        over.set()
        thread.join()


def _reserved(descriptor: Descriptor, path: str, temporary: str, shape: Shape, dtype: DType) -> _File:
    """A new file with its header and room for the data."""
    dtype = np.dtype(dtype).newbyteorder("=")
    start = header_bytes(shape, dtype)
    header = Header(path, shape, dtype, False, len(start))
    _reserve(descriptor.number, len(start) + header.nbytes)
    write_at(descriptor.number, memoryview(start), 0)
    return _File(descriptor, header, temporary)


def _reserve(descriptor: int, size: int) -> None:
    """Give a file its size, and the space on the disk for it where that can be had in advance."""
    if size > 2**63 - 1:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    # First of all asked for: a disk that is too small would be filled up before it says so.
    disk = os.fstatvfs(descriptor)
    if disk.f_blocks and size > disk.f_bavail * disk.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise
    os.ftruncate(descriptor, size)


class SharedFile(NamedTuple):
    """Where a file lies that is being written, for other processes that help: see `Helper`."""

    path: str
    size: int
    offset: int
    shape: Shape
    dtype: str


class Helper:
    """Writes blocks into a file that another process has made and will finish."""

    def __init__(self, place: SharedFile) -> None:
        """OSError where the file is not to be seen from here."""
        self.place = place
        # Never made here: whoever made it may have given up.
        self._descriptor = Descriptor(os.open(place.path, os.O_RDWR))
        if os.fstat(self._descriptor.number).st_size != place.size:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._whole = whole(place.offset, place.shape, np.dtype(place.dtype).itemsize)

    def write(self, axis: int, start: int, block: Array) -> bool:
        """Write a block as `Sink.write` does; False where only the process that made the file can do that."""
        if not block.size:
            return True
        n = block.shape[axis] if block.ndim > axis else 1
        box = cut(self._whole, block_ranges(self.place.shape, axis, start, start + n))
        with writing(self.place.path):
            # Short runs are written together with what lies between, which others may be writing at the same time.
            return write_box(self._descriptor.number, box, block if block.ndim else block.reshape(1))


@dataclass(eq=False)
class _File:
    """A file that is being written, shared by the sinks that are views of it."""

    descriptor: Descriptor
    header: Header
    temporary: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    finished: bool = False
    #: Whether something was written since the last flush that will not be written to again.
    fresh: bool = False
    failure: OSError | None = None

    def flush(self) -> None:
        """Bring to the disk what has been written so far."""
        if self.fresh and self.failure is None:
            self.fresh = False
            try:
                os.fdatasync(self.descriptor.number)
            except OSError as error:
                # The system tells of it only once.
                if error.errno not in UNKNOWN_SYNC:
                    self.failure = error

    def finish(self) -> None:
        self.finished = True
        with writing(self.header.path):
            if self.failure is not None:
                raise self.failure
            sync(self.descriptor.number)


class FileSink(FileArray):
    """An array in a .npy file that is being written; see `streaming`.

    What has been written can be read back, also after the file has got its name. Methods may be called from any
    thread; blocks that are written at the same time must be cut along one axis.
    """

    #: It is no input: what is computed goes into it block by block.
    streams = False

    def __init__(self, file: _File, header: Header) -> None:
        super().__init__(file.descriptor, header)
        self._file = file
        self._whole = whole(header.offset, header.shape, header.dtype.itemsize)

    def __repr__(self) -> str:
        return f"Sink({self.path!r}, shape={self.shape}, dtype={self.dtype})"

    def write(self, axis: int, start: int, block: Array) -> None:
        """Write `array[..., start:start + n, ...]`, n being the length of `block` along `axis`; of our dtype.

        A tensor of no dimensions is written with axis and start 0. WorkError when the disk fails.
        """
        ranges = ranges_of_block(self, axis, start, block)
        if self._file.finished:
            raise ValueError(f"{self} is not being written any more")
        if not block.size:
            return
        box, descriptor = cut(self._whole, ranges), self._file.descriptor.number
        data = block if self.ndim else block.reshape(1)
        with writing(self.path):
            if not write_box(descriptor, box, data):
                with self._file.lock:
                    merge_box(descriptor, box, data)
        if axis == 0:
            self._file.fresh = True

    @property
    def place(self) -> SharedFile:
        """Where another process finds the file."""
        size = self.offset + self.nbytes
        return SharedFile(self._file.temporary, size, self.offset, self.shape, str(self.dtype))

    def view(self, shape: Shape) -> FileSink:
        """The same file as a sink of another shape."""
        return FileSink(self._file, self.header._replace(shape=shape))

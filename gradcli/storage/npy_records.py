"""Arrays one after the other: the .npy records of a stream, the members of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import WorkError
from gradcli.machine.endings import is_url, local_path
from gradcli.storage.archive import read_members
from gradcli.storage.header import ARCHIVE_MAGICS, Array, Header, parse_header, shown
from gradcli.storage.loading import check_memory, finish, open_file, reading, receive
from gradcli.storage.opening import load


class RecordReader:
    """Reads .npy files that stand one after the other, such as many calls of `numpy.save` write into one file.

    The stream is called `path` in messages and tells what it has at hand: `at_end()` whether nothing more comes,
    `skip(expected)` goes past these bytes if they come next, and `readinto(view)` fills a part of a view.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._header: Header | None = None
        self._bytes = b""

    def read(self) -> Array | None:
        """The next array, None after the last one. WorkError when it is damaged; nothing behind it can be read then."""
        stream = self._stream
        if stream.at_end():
            return None
        header = self._header
        # Most records begin as the one before.
        if header is None or not stream.skip(self._bytes):
            kept = _Recorded(stream)
            header = parse_header(kept, stream.path)  # type: ignore[arg-type]
            self._header, self._bytes = header, bytes(kept.data)
        check_memory(header)
        return finish(receive(stream, header), header)


class _Recorded:
    """A stream that remembers what has been read from it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.data = bytearray()

    def readinto(self, view: memoryview) -> int:
        count: int = self.stream.readinto(view)
        self.data += view[:count]
        return count


def load_item(path: str, names: Sequence[str]) -> list[Array]:
    """The arrays `names` of an .npz archive; for a single name, the only array that there is will do as well.

    Raises as `load` does.
    """
    path = local_path(path)
    if is_url(path):
        return [load(f"{path}:{name}") for name in names]
    with reading(path), open_file(path) as file:
        if not file.seekable() or file.peek(4)[:4] not in ARCHIVE_MAGICS:
            raise WorkError(f"{shown(path)} is not an .npz archive")
        return read_members(file, path, names)

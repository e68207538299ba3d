"""Arrays out of an .npz archive, and one into it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.header import Array, Header, brief, check_size, choose, parse_header, printable, promise, shown
from gradcli.storage.loading import check_memory, finish, receive
from gradcli.storage.pipes import HandedOn

# How the members are compressed that are inflated only as far as they are read: not at all, and with deflate.
_BOUNDED = (0, 8)
# Bytes that are asked for at once of the others.
_SIP = 1 << 12


def read_archive(file: IO[bytes], path: str, key: str | None) -> Array:
    """The array `key` of an .npz archive, or the only one it holds."""
    with _opened(file, path) as (archive, members):
        key = _member_key(list(members), path, key)
        return _read_member(archive, members[key], f"{path}:{key}")


def archive_header(file: IO[bytes], path: str, key: str | None) -> Header:
    """The header of the array `key` of an .npz archive, or of the only one it holds; no data is read."""
    with _opened(file, path) as (archive, members):
        key = _member_key(list(members), path, key)
        with _member(archive, members[key], f"{path}:{key}") as (_, header):
            return header


def read_members(file: IO[bytes], path: str, keys: Sequence[str]) -> list[Array]:
    """The arrays `keys` of an .npz archive; a single key may have another name in an archive of one array."""
    with _opened(file, path) as (archive, members):
        known = list(members)
        if len(keys) == len(known) == 1:
            keys = known
        found = [_member_key(known, path, key) for key in keys]
        return [_read_member(archive, members[key], f"{path}:{key}") for key in found]


def names_of(file: IO[bytes], path: str) -> list[str]:
    """The keys of the arrays in an .npz archive."""
    with _opened(file, path) as (_, members):
        return list(members)


@contextlib.contextmanager
def _opened(file: IO[bytes], path: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The archive and its arrays by key; whatever goes wrong within the block is reported as damage to it."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            arrays = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            yield archive, {info.filename.removesuffix(".npy"): info for info in arrays}
    except (GradcliError, MemoryError):
        raise
    # On damaged archives zipfile and its decompressors raise a dozen kinds of exceptions, none of them documented.
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        reason = brief(printable(str(error) or type(error).__name__))
        raise WorkError(f"{shown(path)} is corrupt: {reason}") from None


def _member_key(keys: list[str], path: str, key: str | None) -> str:
    """The key that is meant, which may be the name of a member; None means the only one."""
    bare = None if key is None else key.removesuffix(".npy")
    return choose(shown(path), keys, bare if bare in keys and key not in keys else key, "array")


def _read_member(archive: Any, info: Any, path: str) -> Array:
    with _member(archive, info, path) as (stream, header):
        check_memory(header)
        # The member ends with the array, and at its end zipfile compares the checksum.
        data = receive(stream, header)
    return finish(data, header)


@contextlib.contextmanager
def _member(archive: Any, info: Any, path: str) -> Iterator[tuple[IO[bytes], Header]]:
    """The data of a member and its header, which says as much as the archive's own list of members."""
    if info.flag_bits & 0x1:
        raise WorkError(f"{shown(path)} is encrypted")
    with archive.open(info) as opened:
        stream: Any = opened if info.compress_type in _BOUNDED else _Sips(opened)
        header = parse_header(stream, path)
        check_size(header, info.file_size)
        if info.file_size - header.offset > header.nbytes:
            found = info.file_size - header.offset
            raise WorkError(f"{shown(path)} is corrupt: {promise(header)}, {found} are there")
        yield stream, header


class _Sips:
    """A member that is read in small steps.

    zipfile inflates what it has read at a time as a whole, however large that becomes: with deflate alone it stops
    where enough is there.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readinto(self, view: memoryview) -> int:
        data = self._stream.read(min(len(view), _SIP))
        view[: len(data)] = data
        return len(data)


def archive_blocks(members: Iterable[tuple[str, Iterable[memoryview]]]) -> Iterator[memoryview]:
    """The bytes of an .npz archive of arrays by name, each of them the blocks of its bytes as .npy."""
    import zipfile

    passed = HandedOn()
    with zipfile.ZipFile(passed, "w") as archive:
        for name, blocks in members:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                for block in blocks:
                    member.write(block)
                    yield from passed.taken()
            yield from passed.taken()
    yield from passed.taken()

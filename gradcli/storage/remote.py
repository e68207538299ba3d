"""Arrays behind URLs (s3://, gs://, https://, memory://), read by ranges and written whole, through fsspec."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.file_array import FileArray, Origin
from gradcli.storage.formats.dispatch import Codec, reader_of
from gradcli.storage.formats.source import Source
from gradcli.storage.header import ARCHIVE_MAGICS, MAGIC, brief, check_size, parse_header, printable, shown

# A request takes as long as moving a few megabytes: so much is fetched at once and kept for the blocks that follow.
_SEGMENT = 8 << 20
_PIECE = 8 << 20
# Extra packages by scheme: fsspec says which one it needs, but not how it is called there. Of the first ones, the first
# part of a path is a bucket, which must exist before anything is written into it.
_BUCKETS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_PACKAGES = {**_BUCKETS, "http": "aiohttp", "https": "aiohttp"}
# What an object store says of the version of an object, under its various names.
_MARKS = ["ETag", "etag", "md5Hash", "generation", "content_md5", "LastModified", "last_modified", "mtime", "created"]


def opened(url: str, key: str | None, archive: Callable[..., Any], other: Callable[[Codec, Source], Any]) -> Any:
    """What `archive(file, url, key)` or, of a format with a module of its own, `other(codec, source)` makes of an
    object; a .npy object is opened, to be read by ranges."""
    with reaching(url, "read"):
        system, path = _system(url)
        # The header is in its beginning; the data is fetched in ranges of our own.
        with system.open(path, "rb", block_size=1 << 16) as file:
            size = getattr(file, "size", None)
            beginning = file.read(len(MAGIC))
            file.seek(0)
            codec = None if beginning == MAGIC else reader_of(url)
            if codec is not None:
                return other(codec, Source(file, url, key, size))
            if beginning[:4] in ARCHIVE_MAGICS:
                return archive(file, url, key)
            if key is not None:
                raise WorkError(f"{shown(url)} is not an .npz archive")
            header = parse_header(file, url)
            if size is None:
                raise WorkError(f"{shown(url)} does not say how large it is", hint="fetch it to a file first")
            check_size(header, size)
            return FileArray(RemoteFile(system, path), header)


class RemoteFile:
    """An object read by ranges, of which the latest segments are kept. Methods may be called from any thread."""

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path
        self._lock = threading.Lock()
        self._segments: dict[int, _Segment] = {}
        # Each thread is in one or two at a time.
        self._most = max(8, 2 * (os.cpu_count() or 1))

    def read(self, data: memoryview, position: int) -> None:
        """Read bytes from `position` on until `data` is full; EOFError(position) where the object ends."""
        done = 0
        while done < len(data):
            number, start = divmod(position + done, _SEGMENT)
            piece = memoryview(self._segment(number))[start : start + len(data) - done]
            if not piece:
                raise EOFError(position + done)
            data[done : done + len(piece)] = piece
            done += len(piece)

    def size(self) -> int:
        """How many bytes the object has now."""
        with reaching(self._system.unstrip_protocol(self._path), "read"):
            return int(self._system.info(self._path).get("size") or 0)

    def origin(self, path: str) -> Origin | None:
        """Where others find this object."""
        with reaching(path, "read"):
            info = self._system.info(self._path)
        marks = [f"{key}={info[key]}" for key in _MARKS if info.get(key) is not None]
        return Origin(path, (int(info.get("size") or 0), *marks))

    def _segment(self, number: int) -> bytes:
        with self._lock:
            segment = self._segments.pop(number, None) or _Segment()
            while len(self._segments) >= self._most:
                del self._segments[next(iter(self._segments))]
            # The latest stands last.
            self._segments[number] = segment
        with segment.lock:
            if segment.data is None:
                with reaching(self._system.unstrip_protocol(self._path), "read"):
                    start = number * _SEGMENT
                    segment.data = bytes(self._system.cat_file(self._path, start=start, end=start + _SEGMENT))
            return segment.data


class _Segment:
    """Part of an object; whoever needs it first fetches it, and others wait for that."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.data: bytes | None = None


def check_remote(url: str) -> None:
    """Refuse a URL that nothing can be written to, as far as that can be told without writing."""
    with reaching(url, "write"):
        system, path = _system(url)
        bucket = path.partition("/")[0]
        if url.partition("://")[0].lower() in _BUCKETS:
            # Not everybody who may write may look.
            with contextlib.suppress(PermissionError):
                system.info(bucket)


@contextlib.contextmanager
def sending(items: Sequence[tuple[str, str]]) -> Iterator[Callable[[], None]]:
    """Send every file (path, URL); what this gives lets all of them be seen there, which they cannot be before.

    Where that has not been called by the end of the block, nothing remains of them.
    """
    begun: list[tuple[str, Any]] = []

    def commit() -> None:
        while begun:
            url, system = begun[0]
            with reaching(url, "write"):
                system.end_transaction()
            begun.pop(0)

    try:
        for path, url in items:
            with reaching(url, "write"):
                system, inner = _system(url)
                if all(system is not other for _, other in begun):
                    system.start_transaction()
                    begun.append((url, system))
                upload = system.open(inner, "wb")
                with open(path, "rb") as file:
                    while piece := file.read(_PIECE):
                        upload.write(piece)
                upload.close()
        yield commit
    finally:
        for _, system in begun:
            # What was sent in parts would be kept, and paid for.
            with contextlib.suppress(Exception):
                system.transaction.complete(commit=False)


def _system(url: str) -> tuple[Any, str]:
    """The file system that a URL belongs to, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        hint = 'pip install "gradcli[remote]"'
        raise GradcliError(f"{shown(url)} needs fsspec, which is not installed", hint=hint) from None
    scheme, _, rest = url.partition("://")
    if "::" in scheme or "::" in rest or not rest.strip("/"):
        raise GradcliError(f"{shown(url)} is not the URL of one object", hint="write it as s3://bucket/x.npy")
    try:
        return url_to_fs(url)
    except ImportError:
        package = _PACKAGES.get(scheme.lower())
        hint = f"pip install {package}" if package else "fsspec names the package for each scheme in its documentation"
        raise GradcliError(f"{scheme}:// needs {package or 'a package'}, which is not installed", hint=hint) from None
    except ValueError:
        hint = "for example, s3://, gs://, abfs:// or https://"
        raise GradcliError(f"{scheme}:// is not a scheme that fsspec knows", hint=hint) from None


@contextlib.contextmanager
def reaching(url: str, verb: str) -> Iterator[None]:
    """Within this block whatever fails is a failure to read or to write the object."""
    try:
        yield
    except (GradcliError, MemoryError, EOFError):
        raise
    except FileNotFoundError:
        what = "no such object" if verb == "read" else "no such bucket or folder"
        raise WorkError(f"cannot {verb} {shown(url)}: {what}") from None
    except NotImplementedError:
        raise WorkError(f"cannot {verb} {shown(url)}: this kind of URL cannot be used for that") from None
    # Every store has a library with exceptions of its own.
    except Exception as error:
        reason = brief(printable(str(error) or type(error).__name__))
        denied = isinstance(error, PermissionError) or "credentials" in reason.lower()
        hint = "the store's own settings hold keys and addresses, such as AWS_PROFILE and AWS_ENDPOINT_URL"
        raise WorkError(f"cannot {verb} {shown(url)}: {reason}", hint=hint if denied else None) from None

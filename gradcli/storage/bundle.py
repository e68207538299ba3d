"""Numbers and arrays that belong together, as one .npz: the arrays, and JSON that says where each has its place."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError, quoted
from gradcli.machine.endings import is_url
from gradcli.machine.regular import open_regular
from gradcli.storage.archive import archive_blocks, names_of, read_members
from gradcli.storage.header import shown
from gradcli.storage.target import Target, find_target
from gradcli.storage.together import together
from gradcli.storage.writing import npy_blocks

# The name of the JSON among the arrays.
_TEXT = "contents"


def find_bundle_target(path: str) -> Target:
    """Where a bundle is written, which has to be a file: GradcliError for what else a path may stand for."""
    target = find_target(path)
    if target.temporary is None or is_url(target.real):
        raise GradcliError(f"{quoted(path)} is not a file of this machine", hint="name a file")
    return target


def save_bundle(path: str, contents: Any) -> None:
    """Write dicts, lists, arrays, numbers, strings, booleans and None to a file, wholly or not at all."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_apart(contents, arrays)).encode()
    members = {_TEXT: np.frombuffer(text, np.uint8), **{str(k): array for k, array in enumerate(arrays)}}
    target = find_bundle_target(path)
    with together() as files:
        files.add([target])
        files.write(target, archive_blocks([(name, npy_blocks(array)) for name, array in members.items()]))


def load_bundle(path: str) -> Any:
    """What `save_bundle` has written. FileNotFoundError where there is nothing, WorkError for what is no bundle."""
    try:
        with open(open_regular(find_bundle_target(path).real), "rb") as file:
            names = names_of(file, path)
            if _TEXT not in names:
                raise WorkError(f"{shown(path)} is corrupt: {_TEXT} is missing")
            arrays = dict(zip(names, read_members(file, path, names), strict=True))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise WorkError(f"cannot read {shown(path)}: {error.strerror or error}") from None
    try:
        return _whole(json.loads(arrays[_TEXT].tobytes()), arrays)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WorkError(f"{shown(path)} is corrupt: its parts do not fit together") from None


def _apart(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value for JSON; its arrays become dicts that name them by their place in `arrays`, which takes them."""
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"scalar" if isinstance(value, np.generic) else "array": str(len(arrays) - 1)}
    if isinstance(value, dict):
        return {"dict": {name: _apart(item, arrays) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_apart(item, arrays) for item in value]
    return value


def _whole(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_whole(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, item),) = value.items()
    if kind == "dict":
        return {name: _whole(part, arrays) for name, part in item.items()}
    return arrays[item][()] if kind == "scalar" else arrays[item]

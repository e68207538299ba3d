"""`gradcli stream` on `.npy` records, `.npz` archives and several files."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import COMMAND, Done, call, environment

WAIT = 300


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in this process, on records."""
    return lambda *words, stdin=b"": call(monkeypatch, "stream", *words, stdin=stdin)


def records(*arrays: Any) -> bytes:
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array)
    return file.getvalue()


def arrays_in(data: bytes) -> list[Any]:
    file = io.BytesIO(data)
    found = []
    while file.tell() < len(data):
        found.append(np.load(file))
    return found


def test_npy_records(stream: Any) -> None:
    x = np.arange(6.0).reshape(2, 3)
    data = records(x, np.asfortranarray(x), x.astype(">f4"), np.arange(3), np.array(True), np.float16(2), x[:, :0])
    done = stream("sum(x*1)", "--format", "npy", stdin=data)
    assert [row["value"] for row in rows(done)] == [15.0, 15.0, 15.0, 3, 1, 2.0, 0.0]
    assert [row["grads"] and np.shape(row["grads"]["x"]) for row in rows(done)] == [
        (2, 3),
        (2, 3),
        (2, 3),
        None,
        None,
        (),
        (2, 0),
    ]
    Path("x.npy").write_bytes(data)
    assert [row["file"] for row in rows(stream("sum(x)", "x.npy"))] == ["x.npy"] * 7


def test_npy_records_of_several_names_come_in_turn(stream: Any) -> None:
    data = records(*(np.array([k, k + 1.0]) for k in range(4)))
    done = stream("sum(b*2) + sum(a)", "--format", "npy", "--no-grad", stdin=data)
    assert [row["value"] for row in rows(done)] == [(0 + 1) * 2 + 1 + 2, (2 + 3) * 2 + 3 + 4]
    done = stream("sum(b*2) + sum(a)", "--format", "npy", "--no-grad", "--name", "a,b", stdin=data)
    assert [row["value"] for row in rows(done)] == [(1 + 2) * 2 + 0 + 1, (3 + 4) * 2 + 2 + 3]
    done = stream("sum(b*2) + sum(a)", "--format", "npy", "--no-grad", stdin=records(1.0, 2.0, 3.0))
    assert done.code == 1 and "the last record has no array for 'a'" in rows(done)[1]["error"]["message"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-5], "is truncated"),
        (lambda data: data + b"junk after it", "is not a .npy file"),
        (lambda data: data + b"\x93NUMPY\x09\x00", "has version 9.0"),
        (lambda data: data + records(np.array([1j])), "holds complex numbers"),
        (lambda data: data + b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000), "is truncated"),
    ],
)
def test_damaged_npy_records(damage: Any, message: str, stream: Any) -> None:
    done = stream("sum(x)", "--format", "npy", stdin=damage(records(np.ones(2), np.ones(2))))
    assert done.code == 1 and message in rows(done)[-1]["error"]["message"]
    assert rows(done)[0]["value"] == 2.0


def test_npy_out() -> None:
    data = records(np.array([1.0, 2.0]), np.array([[3.0]], np.float32))
    command = [*COMMAND, "stream", "sum(x**2)", "--format", "npy", "--output-format", "npy"]
    done = subprocess.run(command, input=data, capture_output=True, env=environment(), timeout=WAIT, check=True)
    found = arrays_in(done.stdout)
    assert [(a.dtype.name, a.tolist()) for a in found] == [
        ("float64", 5.0),
        ("float64", [2.0, 4.0]),
        ("float32", 9.0),
        ("float32", [[6.0]]),
    ]
    done = subprocess.run([*command, "-o", "x.grad"], input=data, capture_output=True, env=environment(), check=True)
    assert [a.tolist() for a in arrays_in(done.stdout)] == [[2.0, 4.0], [[6.0]]]
    # There is no place for a report among arrays.
    done = subprocess.run(
        [*command, "-o", "x.grad"], input=data + records(3), capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 1 and done.stderr.startswith(b"gradcli: record 3: x.grad is None")
    assert [a.tolist() for a in arrays_in(done.stdout)] == [[2.0, 4.0], [[6.0]]]


def test_npz_items(stream: Any) -> None:
    for k in range(3):
        np.savez(f"{k}.npz", X=np.eye(2) * k, y=np.ones(2), other=np.array(["text"]))
    np.savez("none.npz", X=np.eye(2))
    Path("broken.npz").write_bytes(Path("1.npz").read_bytes()[:300])
    names = ["0.npz", "broken.npz", "1.npz", "none.npz", "gone.npz", "2.npz"]
    done = stream("mean((X@w - y)**2)", "w=[1, 2]", "--wrt", "w", *names)
    assert done.code == 1 and done.err.startswith("gradcli: 3 of 6 records failed; the first, broken.npz is corrupt")
    assert [row["file"] for row in rows(done)] == names
    assert [row.get("value") for row in rows(done)] == [1.0, None, 0.5, None, None, 5.0]
    assert rows(done)[3]["error"]["message"] == "none.npz has no array 'y'; it holds X"
    listed = stream("mean((X@w - y)**2)", "w=[1, 2]", "--wrt", "w", "--format", "npz", stdin="\n".join(names).encode())
    assert [row.get("value") for row in rows(listed)] == [1.0, None, 0.5, None, None, 5.0]
    assert rows(listed)[1]["line"] == 2
    # For one name, the only array of an archive.
    assert rows(stream("sum(q)", "none.npz"))[0]["value"] == 2.0


def test_files_of_lines(stream: Any) -> None:
    Path("a.jsonl").write_bytes(b"1\n2")
    Path("b.txt").write_bytes(b"3\nbad\n")
    done = stream("x", "--no-grad", "a.jsonl", "b.txt", "gone.jsonl", "-", stdin=b"4")
    assert [row.get("value") for row in rows(done)] == [1.0, 2.0, 3.0, None, None, 4.0]
    assert rows(done)[3]["file"] == "b.txt" and rows(done)[3]["line"] == 2
    assert done.err.startswith("gradcli: 2 of 6 records failed; the first, line 2 of b.txt: this is not JSON")


def test_files_behind_urls(stream: Any) -> None:
    np.savez("a.npz", x=np.ones(2))
    Path("a.jsonl").write_bytes(b"1")
    here = Path.cwd().as_uri()
    done = stream("sum(x)", "--no-grad", f"{here}/a.npz", f"{here}/a.jsonl", "s3://bucket/a.jsonl")
    assert [row.get("value") for row in rows(done)] == [2.0, 1.0, None]
    assert rows(done)[2]["error"]["message"] == "s3://bucket/a.jsonl is a URL: of those only .npz archives are read"

"""Loops and addresses in LLVM's language: loops are written around what is emitted inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gradcli.engine.native.expressions import LINE, Expressions
from gradcli.engine.native.vectors import INT64, Vector

#: Lines of the cache that are asked for one after the other in the code.
_ASKED = 32


@contextmanager
def loop(v: Expressions, length: int | str, step: int) -> Iterator[str]:
    """A loop that is gone through at least once; gives the name of its counter, or 0 where once is all."""
    if isinstance(length, int) and length <= step:
        with v.scope():
            yield "0"
        return
    before, label, index = v.block, f"loop{v.fresh()[2:]}", v.fresh()
    v.lines.append(f"  br label %{label}")
    v.start(label)
    at = len(v.lines)
    with v.scope():
        yield index
    following, more = v.fresh(), v.fresh()
    v.lines.insert(at, f"  {index} = phi i64 [0, %{before}], [{following}, %{v.block}]")
    v.lines += [
        *counted(v, following, index, step),
        f"  {more} = icmp ult i64 {following}, {length}",
        f"  br i1 {more}, label %{label}, label %{label}.end",
    ]
    v.start(f"{label}.end")


@contextmanager
def loop_to(v: Expressions, start: str, stop: str, step: int) -> Iterator[str]:
    """A loop from one number to another, both known when it is run, which may be the same."""
    before, label, index = v.block, f"while{v.fresh()[2:]}", v.fresh()
    following, more = v.fresh(), v.fresh()
    v.lines.append(f"  br label %{label}")
    v.start(label)
    at = len(v.lines)
    v.lines.append(f"  {more} = icmp ult i64 {index}, {stop}")
    v.lines.append(f"  br i1 {more}, label %{label}.body, label %{label}.end")
    v.start(f"{label}.body")
    with v.scope():
        yield index
    v.lines.insert(at, f"  {index} = phi i64 [{start}, %{before}], [{following}, %{v.block}]")
    v.lines += [*counted(v, following, index, step), f"  br label %{label}"]
    v.start(f"{label}.end")


def from_last(v: Expressions, index: str, last: int, from_end: bool = True) -> str:
    """The same place counted from the last one, if it is wanted."""
    if not from_end:
        return index
    name = v.fresh()
    v.lines.append(f"  {name} = sub i64 {last}, {index}")
    return name


def counted(v: Expressions, following: str, index: str, step: int) -> list[str]:
    """The lines that name the next value of a counter.

    LLVM does not see through `expect` that it is one. Otherwise it looks for better counters, such as addresses, which
    takes up to a third of all its time and makes the code longer.
    """
    v.declarations["@llvm.expect"] = "declare i64 @llvm.expect.i64(i64, i64)"
    return [
        f"  {following}.sum = add i64 {index}, {step}",
        f"  {following} = call i64 @llvm.expect.i64(i64 {following}.sum, i64 0)",
    ]


@contextmanager
def loops(v: Expressions, lengths: Sequence[int], from_end: bool = False) -> Iterator[list[str]]:
    """Loops within each other, one for each length; gives the names of their counters."""
    if not lengths:
        yield []
        return
    with loop(v, lengths[0], 1) as index, loops(v, lengths[1:], from_end) as rest:
        yield [from_last(v, index, lengths[0] - 1, from_end), *rest]


@contextmanager
def tiles(v: Expressions, length: int, size: int) -> Iterator[str]:
    """A loop over pieces of so many places; gives where each begins. The last one has some places of the one before, if
    they do not fit: to do these twice is less than other code for what is left over."""
    with loop(v, length, size) as index:
        if length > size and length % size:
            beyond, begin = v.fresh(), v.fresh()
            v.lines.append(f"  {beyond} = icmp ugt i64 {index}, {length - size}")
            v.lines.append(f"  {begin} = select i1 {beyond}, i64 {length - size}, i64 {index}")
            index = begin
        yield index


def in_vectors(v: Expressions, length: int) -> Iterator[tuple[str, int]]:
    """The first of so many neighbouring places, and how many: whole vectors in a loop, then what is left over."""
    whole = length // v.lanes * v.lanes
    if whole:
        with loop(v, whole, v.lanes) as index:
            yield index, v.lanes
    if length > whole:
        with v.scope():
            yield str(whole), length - whole


def in_masked_vectors(v: Expressions, count: str) -> Iterator[tuple[str, Vector | None]]:
    """The first of neighbouring places, of which there are so many as is known when it is run, and which of them there
    are: whole vectors in a loop, then what is left over under a mask."""
    whole, rest = v.fresh(), v.fresh()
    v.lines.append(f"  {whole} = and i64 {count}, {-v.lanes}")
    with loop_to(v, "0", whole, v.lanes) as at:
        yield at, None
    with loop_to(v, whole, count, v.lanes) as at:
        v.lines.append(f"  {rest} = sub i64 {count}, {at}")
        places = v.value(f"<{', '.join(f'i64 {k}' for k in range(v.lanes))}>", INT64)
        yield at, places < v.spread(rest, INT64)


def address(v: Expressions, base: str, by: str | int, kind: str = "i8") -> str:
    """The name of an address so many elements, bytes unless told otherwise, behind another one."""
    name = v.fresh()
    v.lines.append(f"  {name} = getelementptr {kind}, ptr {base}, i64 {by}")
    return name


def ask(v: Expressions, place: str, size: int = 1) -> None:
    """Ask for so many bytes from an address on, which may be anywhere, a line of the cache after the other; for many
    lines in a loop, and for some beyond."""
    v.declarations["@llvm.prefetch"] = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
    if size > _ASKED * LINE:
        with loop(v, size, _ASKED * LINE) as at:
            ask(v, address(v, place, at), _ASKED * LINE)
        return
    for line in range(0, size, LINE):
        v.lines.append(f"  call void @llvm.prefetch.p0(ptr {address(v, place, line)}, i32 0, i32 3, i32 1)")


def lead_address(v: Expressions, base: str, step: str, lead: str | int) -> str:
    """The address so many leading places behind another one, with so many bytes from each to the next."""
    by = v.fresh()
    v.lines.append(f"  {by} = mul i64 {step}, {lead}")
    return address(v, base, by)


def address_around(
    v: Expressions,
    base: str,
    indices: Sequence[str],
    strides: Sequence[int],
    trail: int,
    step: str,
    shift: int,
    size: int,
) -> str:
    """The same where rows lie between places: `trail` of these are neighbours, and `step` names the bytes from there to
    the next ones. Each dimension has its places on one side of the rows; `shift` is the first place."""
    for index, stride in zip(indices, strides, strict=True):
        if stride and index != "0" and stride % trail == 0:
            by = v.fresh()
            v.lines.append(f"  {by} = mul i64 {index}, {stride // trail}")
            base = lead_address(v, base, step, by)
    if shift >= trail:
        base = lead_address(v, base, step, shift // trail)
    if shift % trail:
        base = address(v, base, shift % trail * size)
    return address_of(v, base, indices, [stride if stride % trail else 0 for stride in strides], size)


def address_of(v: Expressions, base: str, indices: Sequence[str], strides: Sequence[int], size: int) -> str:
    """The address of a place in loops with these counters, of elements of so many bytes."""
    for index, stride in zip(indices, strides, strict=True):
        if stride and index != "0":
            step = v.fresh()
            v.lines.append(f"  {step} = mul i64 {index}, {stride * size}")
            base = address(v, base, step)
    return base

"""Where the elements of an item with spans come from: of neighbouring places, or of one place in all lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.transpose import load_under
from gradcli.engine.native.vectors import BOOL, INT32, Vector

#: Where an operand is, or the vector that it is all along.
Found = str | Vector


def beside(v: VectorBuilder, item: LoopStep, operands: Sequence[Found], index: str, whole: bool) -> Vector:
    """Neighbouring elements along the last dimension, from this index on. Operands are where element 0 would be if they
    were there from the first place on; `whole` says that all lanes are places."""
    if index.isdigit():
        begin = v.constant(int(index), INT32)
    else:
        name = v.fresh()
        v.lines.append(f"  {name} = trunc i64 {index} to i32")
        begin = v.spread(name, INT32)
    place = v.value(f"<{', '.join(f'i32 {k}' for k in range(v.lanes))}>", INT32) + begin
    dtype = item.step.node.dtype
    value = v.constant(0, dtype)
    for (start, stop), operand in zip(item.spans, operands, strict=True):
        mask = place >= start if start else None
        if stop < item.space[-1] or not whole:
            before = place < stop
            mask = before if mask is None else mask & before
        if isinstance(operand, str):
            value = load_under(v, mask, operand, dtype, value.name)
        else:
            value = operand if mask is None else v.select(mask, operand, value)
    return value


def one_of(
    v: VectorBuilder,
    head: list[str],
    item: LoopStep,
    operands: Sequence[Found],
    index: str,
    load: Callable[[str], Vector],
) -> Vector:
    """What all lanes have at this index of another dimension; `load` reads the operand that is there, or zeros."""
    zeros, kind = f"%zeros{item.out}", v.type(item.step.node.dtype)
    begin = [f"  {zeros} = alloca {kind}, align 64", f"  store {kind} zeroinitializer, ptr {zeros}, align 64"]
    if begin[0] not in head:
        head += begin
    at, others = zeros, []
    for (start, stop), operand in zip(item.spans, operands, strict=True):
        behind, inside = v.fresh(), v.fresh()
        v.lines.append(f"  {behind} = sub i64 {index}, {start}")
        v.lines.append(f"  {inside} = icmp ult i64 {behind}, {stop - start}")
        if isinstance(operand, str):
            name = v.fresh()
            v.lines.append(f"  {name} = select i1 {inside}, ptr {operand}, ptr {at}")
            at = name
        else:
            others.append((v.spread(inside, BOOL), operand))
    value = load(at)
    for mask, other in others:
        value = v.select(mask, other, value)
    return value

"""Results that are written over an array that a pass reads: who must have looked at it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.strides import dense
from gradcli.engine.plan.passes import Pass, Step, Sum


def written_over(one: Pass, borrowed: Mapping[int, int]) -> dict[int, int]:
    """Of results that are written over an array that is read: the place of the latter. `borrowed` is the program's."""
    lent = {borrowed[cut.value]: cut.slot for cut in one.cuts if cut.value in borrowed}
    return {write.slot: lent[write.value] for write in one.writes if write.value in lent}


def read_later(
    runs: Sequence[Sequence[LoopStep] | Step | Sum], maker: int, slot: int, source: Mapping[int, int]
) -> bool:
    """Whether an array is looked at when the item that makes a value has begun to write it, or by that item elsewhere
    than at the place that is written: the value cannot lie where the array does. `source` is that of `Lowering`."""
    shown, begun = {slot}, False
    for run in runs:
        if isinstance(run, Step | Sum):
            looks = any(source.get(k, k) in shown for k in run.inputs)
            if looks and begun:
                return True
            if looks and isinstance(run, Step) and run.node.op.blocking.view:
                shown.add(run.out)
            continue
        for item in run:
            if begun and any(k in shown for k, _ in item.operands):
                return True
            if item.out == maker:
                begun = True
                ways = [(strides, shift) for k, strides, shift in item.reads if k in shown]
                if item.whole in shown or any(way != (dense(item.space), 0) or item.spans for way in ways):
                    return True
    return False

"""A native step of a pass, as the runner of blocks sees it."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcli.engine.plan.passes import Step, Sum


class NativeStep(NamedTuple):
    """Several steps in one native function.

    `group` and `states` say what it computes, `text` is its module. `inputs` and `outs` are places among the block's
    values, with the scratch buffers of the latter (-1 where there is a result to write into); `sums` are those whose
    states it gives, and `covers` the steps that it stands for, both in their order. `checks` are the `Check` of
    `lowering` that go with these.
    """

    group: Any
    states: Any
    text: str
    inputs: tuple[int, ...]
    outs: tuple[int, ...]
    buffers: tuple[int, ...]
    sums: tuple[Sum, ...]
    covers: tuple[Step | Sum, ...]
    checks: tuple[Any, ...] = ()

"""Programs of a few small operations: whether they are computed in machine code or by NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.engine.execute.closure import Computing, bound
from gradcli.engine.native.choice import is_small_native
from gradcli.engine.plan.program import Program


def computing(program: Program, fixed: Mapping[int, Any], repeats: float) -> Computing | None:
    """What computes a small program, None where that takes more than to call one operation after the other.

    `fixed` are the arrays of leaves, by number, that are the same at every run, of which so many are known to come. The
    caller has checked the memory, and silences NumPy's warnings.
    """
    if is_small_native(program, repeats):
        # Imported here: most programs do without LLVM.
        from gradcli.engine.execute.native_small import natively

        native = natively(program, fixed)
        if native is not None:
            return native
    function = bound(program)
    return None if function is None else Computing(function)

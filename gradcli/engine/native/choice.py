"""Which engine computes passes: native code, or NumPy block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from gradcli.engine.plan.program import SMALL, walked
from gradcli.errors import GradcliError, WorkError, did_you_mean, quoted
from gradcli.graph.native_forms import NativeAdded, NativeScatter
from gradcli.machine.limits import MEMORY_LIMIT

if TYPE_CHECKING:
    from gradcli.engine.native.added_lines import AddedLines
    from gradcli.engine.plan.passes import Pass
    from gradcli.engine.plan.program import Program, WholeStep

#: "auto" is native code where llvmlite is installed; None is what GRADCLI_ENGINE says, or else "auto".
ENGINE: ContextVar[str | None] = ContextVar("gradcli_engine", default=None)
ENGINES = ("auto", "numpy", "native")
#: What a pass has to compute, in elements of the cheapest operations, to be compiled unasked. Loading LLVM and making
#: the code takes about as long as NumPy for it; what was computed once is often computed again, and finds code made.
WORTH_COMPILING = 1 << 26
#: The same beside such a pass, for which LLVM is loaded anyhow.
WORTH_BESIDE = 1 << 24
#: The same for small requests, in calls of NumPy over all runs that are to come.
WORTH_CALLS = 1 << 18
# What NumPy takes to add an element up at its place, in elements of the cheapest operations.
_ADDING = 18.0
#: Bytes that LLVM takes in a process that has made code with it, most of them pages of its own library.
COMPILER = 90_000_000
#: Bytes that the native functions of a small request may keep from run to run: one that needs more is left to NumPy.
MOST_KEPT = 1 << 25
# Where less may be used, "auto" is NumPy: by the limit alone, so that any number of threads gives the same bits.
_ROOM_FOR_COMPILER = 2 * COMPILER
# Whether that has been settled for several requests of one process, each of which may use a part of the memory.
_SETTLED: ContextVar[bool] = ContextVar("gradcli_engine_settled", default=False)


def get_engine() -> str:
    """The engine set with `set_engine`, or with GRADCLI_ENGINE, or "auto"."""
    chosen = ENGINE.get()
    if chosen is not None:
        return chosen
    given = os.environ.get("GRADCLI_ENGINE", "").strip().lower() or "auto"
    if given not in ENGINES:
        raise GradcliError(f"GRADCLI_ENGINE must be auto, numpy or native, got {quoted(given)}")
    return given


def _computing() -> str:
    """The same, "numpy" where memory is too scarce for a compiler that nobody has asked for."""
    engine, limit = get_engine(), MEMORY_LIMIT.get()
    scarce = limit is not None and limit < _ROOM_FOR_COMPILER and not _SETTLED.get()
    return "numpy" if engine == "auto" and scarce else engine


def choosing() -> tuple[str, bool]:
    """What the choice depends on beside a request."""
    return _computing(), _SETTLED.get()


def set_engine(name: str) -> None:
    """Choose the engine for large tensors: "numpy", "native" (compiled loops) or "auto" (native if available).

    The engines may differ in the last digits. Raises GradcliError for another name, and for "native" without llvmlite.

    >>> import gradcli as gc
    >>> gc.set_engine("numpy")
    >>> gc.set_engine("auto")
    """
    if not isinstance(name, str) or name not in ENGINES:
        hint = did_you_mean(str(name), list(ENGINES)) or "choose from auto, numpy and native"
        raise GradcliError(f"there is no engine {quoted(str(name))}", hint=hint)
    if name == "native" and (reason := why_not()) is not None:
        raise WorkError(f"the native engine is not available: {reason}", hint='pip install "gradcli[jit]"')
    ENGINE.set(name)


def why_not() -> str | None:
    """Why there is no native engine here; None where there is one."""
    from gradcli.engine.native.processor import missing

    return missing()


def _is_native(program: Program, work: float) -> bool:
    """Whether a pass of so much work is computed natively: if it has much to compute, or some beside one that has much.

    Without llvmlite NumPy computes all, whatever is asked for.
    """
    engine = _computing()
    if engine == "auto":
        enough = WORTH_BESIDE if program.largest >= WORTH_COMPILING else WORTH_COMPILING
        return work >= enough and why_not() is None
    return engine == "native" and why_not() is None


def chosen(program: Program, one: Pass) -> Pass:
    """The pass as the chosen engine runs it: with native steps for all that has a native form, or as it is."""
    if not _is_native(program, one.work):
        return one
    known = program.native.get(id(one))
    if known is None:
        from gradcli.engine.native.fuse import fused
        from gradcli.engine.plan.passes import may_call_native

        known = fused(one, program.borrowed) or one
        if any(map(may_call_native, known.steps)):
            from gradcli.engine.native.native_kernels import with_kernels

            known = with_kernels(known)
        program.native[id(one)] = known
    return known


def chosen_lines(program: Program, step: WholeStep) -> AddedLines | None:
    """What adds lines up natively instead of an operation on whole arrays; None of others."""
    node = step.node
    if not isinstance(node.op.native, NativeAdded | NativeScatter) or not _is_native(program, _ADDING * walked(node)):
        return None
    if step.out not in program.lines:
        from gradcli.engine.native.added_lines import added_lines

        program.lines[step.out] = added_lines(node)
    return program.lines[step.out]


def compiler_memory(program: Program, repeats: float = 0) -> int:
    """Bytes that the compiler takes of this program's passes, or of a small one that will be run so often; it is none
    of the part of memory that one of several requests has."""
    if _SETTLED.get():
        return 0
    passes = [chosen(program, one) for one in program.passes]
    lines = any(chosen_lines(program, step) for stage in program.stages for step in stage.whole)
    return COMPILER if lines or any(one.fused for one in passes) or is_small_native(program, repeats) else 0


def kept_memory(program: Program, repeats: float = 0) -> int:
    """The most bytes that the native functions of a small program keep beside what NumPy would hold."""
    return min(MOST_KEPT, sum(node.nbytes for node in program.values)) if is_small_native(program, repeats) else 0


def is_small_native(program: Program, repeats: float) -> bool:
    """Whether a program is a small one that is computed natively if it will be run so often, as far as its caller can
    say: 0 where nobody knows of more than one time, and what takes much memory is left to NumPy.
    """
    engine = _computing()
    worth = engine == "native" or (engine == "auto" and program.calls * repeats >= WORTH_CALLS)
    # Parts of what is there are no work.
    little = program.direct and bool(program.stages[0].whole) and (repeats > 0 or program.memory(1) < SMALL)
    return little and worth and why_not() is None


def engine_in_use(tried: bool = False) -> str:
    """What computes here: "numpy", or "native" or "auto" with the compiler that they depend on.

    Loading it takes longer than many small requests: unless it is to be `tried`, it counts as there if it is installed.
    """
    engine = _computing()
    if engine == "numpy" or (tried and why_not() is not None):
        return "numpy"
    from gradcli.engine.native.processor import installed

    compiler = installed()
    return "numpy" if compiler is None else f"{engine} ({compiler})"


@contextmanager
def using(engine: str) -> Iterator[None]:
    """Within this block an engine computes of which `engine_in_use` has told, here or in another process."""
    token, settled = ENGINE.set(engine.split(" ")[0]), _SETTLED.set(True)
    try:
        yield
    finally:
        _SETTLED.reset(settled)
        ENGINE.reset(token)

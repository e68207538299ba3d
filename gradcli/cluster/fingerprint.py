"""What tells that two processes would do the same: a digest of a plan, and the versions of what computes it."""

from __future__ import annotations

import sys
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from gradcli.engine.plan.passes import Cut, Step, Sum
from gradcli.engine.plan.program import Program


def fingerprint(program: Program) -> str:
    """A digest of all that a plan says about its passes, and of the constants in it."""
    digest = sha256()

    def note(*things: Any) -> None:
        digest.update("|".join([_text(thing) for thing in things]).encode() + b"\n")

    for node in program.values:
        note(node.op.name, node.shape, node.dtype, node.params)
    for view in program.views:
        note("view", view.inputs, view.out)
    for stage in program.stages:
        for whole in stage.whole:
            note("whole", whole.inputs, whole.out)
        for one in stage.passes:
            note("pass", one.length, one.rows, one.cuts, one.shared, one.writes, one.buffers, one.transposed)
            for step in one.steps:
                note(*_step(step))
    note("roots", program.roots, program.shapes, sorted(program.parts), sorted(program.borrowed.items()))
    return digest.hexdigest()


def _step(step: Step | Sum | Cut) -> tuple[Any, ...]:
    if isinstance(step, Cut):
        return ("read", tuple(step))
    kernel = step.kernel if isinstance(step, Step) else step.accumulate.partial
    name = getattr(kernel, "__name__", type(kernel).__name__)
    node = step.node
    common = (node.op.name, name, node.shape, node.dtype, step.params, step.inputs)
    if isinstance(step, Sum):
        return ("sum", *common, step.value)
    return ("step", *common, step.kind, step.out, step.buffer, step.target, step.lent, step.tile)


def _text(thing: Any) -> str:
    """A thing in words that are the same in every process: nothing that has an address."""
    if isinstance(thing, np.dtype):
        # One dtype may be written in several ways.
        return thing.name
    if isinstance(thing, np.ndarray):
        return f"{thing.dtype}{thing.shape}{sha256(thing.tobytes()).hexdigest()}"
    if isinstance(thing, dict):
        return "{" + ",".join(f"{key}:{_text(value)}" for key, value in sorted(thing.items()) if key != "data") + "}"
    if isinstance(thing, list | tuple):
        return "(" + ",".join(map(_text, thing)) + ")"
    if thing is None or isinstance(thing, bool | int | float | str | np.generic | slice):
        return repr(thing)
    return type(thing).__name__


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """The versions that must be the same wherever a part is computed."""
    from gradcli import __version__

    python = ".".join(map(str, sys.version_info[:2]))
    return (("gradcli", __version__), ("NumPy", np.__version__), ("Python", python))


@cache
def processor() -> tuple[str, ...]:
    """What NumPy and its BLAS choose kernels by: other ones may round the last bit differently."""
    config: Any = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    machine = config.get("Machine Information", {}).get("host", {}).get("cpu", "")
    return (str(machine), *map(str, simd.get("found", ())))

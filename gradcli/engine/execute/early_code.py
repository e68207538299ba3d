"""Machine code of the next pass, made while this one runs: LLVM makes it on one core, and on that one only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from gradcli.engine.execute.run_pass import compile_pass
from gradcli.engine.execute.threads import beside
from gradcli.engine.native.choice import chosen
from gradcli.engine.plan.passes import Pass
from gradcli.engine.plan.program import Program


@contextmanager
def next_compiled(program: Program, one: Pass, threads: int) -> Iterator[None]:
    """Within this block, a thread of its own makes the code of the pass after this one."""
    following = program.following(one)
    if threads < 2 or following is None or id(following) in program.compiled:
        yield
        return
    ready = chosen(program, following)

    def make() -> None:
        # What goes wrong goes wrong again for whoever needs the code.
        with suppress(Exception):
            compile_pass(ready)
            program.compiled.add(id(following))

    with beside(make) if ready.fused else nullcontext():
        yield

"""Machine code of the next pass, made while a pass runs."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import early_code
from gradcli.engine.execute.early_code import next_compiled
from gradcli.engine.native import call
from gradcli.engine.native.processor import missing
from gradcli.engine.plan.passes import Pass
from gradcli.engine.plan.program import Program
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import InputSpec, prepare
from gradcli.language.parse import parse

pytestmark = pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")

SIZE = 4_000_000


def compiled() -> Compiled:
    """Three passes: each needs what the one before it has summed up."""
    gc.set_engine("native")
    source = parse("p = exp(x - max(x)); sum(sin(p/sum(p)))")
    return Compiled(prepare(source, [InputSpec("x", (SIZE,), np.dtype("float32"))], wrt=()))


@pytest.fixture
def program() -> Program:
    made = compiled().program
    assert len(made.passes) == 3
    return made


def test_the_next_pass_is_compiled_in_the_block(program: Program) -> None:
    first, second, _ = program.passes
    with next_compiled(program, first, 2):
        pass
    assert program.compiled == {id(second)}


def test_nothing_comes_after_the_last_one(program: Program) -> None:
    assert program.following(program.passes[-1]) is None
    with next_compiled(program, program.passes[-1], 2):
        pass
    assert not program.compiled


def test_one_thread_stays_one(program: Program) -> None:
    with next_compiled(program, program.passes[0], 1):
        pass
    assert not program.compiled


def test_what_goes_wrong_is_left_to_whoever_needs_it(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(one: Pass) -> None:
        raise MemoryError

    monkeypatch.setattr(early_code, "compile_pass", fails)
    with next_compiled(program, program.passes[0], 2):
        pass
    assert not program.compiled


def test_a_run_makes_each_function_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []
    object_code = call.object_code

    def counted(text: str) -> bytes:
        made.append((text, threading.get_ident()))
        return object_code(text)

    monkeypatch.setattr(call, "read_cached", lambda name, longest: None)
    monkeypatch.setattr(call, "object_code", counted)
    call.loaded.cache_clear()
    gc.set_num_threads(2)
    kept = compiled()
    x = np.linspace(0, 1, SIZE, dtype="float32")
    for _ in range(2):
        kept.run({"x": x})
    texts, threads = zip(*made, strict=True)
    assert len(set(texts)) == len(texts) == 3
    assert threads[0] == threading.get_ident() and threads[0] not in threads[1:]

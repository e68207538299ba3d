"""A plan for people and for programs: its passes over the data, their steps, what they read, write and hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.engine.execute.bounds import memory_of
from gradcli.engine.native.choice import chosen, chosen_lines, is_small_native
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.passes import Cut, Pass, Step, Sum, has_native_kernel
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, SeveralResults
from gradcli.machine.limits import show_bytes

if TYPE_CHECKING:
    from gradcli.engine.native.whole import NativePart


class Labels(NamedTuple):
    """Names for the arrays of a program: inputs by name, results as `value` and `x.grad`, the rest by number."""

    program: Program
    names: dict[int, str]

    def of(self, number: int) -> str:
        """The name of a kept array."""
        if number in self.names:
            return self.names[number]
        node = self.program.values[number]
        return _constant(node) if node.op is CONSTANT else f"t{number}"

    def inside(self, one: Pass, slot: int) -> str:
        """The name of a value in a block."""
        for cut in one.cuts:
            if cut.slot == slot and cut.buffer < 0:
                return self.of(cut.value) + ("" if one.slots[slot][0].op is CONSTANT else "[i:j]")
        for shared, number in one.shared:
            if shared == slot:
                return self.of(number)
        for write in one.writes:
            if write.slot == slot:
                return f"{self.of(write.value)}[i:j]"
        return f"b{slot}"


def labels(program: Program, roots: list[str]) -> Labels:
    """Names for a program whose roots are called `roots`."""
    names: dict[int, str] = {}
    for number, leaf in enumerate(program.leaves):
        if leaf.op is INPUT:
            names[number] = leaf.params.get("name") or "grad-output"
    for number, name in zip(program.roots, roots, strict=True):
        names[number] = f"{names[number]} = {name}" if number in names else name
    return Labels(program, names)


def plan_text(program: Program, roots: list[str], threads: int, streamed: frozenset[int] = frozenset()) -> str:
    """The plan, a line a step."""
    named = labels(program, roots)
    lines = []
    parts = native_parts(program)
    native = native_steps(program, parts)
    if parts:
        several = f"{len(parts)} native functions" if len(parts) > 1 else "one native function"
        lines.append(f"little to compute: {several}" + ("" if len(native) == _steps(program) else ", and NumPy"))
    elif program.direct:
        lines.append("little to compute: one operation after the other, no blocks")
    number = 0
    lines += [_whole_line(named, view, False, "part") for view in program.views]
    for stage in program.stages:
        for step in stage.whole:
            lines.append(_whole_line(named, step, step.out in native))
        for one in stage.passes:
            number += 1
            lines += _pass_lines(named, chosen(program, one), number)
    for number, lender in program.borrowed.items():
        lines.append(f"{named.of(number)} is kept where {named.of(lender)} is written later")
    for number, around in program.surrounded.items():
        names = [named.of(out) for out in around.shown]
        views = f"{names[0]} is a view of it" if len(names) == 1 else f"{', '.join(names)} are views of it"
        lines.append(f"{named.of(number)} is made among zeros: {views}")
    passes = program.passes
    read = sum(one.read for one in passes)
    written = sum(one.written for one in passes)
    memory = memory_of(program, threads, streamed)
    held = f"{show_bytes(memory.held)} held at the peak"
    if memory.compiler:
        held += f", {show_bytes(memory.compiler)} more by the compiler"
    lines.append(f"in all: {show_bytes(read)} read, {show_bytes(written)} written, {held}")
    return "\n".join(lines)


def _pass_lines(named: Labels, one: Pass, number: int) -> list[str]:
    layout = ", rows innermost" if one.transposed else ", native" if one.fused else ""
    head = (
        f"pass {number}: {one.length:,} rows in {one.blocks:,} blocks of {one.rows:,}{layout}; "
        f"reads {show_bytes(one.read)}, writes {show_bytes(one.written)}, "
        f"scratch {show_bytes(one.thread_bytes)} a thread"
    )
    lines = [head]
    for step in one.steps:
        if isinstance(step, NativeStep):
            lines += ["  " + _step_line(named, one, covered, step) for covered in step.covers]
        else:
            lines.append("  " + _step_line(named, one, step))
    return lines + [f"  {result} = {piece}  (written)" for result, piece in _written(named, one)]


def _written(named: Labels, one: Pass) -> list[tuple[str, str]]:
    """Results that a block copies its pieces to, with these."""
    inside = {slot for step in one.steps if isinstance(step, NativeStep) for slot in step.outs}
    copied = [write for write in one.writes if write.copied and write.slot not in inside]
    return [(f"{named.of(write.value)}[i:j]", f"b{write.slot}") for write in copied]


def _step_line(named: Labels, one: Pass, step: Step | Sum | Cut, native: NativeStep | None = None) -> str:
    if isinstance(step, Cut):
        return f"b{step.slot} = {named.of(step.value)}[i:j]  (read into buffer {step.buffer})"
    inputs = ", ".join(named.inside(one, slot) for slot in step.inputs)
    name = step.node.op.plain_name
    if isinstance(step, Sum):
        by_code = native is not None or has_native_kernel(step)
        fused = " of products" if step.params.get("fused") else ", native" if by_code else ""
        return f"{named.of(step.value)} += {name}({inputs})  (partial results{fused}, combined in order)"
    if native is not None:
        return f"{named.inside(one, step.out)} = {name}({inputs})  (native)"
    place = place_of(step, f"{named.of(step.lent)}[i:j]" if step.lent >= 0 else "")
    tiles = f", {step.tile} rows side by side" if step.tile else ""
    if step.node.op is RESULT:
        return f"{_result(named, one, step)} = {inputs}.{_field(step.node)}  ({place})"
    return f"{_result(named, one, step)} = {name}({inputs})  ({_kernel_of(step)}, {place}{tiles})"


def place_of(step: Step, lender: str) -> str:
    """Where the result of a step in a block lies; `lender` is the result whose memory it may have."""
    if step.target >= 0:
        return "in place"
    if step.lent >= 0:
        return f"within {lender}"
    if step.buffer >= 0:
        return f"buffer {step.buffer}"
    return "a view" if step.node.op.blocking.view else "an array of its own"


def _field(node: Node) -> str:
    """The name of one of several results."""
    name: str = node.inputs[0].op.name_of_result(node.params["index"])
    return name


def _result(named: Labels, one: Pass, step: Step) -> str:
    return f"{named.of(step.target)}[i:j]" if step.target >= 0 else f"b{step.out}"


def _name(node: Node) -> str:
    return _field(node) if node.op is RESULT else node.op.name


def _steps(program: Program) -> int:
    return sum(len(stage.whole) for stage in program.stages)


def native_parts(program: Program) -> list[NativePart]:
    """The functions of a small program, where it is asked for by the native engine."""
    if not is_small_native(program, 0):
        return []
    from gradcli.engine.native.whole import functions_of

    return functions_of(program)


def native_steps(program: Program, parts: list[NativePart]) -> set[int]:
    """The whole operations, by the numbers of their results, that are native: those of parts, and sums of lines."""
    lines = {step.out for stage in program.stages for step in stage.whole if chosen_lines(program, step) is not None}
    return lines.union(step.out for part in parts for step in part.covers)


def _whole_line(named: Labels, step: WholeStep, native: bool, how: str = "whole") -> str:
    inputs = ", ".join(named.of(number) for number in step.inputs)
    node = step.node
    made = f"{inputs}.{_field(node)}" if node.op is RESULT else f"{node.op.plain_name}({inputs})"
    forms = node.wanted if isinstance(node, SeveralResults) else ((node.shape, node.dtype),)
    shown = ", ".join(f"{dtype} {'x'.join(map(str, shape)) or '0-dim'}" for shape, dtype in forms)
    more = ", native" if native else ""
    if node.op.repeated is not None:
        iterations, operations, kept = node.op.repeated(node)
        more = f"; {iterations:,} iterations of {operations:,} operations, {show_bytes(kept)} kept of each"
    return f"{how}: {named.of(step.out)} = {made}  ({shown}{more})"


def kernel_name(node: Node) -> str:
    """What computes a node."""
    kernel: Any = node.op.kernel
    name = getattr(kernel, "__name__", "kernel")
    return f"numpy.{name}" if type(kernel).__name__ == "ufunc" else f"{node.op.plain_name} kernel"


def _kernel_of(step: Step | Sum) -> str:
    return "native" if has_native_kernel(step) else kernel_name(step.node)


def _constant(node: Node) -> str:
    value = node.params["value"]
    return f"{value.reshape(()).item():.6g}" if value.size == 1 else f"constant{list(value.shape)}"


def plan_json(program: Program, roots: list[str], threads: int, streamed: frozenset[int] = frozenset()) -> Any:
    """The plan as dicts and lists, for `gradcli.render.json.to_json`."""
    named = labels(program, roots)
    native = native_steps(program, native_parts(program))
    stages = []
    for stage in program.stages:
        whole = [_whole_json(named, step, step.out in native) for step in stage.whole]
        stages.append({"whole": whole, "passes": [_pass_json(named, chosen(program, one)) for one in stage.passes]})
    return {
        "parts": [_whole_json(named, view, False) for view in program.views],
        "stages": stages,
        "threads": threads,
        **memory_of(program, threads, streamed)._asdict(),
        "read": sum(one.read for one in program.passes),
        "written": sum(one.written for one in program.passes),
    }


def _whole_json(named: Labels, step: WholeStep, native: bool) -> dict[str, Any]:
    node = step.node
    repeated = {} if node.op.repeated is None else {"repeated": node.op.repeated(node)._asdict()}
    return {
        "op": _name(node),
        "inputs": [named.of(k) for k in step.inputs],
        "out": named.of(step.out),
        "shape": list(node.shape),
        "dtype": str(node.dtype),
        "kernel": "native" if native else kernel_name(node),
        **repeated,
    }


def _pass_json(named: Labels, one: Pass) -> dict[str, Any]:
    steps = []
    native = {id(covered) for step in one.steps if isinstance(step, NativeStep) for covered in step.covers}
    covered = [s for step in one.steps for s in (step.covers if isinstance(step, NativeStep) else (step,))]
    for step in covered:
        row: dict[str, Any] = {}
        if isinstance(step, Cut):
            row = {"read": named.of(step.value), "out": f"b{step.slot}", "buffer": step.buffer}
        else:
            row = {"op": _name(step.node), "inputs": [named.inside(one, k) for k in step.inputs]}
            row["kernel"] = "native" if id(step) in native else _kernel_of(step)
            if isinstance(step, Sum):
                row |= {"out": named.of(step.value), "accumulates": True}
            else:
                row |= {
                    "out": _result(named, one, step),
                    "buffer": step.buffer if step.buffer >= 0 and id(step) not in native else None,
                    "within": f"{named.of(step.lent)}[i:j]" if step.lent >= 0 and id(step) not in native else None,
                }
        steps.append(row)
    steps += [{"written": piece, "out": result} for result, piece in _written(named, one)]
    return {
        "rows": one.length,
        "block_rows": one.rows,
        "blocks": one.blocks,
        "read": one.read,
        "written": one.written,
        "scratch": one.thread_bytes,
        "steps": steps,
    }


def native_code(program: Program) -> list[str]:
    """The modules of native operations and passes, in order, or those of a small program."""
    if parts := native_parts(program):
        return [part.text for part in parts]
    from gradcli.engine.native.native_kernels import window_code

    found = []
    for stage in program.stages:
        lines = [chosen_lines(program, step) for step in stage.whole]
        found += [added.text for added in lines if added is not None]
        for one in [chosen(program, one) for one in stage.passes]:
            found += [step.text for step in one.steps if isinstance(step, NativeStep)] + window_code(one)
    return found

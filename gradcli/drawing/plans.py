"""Pictures of a plan: the passes over the data as frames, their steps as boxes."""

from __future__ import annotations

from gradcli.drawing.describe import arrow, details, is_inlined, ports, title
from gradcli.drawing.drawing import Drawing, Vertex, short_form
from gradcli.drawing.graphs import add_output, kind_of
from gradcli.engine.plan.passes import Cut, Pass, Step, Sum
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.engine.plan_report import kernel_name, place_of
from gradcli.graph.node import RESULT, Node
from gradcli.machine.limits import show_bytes


def plan_drawing(program: Program, roots: list[str]) -> Drawing:
    """The program whose roots are called `roots`, from its arrays to its results."""
    sketch = _Sketch(program)
    for number, leaf in enumerate(program.leaves):
        sketch.leaf(number, leaf)
    for view in program.views:
        sketch.whole(view)
    for stage in program.stages:
        for whole in stage.whole:
            sketch.whole(whole)
        for one in stage.passes:
            sketch.one_pass(one)
    for number, name in zip(program.roots, roots, strict=True):
        add_output(sketch.drawing, sketch.arrays[number], program.values[number], name)
    return _touched(sketch.drawing)


class _Sketch:
    """A drawing in the making: which vertex each kept array comes from."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.drawing = Drawing("plan", [], [], [])
        self.arrays: dict[int, int] = {}

    def leaf(self, number: int, leaf: Node) -> None:
        form = short_form(leaf.dtype, leaf.shape)
        shown = Vertex(kind_of(leaf), title(leaf), (form,), shape=leaf.shape, dtype=str(leaf.dtype))
        self.arrays[number] = self._add(shown)

    def whole(self, step: WholeStep) -> None:
        if step.node.op is RESULT:
            self.arrays[step.out] = self.arrays[step.inputs[0]]
            return
        lines = (*details(step.node), kernel_name(step.node))
        vertex = self._step(step.node, lines, None)
        for operand, number in enumerate(step.inputs):
            child = self.program.values[number]
            if is_inlined(child):
                continue
            self.drawing.edges.append(arrow(self.arrays[number], vertex, child, operand))
        self.arrays[step.out] = vertex

    def one_pass(self, one: Pass) -> None:
        group = len(self.drawing.groups)
        written = one.written
        self.drawing.groups.append(
            f"pass {group + 1}: {one.length:,} rows in {one.blocks:,} blocks of {one.rows:,}\n"
            f"reads {show_bytes(one.read)}, writes {show_bytes(written) if written else 'no array'}"
        )
        slots = {cut.slot: self.arrays[cut.value] for cut in one.cuts}
        slots.update({slot: self.arrays[number] for slot, number in one.shared})
        for step in one.steps:
            if isinstance(step, Cut):
                slots[step.slot] = self.arrays[step.value]
            elif step.node.op is RESULT:
                assert isinstance(step, Step)
                slots[step.out] = slots[step.inputs[0]]
            elif isinstance(step, Sum):
                vertex = self._step(step.node, (*details(step.node), "partial results, combined in order"), group)
                self._operands(one, slots, step, vertex)
                self.arrays[step.value] = vertex
            else:
                how = f"{kernel_name(step.node)}, {place_of(step, 'a result')}"
                vertex = self._step(step.node, (*details(step.node), how), group)
                self._operands(one, slots, step, vertex)
                slots[step.out] = vertex
                if step.target >= 0:
                    self.arrays[step.target] = vertex
        for write in one.writes:
            self.arrays[write.value] = slots[write.slot]

    def _operands(self, one: Pass, slots: dict[int, int], step: Step | Sum, vertex: int) -> None:
        for operand, slot in enumerate(step.inputs):
            node, axis = one.slots[slot]
            if is_inlined(node):
                continue
            shape: tuple[int | str, ...] = node.shape
            if axis >= 0:
                shape = (*shape[:axis], "i:j", *shape[axis + 1 :])
            self.drawing.edges.append(arrow(slots[slot], vertex, node, operand, shape))

    def _step(self, node: Node, lines: tuple[str, ...], group: int | None) -> int:
        family, dtype = node.op.family, str(node.dtype)
        return self._add(Vertex("op", node.op.plain_name, lines, ports(node), family, "", node.shape, dtype, group))

    def _add(self, vertex: Vertex) -> int:
        self.drawing.vertices.append(vertex)
        return len(self.drawing.vertices) - 1


def _touched(drawing: Drawing) -> Drawing:
    """The drawing without vertices that no arrow touches, such as numbers that went into kernels as they are."""
    kept = sorted({end for edge in drawing.edges for end in (edge.source, edge.target)})
    new = {old: k for k, old in enumerate(kept)}
    edges = [e._replace(source=new[e.source], target=new[e.target]) for e in drawing.edges]
    return Drawing(drawing.what, [drawing.vertices[k] for k in kept], edges, drawing.groups)

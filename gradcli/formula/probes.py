"""Data to check a formula with: random numbers of several ranges, and the points at which formulas tend to break.

Those are 0, 1, -1 and the numbers of the expression, one of these among other numbers, elements equal to those of
another input, and the points where a part of the expression vanishes, or two that it compares are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from gradcli.autodiff.vjp import gradients_of
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.formula.lengths import Lengths
from gradcli.graph.node import INPUT, Node, constant, input_node, toposort
from gradcli.language.instructions import Script
from gradcli.ops.elementwise import zero_vjp

Data = dict[str, np.ndarray]

# Of two lengths, each is once the longer one: X.T@X is singular where X has more columns than rows.
LENGTHS = ((2, 3, 4, 5, 6, 7), (7, 6, 5, 4, 3, 2))
# Where dimensions may be taken for broadcast ones, and where there is nothing.
SMALLEST = (1, 0)
# Where elements are drawn from; the last two hold square matrices that are positive definite.
_DRAWS = ((0.1, 0.9, False), (-2.0, 2.0, False), (0.1, 0.9, True), (1.2, 3.0, True))
_SPECIAL = (0.0, 1.0, -1.0)
# More elements than this are not worth a check, more parts of an expression than this not worth a search for roots.
_MOST = 200_000
_MOST_PARTS = 12
# Expressions of more operations are not searched at all: each root takes many evaluations.
_MOST_NODES = 200
# More numbers of an expression, and those further out, are not tried.
_MOST_NUMBERS = 4
_FAR = 1e6
_STEPS = 25


def sample(lengths: Lengths, sizes: tuple[int, ...]) -> dict[str, int]:
    """Lengths for the words that stand for unknown ones."""
    return {word: sizes[k % len(sizes)] for k, word in enumerate(lengths.unknown())}


def random(lengths: Lengths, known: dict[str, int], seed: int) -> Iterator[Data]:
    """Inputs from several ranges."""
    rng = np.random.default_rng(seed)
    shapes = _shapes(lengths, known)
    if shapes is None:
        return
    for low, high, definite in _DRAWS:
        yield {g.name: _drawn(rng, g.dtype, shapes[g.name], low, high, definite) for g in lengths.givens}


def special(script: Script, lengths: Lengths, known: dict[str, int], wrt: str) -> Iterator[Data]:
    """Inputs at which quotients, powers and logarithms break, one input at a time and all at once."""
    rng = np.random.default_rng(5)
    shapes = _shapes(lengths, known)
    if shapes is None:
        return
    base = {g.name: _drawn(rng, g.dtype, shapes[g.name], 0.1, 0.9, False) for g in lengths.givens}
    floating = [g.name for g in lengths.givens if g.dtype.kind == "f"]
    numbers = _numbers(script)
    for number in _SPECIAL:
        for name in sorted(floating, key=lambda n: n != wrt)[:4]:
            yield {**base, name: np.full_like(base[name], number)}
    for number in numbers:
        yield {**base, wrt: np.full_like(base[wrt], number)}
    if len(floating) > 1:
        for number in (1.0, 0.0):
            yield {**base, **{name: np.full_like(base[name], number) for name in floating}}
    for name in floating[:4]:
        yield from ({**base, name: one} for one in _with_one(base[name], 0.0))
    others = [base[n].flat[0] for n in floating if n != wrt and base[n].size]
    parts = _parts(script, base, wrt)
    for start in (base, {**base, wrt: base[wrt] * -3}):
        for number in (1.0, -1.0, *numbers, *others):
            yield from ({**start, wrt: one} for one in _with_one(start[wrt], number))
        if parts is not None:
            yield from _roots(parts, start, wrt)


def _numbers(script: Script) -> list[float]:
    """The first few numbers of an expression, which may be where it bends."""
    codes = [step.arg for statement in script.statements for step in statement.code if step.op == "number"]
    return [n for n in dict.fromkeys(map(float, codes)) if n not in _SPECIAL and abs(n) < _FAR][:_MOST_NUMBERS]


def _with_one(array: np.ndarray, number: float) -> Iterator[np.ndarray]:
    """A number as the first of several elements, the others as they are."""
    if array.size > 1:
        single = array.copy()
        single.flat[0] = number
        yield single


def _shapes(lengths: Lengths, known: dict[str, int]) -> dict[str, tuple[int, ...]] | None:
    shapes = {g.name: tuple([known[n] if isinstance(n, str) else n for n in lengths.shape(g)]) for g in lengths.givens}
    return None if any(int(np.prod(shape, dtype=object)) > _MOST for shape in shapes.values()) else shapes


def _drawn(
    rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...], low: float, high: float, definite: bool
) -> np.ndarray:
    if dtype.kind != "f":
        return rng.integers(0, 2, shape).astype(dtype)
    # A formula is about numbers: in the inputs' own dtypes both sides would be rounded, in ways of their own.
    array = rng.uniform(low, high, shape)
    if definite and len(shape) > 1 and shape[-1] == shape[-2]:
        array = array @ np.swapaxes(array, -1, -2) + shape[-1] * np.eye(shape[-1])
    return array


def give(leaves: Mapping[str, Node], data: Data) -> None:
    """Let a graph that is built once be computed for these inputs from here on: their shapes decide what is in it."""
    for name, leaf in leaves.items():
        leaf.params["data"] = data[name]


class _Parts(NamedTuple):
    """What depends on an input: the operations, so many, and then the differences of what they compare."""

    nodes: list[Node]
    operations: int
    leaves: dict[str, Node]


def _parts(script: Script, data: Data, wrt: str) -> _Parts | None:
    """The parts of an expression, if it can be built and is short enough to be searched."""
    leaves = {name: input_node(array, requires_grad=name == wrt) for name, array in data.items()}
    try:
        value = Interpreter(script.source, leaves).run(script)
        nodes = [n for n in toposort([value]) if n.requires_grad and n.inputs]
        parts = [*nodes, *[n.inputs[0] - n.inputs[1] for n in nodes if _compares(n)]]
    except GradcliError:
        return None
    return _Parts(parts, len(nodes), leaves) if len(parts) <= _MOST_NODES else None


def _roots(parts: _Parts, data: Data, wrt: str) -> Iterator[Data]:
    """Points near to these where a part of the expression is 0."""
    found: set[bytes] = set()
    x = parts.leaves[wrt]
    wanted = [k for k, node in enumerate(parts.nodes) if node.is_floating and _may_vanish(node, x)]
    for serial in wanted[:_MOST_PARTS]:
        root = _root(parts, data, wrt, serial)
        if root is not None and root.tobytes() not in found:
            found.add(root.tobytes())
            yield {**data, wrt: root}


def _compares(node: Node) -> bool:
    """Whether an operation may choose between two operands, at least one of them computed.

    Then it, or its slope, has a step.
    """
    op = node.op
    computed = any(n.inputs and n.requires_grad for n in node.inputs)
    if op.family != "elementwise" or len(node.inputs) != 2 or not computed:
        return False
    operands = [n if n.weak else Node(INPUT, (), {}, (), n.dtype, True) for n in node.inputs]
    result = Node(op, (), {}, (), node.dtype, False)
    rule = op.textbook or op.vjp
    slopes = rule(constant(1.0, node.dtype), result, *operands, **node.params) if rule is not None else ()
    parts = toposort([result, *[slope for slope in slopes if slope is not None]])
    return any(part.op.indicator or part.op.vjp is zero_vjp for part in parts)


def _may_vanish(node: Node, x: Node) -> bool:
    """Sums element by element, and numbers made of all elements: other functions vanish where those do, or at 0."""
    is_sum = node.op.signs is not None and len(node.inputs) > 1
    return (is_sum and node.shape == x.shape) or (node.size == 1 and x.size > 1)


def _root(parts: _Parts, data: Data, wrt: str, serial: int) -> np.ndarray | None:
    """Where one part vanishes, by Newton's method: element by element, or along the gradient of a number."""
    at, operations = data[wrt], parts.operations
    part, x = parts.nodes[serial], parts.leaves[wrt]
    slope = gradients_of(part, [x]).get(x)
    if slope is None:
        return None
    for _ in range(_STEPS):
        give(parts.leaves, {**data, wrt: at})
        try:
            value, slopes = execute([part, slope])
        except GradcliError:
            return None
        if not value.any():
            return _rounded(at) if serial < operations else at
        with np.errstate(all="ignore"):
            if part.shape != x.shape:
                value, slopes = value.reshape(()), (slopes**2).sum() / slopes
            moved = at - np.where((value == 0) | (slopes == 0), 0, value / slopes).astype(at.dtype)
        if not np.isfinite(moved).all():
            return None
        if np.allclose(moved, at, rtol=1e-14, atol=1e-15) and (serial < operations or np.array_equal(moved, at)):
            # Of two that are nearly equal, either may be taken.
            return _rounded(moved) if serial < operations else None
        if serial >= operations:
            moved = _rounded(moved)
        at = moved
    return None


def _rounded(root: np.ndarray) -> np.ndarray:
    """The short number next to a root, if that is what is meant."""
    # Far out there is none, and rounding overflows.
    with np.errstate(all="ignore"):
        short = np.round(root, 6)
    return short if np.allclose(short, root, rtol=1e-9, atol=1e-9) else root

"""Einstein summation: operands aligned by their letters, then contracted pair by pair through batched products."""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError, SizeError, counted, quoted
from gradcli.graph.arguments import as_node
from gradcli.graph.infer import in_one_dtype
from gradcli.graph.node import Node, make
from gradcli.ops.diagonal import diagonal_of
from gradcli.ops.elementwise import mul
from gradcli.ops.family import composite
from gradcli.ops.matmul import bmm
from gradcli.ops.reduce import count, sum_
from gradcli.ops.shape import movedim, permuted, reshape, unsqueeze, view

_ELLIPSIS = "..."
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


# The equation ---------------------------------------------------------------------------------------------------------


def _refused(message: str, hint: str | None = None) -> GradcliError:
    return GradcliError(f"einsum(): {message}", hint=hint, argument="equation")


def _misfit(template: str, *sizes: object, hint: str | None = None) -> SizeError:
    return SizeError(f"einsum(): {template}", *sizes, hint=hint, argument="equation")


def _labels(text: str) -> list[str]:
    """The letters of one operand or of the output, and an ellipsis as one item."""
    text = text.replace(" ", "")
    before, found, after = text.partition(_ELLIPSIS)
    for letter in before + after:
        if letter not in _LETTERS:
            what = "more than one ellipsis, or an incomplete one," if letter == "." else repr(letter)
            raise _refused(f"{what} in {quoted(text)}", "a dimension is named by a letter, several by ...")
    return [*before, *([_ELLIPSIS] if found else []), *after]


def _parse(equation: Any, operands: int) -> tuple[list[list[str]], list[str] | None]:
    """The labels of each operand, and those of the output if it is written out."""
    if not isinstance(equation, str):
        raise _refused("the equation comes first, as a string", "for example, einsum('ij,jk->ik', x, y)")
    left, arrow, right = equation.partition("->")
    inputs = [_labels(part) for part in left.split(",")]
    if len(inputs) != operands:
        named = counted(len(inputs), "tensor")
        raise _refused(f"the equation {quoted(equation)} is for {named}, got {counted(operands, 'tensor')}")
    output = _labels(right) if arrow else None
    known = {label for labels in inputs for label in labels}
    for label in output or ():
        assert output is not None
        if output.count(label) > 1:
            raise _refused(f"{label!r} appears more than once in the output {quoted(right.strip())}")
        if label not in known and label != _ELLIPSIS:
            raise _refused(f"{label!r} in the output is not in any operand")
    return inputs, output


def _expand_ellipses(inputs: list[list[str]], nodes: list[Node]) -> tuple[list[list[str]], list[str]]:
    """Name the dimensions that each ellipsis stands for, aligned at the right; the names of the longest come along."""
    hidden = []
    for k, (labels, node) in enumerate(zip(inputs, nodes, strict=True)):
        named = len(labels) - (_ELLIPSIS in labels)
        if named > node.ndim or (named < node.ndim and _ELLIPSIS not in labels):
            template, many = "{} names {} dimension{}, operand {} has {} (shape {})", "s" if named != 1 else ""
            hint = "an ellipsis stands for dimensions without a name" if named < node.ndim else None
            raise _misfit(template, quoted("".join(labels)), named, many, k + 1, node.ndim, node.shape, hint=hint)
        hidden.append(node.ndim - named)
    longest = max((h for h, labels in zip(hidden, inputs, strict=True) if _ELLIPSIS in labels), default=0)
    names = [f"{_ELLIPSIS}{k}" for k in range(longest)]
    expanded = []
    for labels, unnamed in zip(inputs, hidden, strict=True):
        own = names[longest - unnamed :]
        expanded.append([name for label in labels for name in (own if label == _ELLIPSIS else [label])])
    return expanded, names


def _order(inputs: list[list[str]], output: list[str] | None, ellipsis: list[str]) -> tuple[list[str], int]:
    """All labels in the order of the aligned operands, those of the output first, and how many those are."""
    letters = [label for labels in inputs for label in labels if label in _LETTERS]
    if output is None:
        output = [_ELLIPSIS, *sorted(label for label in set(letters) if letters.count(label) == 1)]
    kept = [name for label in output for name in (ellipsis if label == _ELLIPSIS else [label])]
    summed = [] if _ELLIPSIS in output else list(ellipsis)
    return [*kept, *summed, *sorted(set(letters) - set(kept))], len(kept)


# Alignment ------------------------------------------------------------------------------------------------------------


def _check_sizes(inputs: list[list[str]], nodes: list[Node]) -> None:
    """A letter has one size everywhere, or 1, which stretches; repeated in one operand it has exactly one."""
    seen: dict[str, tuple[int, int]] = {}
    for k, (labels, node) in enumerate(zip(inputs, nodes, strict=True)):
        own: dict[str, int] = {}
        for label, size in zip(labels, node.shape, strict=True):
            shown = f"{label!r}" if label in _LETTERS else "a dimension in the ellipsis"
            if own.setdefault(label, size) != size:
                raise _misfit("{} has the sizes {} and {} in operand {}", shown, own[label], size, k + 1)
            before, at = seen.get(label, (1, 0))
            if size != 1 and before not in (1, size):
                raise _misfit("{} has size {} in operand {} and {} in operand {}", shown, before, at + 1, size, k + 1)
            if before == 1:
                seen[label] = size, k


def _align(x: Node, labels: list[str], order: list[str]) -> Node:
    """`x` with the dimensions of `order`: repeated letters to their diagonal, missing ones as dimensions of 1."""
    places: dict[str, int] = {}
    for label in labels:
        if label in places:
            x = movedim(diagonal_of(x, 0, places[label], len(places)), -1, places[label])
        else:
            places[label] = len(places)
    for label in order:
        if label not in places:
            x = unsqueeze(x, len(places))
            places[label] = len(places)
    return permuted(x, [places[label] for label in order])


# Contraction ----------------------------------------------------------------------------------------------------------


def _pair(a: Node, b: Node, summed: list[int]) -> Node:
    """The sum of `a * b` over `summed`, kept as dimensions of 1, as one batched matrix product."""
    if not summed:
        return mul(a, b)
    free = [d for d in range(a.ndim) if d not in summed]
    both = [d for d in free if a.shape[d] != 1 and b.shape[d] != 1]
    left = [d for d in free if d not in both and a.shape[d] != 1]
    right = [d for d in free if d not in both and d not in left]
    if left and right and right[-1] < left[0]:
        # The product then has its dimensions in the order of the output.
        a, b, left, right = b, a, right, left
    batch, rows, length, columns = count(a, both), count(a, left), count(a, summed), count(b, right)
    matrices_a = reshape(permuted(a, [*both, *left, *summed, *right]), (batch, rows, length))
    matrices_b = reshape(permuted(b, [*both, *summed, *right, *left]), (batch, length, columns))
    order = [*both, *left, *summed, *right]
    lengths = [1 if d in summed else b.shape[d] if d in right else a.shape[d] for d in order]
    product = make(view, (bmm(matrices_a, matrices_b),), {"shape": tuple(lengths)})
    return permuted(product, sorted(range(len(order)), key=lambda k: order[k]))


def _contract(nodes: list[Node], kept: int) -> Node:
    """The aligned operands from left to right; a dimension is summed as soon as no later operand needs it."""
    waiting = {d: sum(n.shape[d] != 1 for n in nodes) for d in range(kept, nodes[0].ndim)}
    result = nodes[0]
    for other in nodes[1:]:
        both = [d for d in waiting if result.shape[d] != 1 and other.shape[d] != 1]
        waiting |= {d: waiting[d] - 1 for d in both}
        last = [d for d in waiting if waiting[d] == 1]
        summed = [d for d in last if d in both]
        alone = [d for d in last if d not in both and result.shape[d] != 1]
        alone_other = [d for d in last if d not in both and other.shape[d] != 1]
        waiting |= dict.fromkeys((*summed, *alone, *alone_other), 0)
        result = sum_(result, alone, True) if alone else result
        other = sum_(other, alone_other, True) if alone_other else other
        result = _pair(result, other, summed)
    if kept == result.ndim:
        return result
    if len(nodes) > 1:
        return make(view, (result,), {"shape": result.shape[:kept]})
    return sum_(result, list(range(kept, result.ndim)))


def _einsum(equation: Any, operands: Any) -> Node:
    if not operands:
        raise _refused("there is no operand", "for example, einsum('ij,jk->ik', x, y)")
    nodes = [as_node(value) for value in operands]
    inputs, output = _parse(equation, len(nodes))
    inputs, ellipsis = _expand_ellipses(inputs, nodes)
    _check_sizes(inputs, nodes)
    order, kept = _order(inputs, output, ellipsis)
    pairs = zip(in_one_dtype(*nodes), inputs, strict=True)
    return _contract([_align(n, labels, order) for n, labels in pairs], kept)


einsum = composite(
    "einsum",
    _einsum,
    args="equation, *operands",
    family="contraction",
    doc="Sums of products over the dimensions named by letters, as in 'ij,jk->ik'; ... stands for any dimensions.",
    example=("einsum('ij,jk->ik', a, b)", "a:2 b:2"),
    numpy="einsum",
)

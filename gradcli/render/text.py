"""Text for people: arrays printed as PyTorch prints tensors, and the chain of backward functions as a tree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

import numpy as np

_PREFIX = "tensor("
# The dtypes that PyTorch takes for granted where there are elements to tell them from.
_UNNAMED_DTYPES = ("float32", "int64", "bool")
# What PyTorch prints before a dtype and gradcli does not.
_TORCH = "torch."

# Limits of the tree: columns that may be indented (60 levels), and lines.
_MAX_INDENT = 180
_MAX_LINES = 200


class Style(NamedTuple):
    """How arrays are printed; the defaults are those of `torch.set_printoptions`."""

    precision: int = 4
    threshold: int = 1000
    edgeitems: int = 3
    linewidth: int = 80


class GraphNode(Hashable, Protocol):
    """A backward function: its name and, for every operand, the function behind it (None where nothing is tracked).

    Nodes that are equal are one node of the graph. An `AccumulateGrad` may have a `label`, the name of its input.
    """

    def name(self) -> str: ...

    @property
    def next_functions(self) -> tuple[tuple[GraphNode | None, int], ...]: ...


Label = Callable[[GraphNode], str | None]
_Children = dict[GraphNode, list[GraphNode]]


def input_label(node: GraphNode) -> str | None:
    """The name of the input that an `AccumulateGrad` node belongs to, where it has one."""
    return getattr(node, "label", None)


# Tensors --------------------------------------------------------------------------------------------------------------


def format_tensor(
    array: Any, *, grad_fn: str | None = None, requires_grad: bool = False, style: Style | None = None
) -> str:
    """The array as PyTorch 2.13 prints a tensor, with `dtype=float64` in place of `dtype=torch.float64`.

    `array` has a boolean, integer or floating-point dtype and any shape; it needs only `shape`, `dtype` and basic
    slicing. Of more than `style.threshold` elements only those that are shown are read. Raises no errors of its own.

    >>> print(format_tensor(np.array([[1, 2.5], [30, 4]], np.float32), requires_grad=True))
    tensor([[ 1.0000,  2.5000],
            [30.0000,  4.0000]], requires_grad=True)
    """
    style = Style() if style is None else style
    shape = tuple(array.shape)
    size = math.prod(shape)
    dtype = np.dtype(array.dtype).name
    summarized = bool(shape) and size > style.threshold
    suffixes = []
    if size == 0 or (summarized and style.edgeitems == 0):
        body = "[]" if size == 0 else "[...]"
    else:
        shown = _edges(array, shape, style.edgeitems) if summarized else np.asarray(array[...])
        words, width = _format_elements(shown.reshape(-1).tolist(), shown.dtype.kind, style.precision)
        body = _nest(words, width, shape, shown.shape, style)
    if (size and style.edgeitems == 0) or (size == 0 and len(shape) != 1):
        suffixes.append(f"size={shape}")
    if dtype not in _UNNAMED_DTYPES or (size == 0 and dtype != "float32"):
        suffixes.append(f"dtype={_TORCH}{dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _append_suffixes(_PREFIX + body, suffixes, style.linewidth)


def _edges(array: Any, shape: tuple[int, ...], edgeitems: int) -> np.ndarray:
    """The elements that a summary shows: `edgeitems` from both ends of every dimension that is longer than that."""
    kept = [min(n, 2 * edgeitems) for n in shape]
    result = np.empty(kept, array.dtype)
    choices = []
    for n, k in zip(shape, kept, strict=True):
        whole = (slice(None), slice(None))
        first = (slice(0, edgeitems), slice(0, edgeitems))
        last = (slice(edgeitems, k), slice(n - edgeitems, n))
        choices.append((whole,) if n == k else (first, last))
    for corner in itertools.product(*choices):
        result[tuple(to for to, _ in corner)] = array[tuple(of for _, of in corner)]
    return result


def _format_elements(values: list[Any], kind: str, precision: int) -> tuple[list[str], int]:
    """The elements as words of one width, and that width.

    The width follows the finite numbers other than zero, as in PyTorch, so that an infinity may stick out.
    """
    if kind != "f":
        words = [str(v) for v in values]
        width = max(map(len, words))
        return [w.rjust(width) for w in words], width
    # v - v is 0 for finite numbers only.
    ordinary = [v for v in values if v and v - v == 0]
    magnitudes = [abs(v) for v in ordinary] or [1.0]
    largest, smallest = max(magnitudes), min(magnitudes)
    whole = all(v.is_integer() for v in ordinary)
    if largest / smallest > 1000 or largest > 1e8 or (smallest < 1e-4 and not whole):
        spec = f"%.{precision}e"
    else:
        spec = "%.0f." if whole else f"%.{precision}f"
    width = max((len(spec % v) for v in ordinary), default=1)
    words = [spec % v if v - v == 0 else str(v) for v in values]
    return [w.rjust(width) for w in words], width


def _nest(words: list[str], width: int, shape: tuple[int, ...], shown: tuple[int, ...], style: Style) -> str:
    """The words (of the elements of shape `shown`) in brackets, from the innermost dimension outwards.

    A dimension that `shown` has less of than `shape` gets its dots in the middle.
    """
    if not shape:
        return words[0]
    items = words
    for axis in reversed(range(len(shape))):
        innermost = axis == len(shape) - 1
        indent = len(_PREFIX) + axis
        break_line = "," + "\n" * max(1, len(shape) - axis - 1) + " " * (indent + 1)
        per_line = max(1, (style.linewidth - indent) // (width + 2)) if innermost else 1
        groups = []
        for start in range(0, len(items), shown[axis]):
            group = items[start : start + shown[axis]]
            if shown[axis] < shape[axis]:
                group.insert(style.edgeitems, " ..." if innermost else "...")
            lines = [", ".join(group[i : i + per_line]) for i in range(0, len(group), per_line)]
            groups.append("[" + break_line.join(lines) + "]")
        items = groups
    return items[0]


def _append_suffixes(text: str, suffixes: list[str], linewidth: int) -> str:
    """The text with its suffixes and the closing bracket; a suffix that does not fit starts a line.

    Whether a dtype fits is decided with PyTorch's longer name for it, so that lines break where PyTorch's do.
    """
    # One more than the last line holds, and one for the bracket or comma after it: PyTorch's count.
    used = len(text) - text.rfind("\n") + 1
    parts = [text]
    for suffix in suffixes:
        if used + len(suffix) + 2 > linewidth:
            parts.append(",\n" + " " * len(_PREFIX))
            used = len(_PREFIX) + len(suffix)
        else:
            parts.append(", ")
            used += len(suffix) + 2
        parts.append(suffix.replace(_TORCH, "", 1) if suffix.startswith("dtype=") else suffix)
    return "".join(parts) + ")"


# The chain of backward functions --------------------------------------------------------------------------------------


class _Line(NamedTuple):
    """A line still to be drawn: a node below its parent's connector, or None for what is left out at this place."""

    node: GraphNode | None
    prefix: str
    connector: str


def format_chain(root: GraphNode, *, label: Label = input_label) -> str:
    """The backward functions behind a value as a tree, from `root` down to the inputs (`AccumulateGrad x`).

    Operands are drawn from the left; untracked ones are left out. A function with several users is drawn in full
    where it is met first, with a mark (`MulBackward0 [1]`), and only named after that (`↑ MulBackward0 [1]`); an
    input with a name needs no mark and is simply named again.

    The output stays small for a graph of any size: below 60 levels a straight chain goes on without being indented
    further, a branching one is left out (`…`), and after 200 lines the tree ends with the number of nodes not drawn.
    `graph_json` has them all.
    """
    children, shared = _survey(root)
    marks: dict[GraphNode, int] = {}
    drawn: set[GraphNode] = set()
    lines: list[str] = []
    stack = [_Line(root, "", "")]
    while stack and len(lines) < _MAX_LINES:
        line = stack.pop()
        node = line.node
        if node is None:
            lines.append(f"{line.prefix}{line.connector}…")
            continue
        text, name = node.name(), label(node)
        again = node in drawn
        if name is not None:
            text = f"{text} {name}"
        elif node in shared:
            text = f"{'↑ ' if again else ''}{text} [{marks.setdefault(node, len(marks) + 1)}]"
        lines.append(line.prefix + line.connector + text)
        if not again:
            drawn.add(node)
            stack.extend(reversed(_lines_below(line, children[node])))
    return "\n".join(lines + _remainder(len(children) - len(drawn), len(stack)))


def _survey(root: GraphNode) -> tuple[_Children, set[GraphNode]]:
    """The tracked operands of every node that `root` reaches, and the nodes that are met more than once."""
    children: _Children = {}
    shared: set[GraphNode] = set()
    met = {root}
    stack = [root]
    while stack:
        node = stack.pop()
        children[node] = [child for child, _ in node.next_functions if child is not None]
        for child in children[node]:
            if child in met:
                shared.add(child)
            else:
                met.add(child)
                stack.append(child)
    return children, shared


def _lines_below(line: _Line, children: list[GraphNode]) -> list[_Line]:
    """The lines of a node's operands, drawn below its own line."""
    if not line.connector:
        prefix = ""
    elif line.connector[0] == "├":
        prefix = line.prefix + "│  "
    elif len(children) == 1 and len(line.prefix) >= _MAX_INDENT:
        prefix = line.prefix
    else:
        prefix = line.prefix + "   "
    if len(children) > 1 and len(prefix) > _MAX_INDENT:
        return [_Line(None, prefix, "└─ ")]
    last = len(children) - 1
    return [_Line(child, prefix, "└─ " if i == last else "├─ ") for i, child in enumerate(children)]


def _remainder(nodes: int, lines: int) -> list[str]:
    """The last line of a tree that was cut: how many nodes are missing, or lines where every node was drawn."""
    if not nodes and not lines:
        return []
    count, what = (nodes, "node") if nodes else (lines, "edge")
    return [f"… {count:,} more {what}{'s' if count > 1 else ''} (use --json for all)"]

"""Text for people: arrays printed as PyTorch prints tensors, and the chain of backward functions as a tree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from gradcli.render.parts import MOST, ranges_of

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
    return "".join(tensor_pieces(array, grad_fn=grad_fn, requires_grad=requires_grad, style=style))


def tensor_pieces(
    array: Any, *, grad_fn: str | None = None, requires_grad: bool = False, style: Style | None = None
) -> Iterator[str]:
    """The text of `format_tensor`, piece by piece: a few thousand elements are held."""
    style = Style() if style is None else style
    shape = tuple(array.shape)
    size = math.prod(shape)
    dtype = np.dtype(array.dtype).name
    suffixes = []
    if (size and style.edgeitems == 0) or (size == 0 and len(shape) != 1):
        suffixes.append(f"size={shape}")
    if dtype not in _UNNAMED_DTYPES or (size == 0 and dtype != "float32"):
        suffixes.append(f"dtype={_TORCH}{dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    column = 0
    for piece in _body(array, shape, style):
        yield piece
        column = len(piece) - piece.rfind("\n") - 1 if "\n" in piece else column + len(piece)
    yield _suffixed(column, suffixes, style.linewidth)


def _body(array: Any, shape: tuple[int, ...], style: Style) -> Iterator[str]:
    """A tensor's text without its suffixes."""
    yield _PREFIX
    summarized = bool(shape) and math.prod(shape) > style.threshold
    if 0 in shape or (summarized and style.edgeitems == 0):
        yield "[]" if 0 in shape else "[...]"
        return
    counts = tuple([min(n, 2 * style.edgeitems) for n in shape]) if summarized else shape
    # Looked at twice: few are kept meanwhile.
    few = list(_shown(array, shape, counts)) if math.prod(counts) <= MOST else None
    form = _form_of(few or _shown(array, shape, counts), style.precision)
    if not shape:
        yield form.word(np.asarray(array[()]).item())
        return
    rows = _Rows(shape, counts, form.width, style)
    for part in few or _shown(array, shape, counts):
        words = [form.word(v) for v in part.reshape(-1).tolist()]
        yield "".join([rows.add(words[k : k + counts[-1]]) for k in range(0, len(words), counts[-1])])
    yield "]" * (len(shape) - 1)


def _shown(array: Any, shape: tuple[int, ...], counts: tuple[int, ...]) -> Iterator[np.ndarray]:
    """What is shown of an array, in parts of whole rows: `counts` elements of each dimension, half from either end."""
    most = max(MOST, *counts[-1:], 1)
    if counts == shape and isinstance(array, np.ndarray | np.generic):
        array = np.asarray(array)
        yield from (np.asarray(array[part]) for part in ranges_of(counts, most))
        return
    for part in ranges_of(counts, most):
        picked = np.empty([piece.stop - piece.start for piece in part], array.dtype)
        places = [_places(piece, n, k) for piece, n, k in zip(part, shape, counts, strict=True)]
        for corner in itertools.product(*places):
            picked[tuple([to for to, _ in corner])] = array[tuple([of for _, of in corner])]
        yield picked


def _places(piece: slice, n: int, count: int) -> list[tuple[slice, slice]]:
    """Where a piece of the `count` elements shown of a dimension comes from: places in the piece and in the array."""
    if count == n:
        return [(slice(0, piece.stop - piece.start), piece)]
    found = []
    for low, high, moved in ((0, count // 2, 0), (count // 2, count, n - count)):
        start, stop = max(piece.start, low), min(piece.stop, high)
        if start < stop:
            found.append((slice(start - piece.start, stop - piece.start), slice(start + moved, stop + moved)))
    return found


class _Form(NamedTuple):
    """How all elements are written: as `spec` says, where there is one, in words of one width."""

    spec: str | None
    width: int

    def word(self, value: Any) -> str:
        # v - v is 0 for finite numbers only.
        text = str(value) if self.spec is None or value - value != 0 else self.spec % value
        return text.rjust(self.width)


def _form_of(parts: Iterable[np.ndarray], precision: int) -> _Form:
    """The form that the elements ask for.

    The width follows the finite numbers other than zero, as in PyTorch, so that an infinity may stick out.
    """
    # The longest words are those of the outermost and innermost numbers on either side of zero.
    ends: list[Any] = []
    whole, spec = True, None
    for part in parts:
        if part.dtype.kind != "f":
            ends += [part.min().item(), part.max().item()]
            continue
        ordinary = part[np.isfinite(part) & (part != 0)]
        whole = whole and bool((ordinary == np.trunc(ordinary)).all())
        for side in (ordinary[ordinary > 0], ordinary[ordinary < 0]):
            ends += [side.min().item(), side.max().item()] if side.size else []
        spec = ""
    if spec is None:
        return _Form(None, max(len(str(v)) for v in ends))
    magnitudes = [abs(v) for v in ends] or [1.0]
    largest, smallest = max(magnitudes), min(magnitudes)
    if largest / smallest > 1000 or largest > 1e8 or (smallest < 1e-4 and not whole):
        spec = f"%.{precision}e"
    else:
        spec = "%.0f." if whole else f"%.{precision}f"
    return _Form(spec, max((len(spec % v) for v in ends), default=1))


class _Rows:
    """Writes rows of words one after the other, with the brackets, dots and line breaks between them."""

    def __init__(self, shape: tuple[int, ...], counts: tuple[int, ...], width: int, style: Style) -> None:
        last = len(shape) - 1
        self.counts = counts
        self.dots = [k < n for n, k in zip(shape, counts, strict=True)]
        self.breaks = ["," + "\n" * max(1, last - axis) + " " * (len(_PREFIX) + axis + 1) for axis in range(len(shape))]
        self.per_line = max(1, (style.linewidth - len(_PREFIX) - last) // (width + 2))
        self.edgeitems = style.edgeitems
        #: Which row was the last one.
        self.index: list[int] | None = None

    def add(self, words: list[str]) -> str:
        """The next row, with what stands before it."""
        if self.dots[-1]:
            words.insert(self.edgeitems, " ...")
        per_line = self.per_line
        lines = [", ".join(words[k : k + per_line]) for k in range(0, len(words), per_line)]
        return f"{self._before()}[{self.breaks[-1].join(lines)}]"

    def _before(self) -> str:
        last = len(self.counts) - 2
        if self.index is None:
            self.index = [0] * (last + 1)
            return "[" * (last + 1)
        axis = last
        while self.index[axis] + 1 == self.counts[axis]:
            self.index[axis] = 0
            axis -= 1
        self.index[axis] += 1
        dots = f"...{self.breaks[axis]}" if self.dots[axis] and self.index[axis] == self.edgeitems else ""
        return f"{']' * (last - axis)}{self.breaks[axis]}{dots}{'[' * (last - axis)}"


def _suffixed(column: int, suffixes: list[str], linewidth: int) -> str:
    """The suffixes and the closing bracket, after a line of so many characters; one that does not fit starts a line.

    Whether a dtype fits is decided with PyTorch's longer name for it, so that lines break where PyTorch's do.
    """
    # One more than the last line holds, and one for the bracket or comma after it: PyTorch's count.
    used = column + 2
    parts = []
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


class _ChainLine(NamedTuple):
    """A line still to be drawn: a node below its parent's connector, or None for what is left out at this place."""

    node: GraphNode | None
    prefix: str
    connector: str


def format_chain(root: GraphNode) -> str:
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
    stack = [_ChainLine(root, "", "")]
    while stack and len(lines) < _MAX_LINES:
        line = stack.pop()
        node = line.node
        if node is None:
            lines.append(f"{line.prefix}{line.connector}…")
            continue
        text, name = node.name(), input_label(node)
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


def _survey(root: GraphNode) -> tuple[dict[GraphNode, list[GraphNode]], set[GraphNode]]:
    """The tracked operands of every node that `root` reaches, and the nodes that are met more than once."""
    children: dict[GraphNode, list[GraphNode]] = {}
    shared: set[GraphNode] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in children:
            shared.add(node)
        else:
            children[node] = [child for child, _ in node.next_functions if child is not None]
            stack += children[node]
    return children, shared


def _lines_below(line: _ChainLine, children: list[GraphNode]) -> list[_ChainLine]:
    """The lines of a node's operands, drawn below its own line."""
    prefix = line.prefix
    if line.connector[:1] == "├":
        prefix += "│  "
    elif line.connector and (len(children) != 1 or len(prefix) < _MAX_INDENT):
        prefix += "   "
    if len(children) > 1 and len(prefix) > _MAX_INDENT:
        return [_ChainLine(None, prefix, "└─ ")]
    last = len(children) - 1
    return [_ChainLine(child, prefix, "└─ " if i == last else "├─ ") for i, child in enumerate(children)]


def _remainder(nodes: int, lines: int) -> list[str]:
    """The last line of a tree that was cut: how many nodes are missing, or lines where every node was drawn."""
    if not nodes and not lines:
        return []
    count, what = (nodes, "node") if nodes else (lines, "edge")
    return [f"… {count:,} more {what}{'s' if count > 1 else ''} (use --json for all)"]

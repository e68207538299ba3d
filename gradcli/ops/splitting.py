"""Rows that take a tensor apart along a dimension; how many tensors come out depends on the arguments."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.arguments import as_int, as_node, axis_of, shown_value
from gradcli.graph.node import CONSTANT, Node, make, make_results
from gradcli.graph.op import MANY, Blocking, Op, Params, Shape
from gradcli.ops.blocking import except_along
from gradcli.ops.create import filled
from gradcli.ops.family import composite, primitive
from gradcli.ops.index import select
from gradcli.ops.shape import cat, cut, embed, sizes, strides_of, unsqueeze

# So many nodes of a graph are some hundred megabytes.
_MOST = 100_000


def _bound(count: int, name: str) -> None:
    if count > _MOST:
        hint = "index the tensor, or give it another shape with reshape()"
        raise GradcliError(f"{name}() would make {count:,} tensors, more than {_MOST:,}", hint=hint)


# Pieces that a rule is given gradients of ----------------------------------------------------------------------------


def _joined(parts: Sequence[tuple[int, int, Node]], x: Node, dim: int) -> Node:
    """A tensor of the shape of `x` with parts from one place along `dim` to another, and zeros between them."""
    if len(parts) == 1:
        start, stop, part = parts[0]
        return make(embed, (part,), {"shape": x.shape, "dim": dim, "start": start, "stop": stop, "step": 1})
    pieces: list[Node] = []
    at = 0
    for start, stop, part in parts:
        pieces += [*_zeros(x, dim, start - at), part]
        at = stop
    return make(cat, (*pieces, *_zeros(x, dim, x.shape[dim] - at)), {"dim": dim})


def _zeros(x: Node, dim: int, length: int) -> list[Node]:
    shape = (*x.shape[:dim], length, *x.shape[dim + 1 :])
    return [make(filled, (), {"shape": shape, "value": 0, "dtype": x.dtype})] if length else []


def _split_vjp(g: Any, out: Any, x: Node, dim: int, bounds: Shape, name: str) -> tuple[Node]:
    places = zip(pairwise(bounds), g, strict=True)
    return (_joined([(start, stop, part) for (start, stop), part in places if part is not None], x, dim),)


def _unbind_vjp(g: Any, out: Any, x: Node, dim: int) -> tuple[Node]:
    return (_joined([(k, k + 1, unsqueeze(part, dim)) for k, part in enumerate(g) if part is not None], x, dim),)


# By lengths -----------------------------------------------------------------------------------------------------------


def _split_kernel(x: Any, dim: int, bounds: Shape, name: str) -> Any:
    return tuple([x[(slice(None),) * dim + (slice(start, stop),)] for start, stop in pairwise(bounds)])


def _split_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    x, dim = inputs[0], params["dim"]
    return tuple(
        [((*x.shape[:dim], stop - start, *x.shape[dim + 1 :]), x.dtype) for start, stop in pairwise(params["bounds"])]
    )


def _of_split(several: Node, index: int) -> Node:
    start, stop = several.params["bounds"][index : index + 2]
    return cut(several.inputs[0], several.params["dim"], start, stop)


pieces_ = primitive(
    "_split", _split_kernel, _split_infer, family="shape", results=MANY, part=_of_split,
    doc="Pieces along a dimension, from each place to the next.", vjp=_split_vjp,
    grad_fn=lambda node: (node.params["name"], node.inputs),
    layout=lambda inputs, params, shape: layout.normalize(shape, strides_of(inputs[0])),
    blocking=Blocking(except_along), shares=True,
)


def _pieces(x: Node, dim: int, lengths: Sequence[int], name: str) -> Any:
    return make_results(pieces_, (x,), {"dim": dim, "bounds": tuple(accumulate(lengths, initial=0)), "name": name})


def _by_length(x: Node, length: int, dim: int, called: str, name: str) -> Any:
    """Pieces of one length, the last one perhaps shorter."""
    whole = x.shape[dim]
    if length < 0 or (length == 0 and whole):
        raise GradcliError(f"{called}() needs pieces of at least one element, got {length}")
    _bound(-(-whole // length) if length else 1, called)
    starts = range(0, whole, length) if whole else [0]
    return _pieces(x, dim, [min(length, whole - start) for start in starts], name)


def _by_lengths(x: Node, given: Any, dim: int, called: str, name: str) -> Any:
    lengths = sizes(given, "a length")
    _bound(len(lengths), called)
    if any(n < 0 for n in lengths) or sum(lengths) != x.shape[dim]:
        raise SizeError(
            "{}() needs lengths that add up to {}, the length of dimension {}, got {}", called, x.shape[dim], dim,
            tuple(lengths),
        )
    return _pieces(x, dim, lengths, name)


def _splitting(called: str, safe: str, doc: str, args: str, **row: Any) -> Op:
    def build(tensor: Any, how: Any, dim: Any) -> Any:
        x = as_node(tensor)
        axis = axis_of(x, dim, called)
        if isinstance(how, list | tuple) or called.endswith("sizes"):
            return _by_lengths(x, how, axis, called, f"{safe}SplitWithSizesBackward0")
        return _by_length(x, as_int(how, args.split(", ")[1].partition(":")[0]), axis, called, f"{safe}SplitBackward0")

    return composite(called, build, args=args, family="shape", doc=doc, **row)


_IN_TWO = "input:1"
split = _splitting(
    "split", "", "Pieces of a length, the last one perhaps shorter, or of the lengths of a list.",
    "tensor, split_size_or_sections: pieces, dim: dim=0", example=("split(input, 2)[0]", _IN_TWO),
)
unsafe_split = _splitting(
    "unsafe_split", "Unsafe", "split, by PyTorch's name for pieces that may be changed in place.",
    "tensor, split_size: pieces, dim: dim=0", example=("unsafe_split(input, 2)[0]", _IN_TWO),
)
split_with_sizes = _splitting(
    "split_with_sizes", "", "Pieces of the given lengths, which have to add up to the length of the dimension.",
    "input, split_sizes: lengths, dim: dim=0", example=("split_with_sizes(stack([a, b]), [1, 1])[0]", "a:1 b:1"),
)


def _chunking(called: str, safe: str, doc: str) -> Op:
    def build(input: Any, chunks: Any, dim: Any) -> Any:
        x, count = as_node(input), as_int(chunks, "chunks")
        axis = axis_of(x, dim, called)
        if count < 1:
            raise GradcliError(f"{called}() makes at least one piece, got {count}", argument="chunks")
        if not x.shape[axis]:
            _bound(count, called)
            return _pieces(x, axis, [0] * count, f"{safe}SplitWithSizesBackward0")
        return _by_length(x, -(-x.shape[axis] // count), axis, called, f"{safe}SplitBackward0")

    return composite(
        called, build, args="input, chunks: int, dim: dim=0", family="shape", doc=doc,
        example=(f"{called}(stack([a, b]), 2)[0]", "a:1 b:1"),
    )


chunk = _chunking("chunk", "", "At most so many pieces of one length, the last one perhaps shorter.")
unsafe_chunk = _chunking("unsafe_chunk", "Unsafe", "chunk, by PyTorch's name for pieces that may be changed in place.")


# At places ------------------------------------------------------------------------------------------------------------


def _known(value: Any, name: str) -> Any:
    """Whole numbers, also where they are given as a tensor that is written out."""
    if not isinstance(value, Node):
        return value
    if value.op is not CONSTANT or value.dtype.kind not in "iu" or value.ndim > 1:
        hint = "write them as a list, as in [1, 3]"
        raise GradcliError(f"{name} must be integers that are known before anything is computed", hint=hint)
    return value.params["value"].tolist()


def _at_places(x: Node, given: Any, dim: int, called: str) -> tuple[Node, ...]:
    """Slices up to each of the places, and the rest; or so many pieces that differ by one element at most."""
    places, length = _known(given, "indices_or_sections"), x.shape[dim]
    if isinstance(places, list | tuple):
        _bound(len(places), called)
        ends = [slice(as_int(n, "a place"), None).indices(length)[0] for n in places]
        starts = [0, *ends]
        ends = [max(start, end) for start, end in zip(starts, [*ends, length], strict=True)]
        return tuple([cut(x, dim, start, end) for start, end in zip(starts, ends, strict=True)])
    count = as_int(places, "indices_or_sections")
    if count < 1:
        raise GradcliError(f"{called}() makes at least one piece, got {count}", argument="indices_or_sections")
    _bound(count, called)
    bounds = accumulate([length // count + (k < length % count) for k in range(count)], initial=0)
    return tuple([cut(x, dim, start, end) for start, end in pairwise(bounds)])


def _tensor_split(input: Any, indices_or_sections: Any, dim: Any) -> tuple[Node, ...]:
    x = as_node(input)
    return _at_places(x, indices_or_sections, axis_of(x, dim, "tensor_split"), "tensor_split")


_PLACES = "indices_or_sections: sections"
tensor_split = composite(
    "tensor_split", _tensor_split, args=f"input, {_PLACES}, dim: dim=0", family="shape",
    doc="So many pieces whose lengths differ by one at most, or the pieces between the indices of a list.",
    example=("tensor_split(input, [2])[0]", _IN_TWO),
)


def _splitting_along(called: str, word: str, dim: int, least: int) -> Op:
    def build(input: Any, indices_or_sections: Any) -> tuple[Node, ...]:
        x = as_node(input)
        if x.ndim < least:
            few = "1 dimension" if least == 1 else f"{least} dimensions"
            raise SizeError("{}() needs at least {}, the tensor has shape {}", called, few, x.shape)
        axis = min(dim, x.ndim - 1)
        known = _known(indices_or_sections, "indices_or_sections")
        if isinstance(known, int) and not isinstance(known, bool) and (known < 1 or x.shape[axis] % known):
            raise SizeError(
                "{}() makes {} equal pieces: {} elements of dimension {} do not divide into them", called,
                shown_value(known), x.shape[axis], axis, hint="tensor_split() makes unequal ones",
            )
        return _at_places(x, known, axis, called)

    return composite(
        called, build, args=f"input, {_PLACES}", family="shape", example=(f"{called}(input, [1])[0]", "input:3"),
        doc=f"Equal pieces, so many of them or between the indices of a list, {word}.", numpy=called,
    )


hsplit = _splitting_along("hsplit", "side by side: along dimension 1, or 0 of a vector", 1, 1)
vsplit = _splitting_along("vsplit", "one below the other: along dimension 0", 0, 2)
dsplit = _splitting_along("dsplit", "one behind the other: along dimension 2", 2, 3)


# One by one -----------------------------------------------------------------------------------------------------------


def _unbind(input: Any, dim: Any) -> Any:
    x = as_node(input)
    axis = axis_of(x, dim, "unbind")
    _bound(x.shape[axis], "unbind")
    return make_results(unbind, (x,), {"dim": axis}) if x.shape[axis] else ()


def _unbind_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    x, dim = inputs[0], params["dim"]
    return (((*x.shape[:dim], *x.shape[dim + 1 :]), x.dtype),) * x.shape[dim]


unbind: Op = primitive(
    "unbind", lambda x, dim: tuple([x[(slice(None),) * dim + (k,)] for k in range(x.shape[dim])]), _unbind_infer,
    family="shape", args="input, dim: dim=0", build=_unbind, results=MANY,
    part=lambda several, index: make(select, several.inputs, {"dim": several.params["dim"], "index": index}),
    doc="The tensors along a dimension, one by one.", vjp=_unbind_vjp, layout=select.layout, shares=True,
    example=("unbind(input)[0]", "input:2"),
)

"""Maxima of windows, their way back, and windows as columns."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_node
from gradcli.graph.dtypes import BOOL, INT64
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.batching import MERGED
from gradcli.ops.convolution import batched, over_space, per_dimension
from gradcli.ops.family import composite, primitive
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels.taps import has_empty_window, is_apart, maxima, width_of
from gradcli.ops.kernels.windows import Meeting, folded, out_lengths, unfolded
from gradcli.ops.notation import spelling
from gradcli.ops.resampling import as_plane, check_tables, is_longer, spatial, table_bytes, wanted_lengths, window
from gradcli.ops.shape import squeeze, unsqueeze

# Elements at places ---------------------------------------------------------------------------------------------------


def _rows(x: Any, count: int) -> Any:
    """The last `count` dimensions made into one."""
    return x.reshape(*x.shape[: x.ndim - count], math.prod(x.shape[x.ndim - count :]))


def _pick_kernel(x: Any, indices: Any, count: int) -> Any:
    return np.take_along_axis(_rows(x, count), _rows(indices, count), -1).reshape(indices.shape)


def _checked(indices: Any, length: int) -> Any:
    if indices.size and not (indices.min() >= 0 and indices.max() < length):
        worst = indices.min() if indices.min() < 0 else indices.max()
        raise GradcliError(f"index {worst} is out of range for {length} places", argument="indices")
    return indices


def _add_into(out: Any, g: Any, indices: Any, lengths: Shape, once: bool) -> None:
    if not out.flags.c_contiguous:
        out[...] = _add_kernel(g, indices, lengths, once)
        return
    count, size = len(lengths), math.prod(lengths)
    rows = math.prod(g.shape[: g.ndim - count])
    places = _rows(indices, count).reshape(rows, math.prod(indices.shape[-count:])) + np.arange(rows)[:, None] * size
    if once:
        out[...] = 0
        out.reshape(-1)[places.reshape(-1)] = g.reshape(-1)
    else:
        out[...] = np.bincount(places.ravel(), _rows(g, count).ravel(), rows * size).reshape(out.shape)


def _add_kernel(g: Any, indices: Any, lengths: Shape, once: bool) -> Any:
    """Zeros with elements added at places, which are only put there if each place is met `once`; the sums are
    float64."""
    out = np.empty((*g.shape[: g.ndim - len(lengths)], *lengths), g.dtype)
    _add_into(out, g, indices, lengths, once)
    return out


def _put_kernel(x: Any, indices: Any, lengths: Shape) -> Any:
    count, size = len(lengths), math.prod(lengths)
    out = np.zeros((*x.shape[: x.ndim - count], size), x.dtype)
    np.put_along_axis(out, _checked(_rows(indices, count), size), _rows(x, count), -1)
    return out.reshape(*out.shape[:-1], *lengths)


def _follow(node: Node, dim: int) -> Dims | None:
    count = node.params["count"] if "count" in node.params else len(node.params["lengths"])
    return (dim, dim) if dim < node.ndim - count else None


def _infer_lengths(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, lengths = inputs[0], params["lengths"]
    return (*x.shape[: x.ndim - len(lengths)], *lengths), x.dtype


_NO_FORMULA = arithmetic.none("where the largest elements of windows are has no short formula")

picked = primitive(
    "_pool_picked", _pick_kernel, lambda inputs, params: (inputs[1].shape, inputs[0].dtype), family="network",
    args="input, indices", doc="The elements at places of the last dimensions made into one.",
    grad_fn="GatherBackward0", formula=_NO_FORMULA, blocking=Blocking(_follow),
    vjp=lambda g, out, x, indices, count: (
        make(added, (g, indices), {"lengths": x.shape[x.ndim - count :], "once": False}), None
    ),
)
added: Op = primitive(
    "_pool_added", _add_kernel, _infer_lengths, family="network", args="gradient, indices",
    doc="Zeros with elements added at places of the last dimensions made into one.", formula=_NO_FORMULA,
    grad_fn="MaxPoolBackwardBackward0", blocking=Blocking(_follow), into=_add_into,
    vjp=lambda h, out, g, indices, lengths, once: (make(picked, (h, indices), {"count": len(lengths)}), None),
)


# Maxima ---------------------------------------------------------------------------------------------------------------


def _pool_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Any, ...]:
    x, maps = inputs[0], params["maps"]
    check_tables(maps)
    if any(has_empty_window(one) for one in maps):
        raise GradcliError("a window would have nothing but padding", hint="less dilation, or no padding",
                           argument="dilation")
    shape = (*x.shape[: x.ndim - len(maps)], *(one[2] for one in maps))
    return (shape, x.dtype), (shape, INT64)


def _pool_vjp(g: Any, out: Any, x: Node, maps: Any, name: str) -> tuple[Node | None]:
    params = {"lengths": x.shape[x.ndim - len(maps) :], "once": all(map(is_apart, maps))}
    return (g.values and make(added, (g.values, out.indices), params),)


def _text(w: Any, c: Any) -> Any:
    """The maxima of windows that those of lines are made of."""
    (kind, *_), maps = c.params["maps"][-1], c.params["maps"]
    name = f"max_pool{len(maps)}d"
    if kind == "adaptive":
        return spelling.of_network(w, f"adaptive_{name}", c.args, tuple([one[2] for one in maps]), True)
    space, lengths, *windows = zip(*[one[1:] for one in maps], strict=True)
    return spelling.of_network(w, name, c.args, *windows, is_longer(space, lengths, *windows), True)


def _text_back(w: Any, c: Any) -> Any:
    lengths = c.params["lengths"]
    return spelling.of_network(w, f"max_unpool{len(lengths)}d", c.args, 1, None, 0, lengths)


def _text_columns(w: Any, c: Any) -> Any:
    """Of windows as columns, or of these added up where `space` is not told by the operand."""
    p, back = c.params, len(c.shapes[0]) == 3
    lengths = [p["kernel"], p["dilation"], tuple([before for before, _ in p["padding"]]), p["stride"]]
    return spelling.of_network(w, "fold" if back else "im2col", c.args, *([p["space"]] if back else []), *lengths)


max_pool = primitive(
    "_max_pool", lambda x, maps, name, wanted=(True, True): maxima(x, maps, wanted), _pool_infer, family="network",
    results=("values", "indices"), skips=True, vjp=_pool_vjp, tables=table_bytes, formula=_NO_FORMULA, text=_text,
    grad_fn=lambda node: (f"{node.params['name']}Backward0", node.inputs),
    doc="The largest element of each window, and its place.",
    cost=lambda node: max(1.0, 4.0 * sum(width_of(one) for one in node.params["maps"])),
    blocking=Blocking(lambda node, dim: (dim,) if dim < node.ndim - len(node.params["maps"]) else None),
)


def _ordered(input: Any, name: str) -> Node:
    x = as_node(input)
    if x.dtype == BOOL:
        raise GradcliError(f"{name}() is not defined for booleans", hint="convert them first, as in x.float()")
    return x


def _pooled(x: Node, maps: list[Any], name: str, count: int, return_indices: bool) -> Any:
    if count == 1:
        maps, x = [("spread", 1, 1, 1, 1, 0, 1), *maps], unsqueeze(x, -2)
    values, indices = make_results(max_pool, (x,), {"maps": tuple(maps), "name": name})
    if count == 1:
        values, indices = squeeze(values, -2), squeeze(indices, -2)
    return max_pool.named((values, indices)) if return_indices else values


def _max_pool(count: int) -> Any:
    name = f"max_pool{count}d"

    def build(
        input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool
    ) -> Any:
        x = _ordered(input, name)
        batched(x, count, name)
        size, step, pad, within, lengths = window(name, x, count, kernel_size, stride, padding, dilation, ceil_mode)
        rows = zip(x.shape[-count:], lengths, size, step, pad, within, strict=True)
        maps = [("spread", *row) for row in rows]
        return _pooled(x, maps, f"MaxPool{max(count, 2)}DWithIndices", count, return_indices)

    return build


def _adaptive_max_pool(count: int) -> Any:
    name = f"adaptive_max_pool{count}d"

    def build(input: Any, output_size: Any, return_indices: bool) -> Any:
        x = spatial(_ordered(input, name), count, name)
        lengths = wanted_lengths(output_size, x.shape[-count:])
        maps = [("adaptive", n, m) for n, m in zip(x.shape[-count:], lengths, strict=True)]
        return _pooled(x, maps, f"AdaptiveMaxPool{max(count, 2)}D", count, return_indices)

    return build



max_unpool = primitive(
    "_max_unpool", _put_kernel, _infer_lengths, family="network", args="input, indices",
    doc="Zeros with elements put at places of the last dimensions made into one.", formula=_NO_FORMULA,
    grad_fn=lambda node: (f"MaxUnpool{len(node.params['lengths'])}DBackward0", node.inputs[:1]),
    blocking=Blocking(_follow), text=_text_back,
    vjp=lambda g, out, x, indices, lengths: (make(picked, (g, indices), {"count": len(lengths)}), None),
)


def _max_unpool(count: int) -> Any:
    name = f"max_unpool{count}d"

    def build(
        input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any
    ) -> Node:
        x, at = as_node(input), as_node(indices)
        batched(x, count, name)
        if at.shape != x.shape or at.dtype.kind not in "iu":
            raise SizeError("{}() needs an index for each element of shape {}, got shape {}", name, x.shape, at.shape,
                            argument="indices")
        size = per_dimension(kernel_size, "kernel_size", count, 1)
        step = size if stride is None else per_dimension(stride, "stride", count, 1)
        pad = per_dimension(padding, "padding", count)
        if output_size is not None:
            given = output_size[-count:] if isinstance(output_size, list | tuple) else output_size
            lengths = per_dimension(given, "output_size", count, 1)
        else:
            rows = zip(x.shape[-count:], size, step, pad, strict=True)
            lengths = tuple((n - 1) * s - 2 * p + k for n, k, s, p in rows)
        if any(n < 1 for n in lengths):
            raise SizeError("{}(): nothing is left of the result, whose lengths would be {}", name, lengths)
        if count > 1:
            return make(max_unpool, (x, at), {"lengths": lengths})
        places = unsqueeze(at, -2)
        return as_plane(x, 1, lambda plane: make(max_unpool, (plane, places), {"lengths": (1, *lengths)}))

    return build


# One dimension after the other: in this order they are listed.
(
    (max_pool1d, adaptive_max_pool1d, max_unpool1d),
    (max_pool2d, adaptive_max_pool2d, max_unpool2d),
    (max_pool3d, adaptive_max_pool3d, max_unpool3d),
) = zip(
    over_space(
        "max_pool{}d", _max_pool,
        "input, kernel_size: lengths, stride: lengths=None, padding: lengths=0, dilation: lengths=1,"
        " ceil_mode=False, return_indices=False",
        "The largest element of each window, along {words}, and its index in the flattened input if asked for.",
        ("max_pool{}d(input, 2)", "input:{dims}"),
    ),
    over_space(
        "adaptive_max_pool{}d", _adaptive_max_pool, "input, output_size: lengths, return_indices=False",
        "The largest element of each of output_size windows of about equal length, along {words}.",
        ("adaptive_max_pool{}d(input, 2)", "input:{dims}"),
    ),
    over_space(
        "max_unpool{}d", _max_unpool,
        "input, indices, kernel_size: lengths, stride: lengths=None, padding: lengths=0, output_size: lengths=None",
        "The largest elements put back to where max_pool{}d found them, zeros elsewhere.",
        ("max_unpool{}d(input, indices, 2)", "input:{dims} indices:{dims}:int64"),
    ),
    strict=True,
)


# Windows as columns ---------------------------------------------------------------------------------------------------


def _meeting(params: Params) -> Meeting:
    return Meeting(params["stride"], params["padding"], params["dilation"], 1)


def _columns_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, kernel = inputs[0], params["kernel"]
    windows = math.prod(out_lengths(x.shape[2:], kernel, _meeting(params)))
    return (x.shape[0], x.shape[1] * math.prod(kernel), windows), x.dtype


def _folded_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    columns = inputs[0]
    return (columns.shape[0], columns.shape[1] // math.prod(params["kernel"]), *params["space"]), columns.dtype


_COLUMNS = arithmetic.none("windows as columns have no short formula")
_BATCH = Blocking(lambda node, dim: (0,) if dim == 0 else None)

columns = primitive(
    "_columns", lambda x, kernel, space, **params: unfolded(x, kernel, _meeting(params)), _columns_infer,
    family="network", doc="Windows as columns.", grad_fn="Im2ColBackward0", formula=_COLUMNS,
    vjp=lambda g, out, x, **params: (make(from_columns, (g,), params),), blocking=_BATCH, batching=MERGED,
    text=_text_columns,
)
from_columns: Op = primitive(
    "_from_columns", lambda x, kernel, space, **params: folded(x, space, kernel, _meeting(params)), _folded_infer,
    family="network", doc="Columns added to where windows are.", grad_fn="Col2ImBackward0", formula=_COLUMNS,
    vjp=lambda g, out, x, **params: (make(columns, (g,), params),), blocking=_BATCH, batching=MERGED,
    text=_text_columns,
)


def _window_params(kernel_size: Any, dilation: Any, padding: Any, stride: Any, space: Shape, name: str) -> Params:
    kernel = per_dimension(kernel_size, "kernel_size", 2, 1)
    params = {
        "kernel": kernel, "space": space, "stride": per_dimension(stride, "stride", 2, 1),
        "padding": tuple((p, p) for p in per_dimension(padding, "padding", 2)),
        "dilation": per_dimension(dilation, "dilation", 2, 1),
    }
    if any(n < 1 for n in out_lengths(space, kernel, _meeting(params))):
        raise SizeError("{}(): windows of {} are larger than the padded input {}", name, kernel, space)
    return params


def _im2col(input: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Node:
    x, alone = batched(as_node(input), 2, "im2col")
    result = make(columns, (x,), _window_params(kernel_size, dilation, padding, stride, x.shape[2:], "im2col"))
    return squeeze(result, 0) if alone else result


def _fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Node:
    x, alone = batched(_ordered(input, "fold"), 1, "fold")
    space = per_dimension(output_size, "output_size", 2, 1)
    params = _window_params(kernel_size, dilation, padding, stride, space, "fold")
    size, windows = math.prod(params["kernel"]), math.prod(out_lengths(space, params["kernel"], _meeting(params)))
    if x.shape[1] % size or x.shape[2] != windows:
        raise SizeError("fold() takes columns of a multiple of {} elements, {} of them, got shape {}", size, windows,
                        x.shape)
    result = make(from_columns, (x,), params)
    return squeeze(result, 0) if alone else result


im2col = composite(
    "im2col", _im2col, family="network", torch="nn.functional.unfold",
    args="input, kernel_size: lengths, dilation: lengths=1, padding: lengths=0, stride: lengths=1",
    doc="The windows of images as columns; in PyTorch, nn.functional.unfold.",
    example=("im2col(input, 2)", "input:4"),
)
fold = composite(
    "fold", _fold, family="network", torch="nn.functional.fold",
    args="input, output_size: picture, kernel_size: sides, dilation: sides=1, padding: sides=0, stride: sides=1",
    doc="Columns summed into images: the adjoint of im2col.", example=("fold(input, (1, 3), 1)", "input:1x1x3"),
)

"""Convolutions and transposed convolutions over one, two and three dimensions, and the linear maps of a network.

All are one sum of products, linear in input, kernel and the gradient of the result alike: three operations, each of
which takes two of them and gives the third, are the derivatives of each other to any order.
"""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int
from gradcli.graph.native_forms import Dims, NativeKernel
from gradcli.graph.node import Node, make
from gradcli.graph.op import Accumulate, Blocking, Op, Params, Shape
from gradcli.ops.accumulators import SUM as SUMS
from gradcli.ops.batching import MERGED
from gradcli.ops.family import composite, primitive
from gradcli.ops.kernels.windows import Meeting, convolved, convolved_back, kernel_gradient, out_lengths
from gradcli.ops.matmul import common
from gradcli.ops.reduce import sum_
from gradcli.ops.shape import squeeze, unsqueeze

# Arguments ------------------------------------------------------------------------------------------------------------


def per_dimension(value: Any, name: str, count: int, least: int = 0) -> Shape:
    """A whole number for each of `count` dimensions, from one for all of them or a list."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    numbers = [as_int(v, name) for v in values]
    if len(numbers) not in (1, count):
        wanted = "one number" if count == 1 else f"one number or {count}"
        raise GradcliError(f"{name} needs {wanted}, got {len(numbers)}", argument=name)
    if min(numbers) < least:
        raise GradcliError(f"{name} must be at least {least}, got {min(numbers)}", argument=name)
    return tuple(numbers * (count if len(numbers) == 1 else 1))


def batched(x: Node, count: int, name: str) -> tuple[Node, bool]:
    """An input of channels and `count` dimensions with a batch before them, and whether it had none."""
    if x.ndim not in (count + 1, count + 2):
        hint = f"(batch, channels{', length' * count}) or the same without the batch"
        raise SizeError("{}() takes {} or {} dimensions, got shape {}", name, count + 1, count + 2, x.shape, hint=hint)
    return (unsqueeze(x, 0), True) if x.ndim == count + 1 else (x, False)


# The three operations -------------------------------------------------------------------------------------------------


def _form(params: Params) -> Meeting:
    return Meeting(params["stride"], params["padding"], params["dilation"], params["groups"])


def _shared(params: Params) -> Params:
    return {name: params[name] for name in ("stride", "padding", "dilation", "groups")}


def _plus_bias(result: Any, bias: Sequence[Any]) -> Any:
    for b in bias:
        result += b.reshape(-1, *(1,) * (result.ndim - 2))
    return result


def _forward(x: Any, w: Any, *bias: Any, out: Any = None, **params: Any) -> Any:
    return _plus_bias(convolved(x, w, _form(params), out), bias)


def _back(g: Any, w: Any, *bias: Any, space: Shape, out: Any = None, **params: Any) -> Any:
    return _plus_bias(convolved_back(g, w, space, _form(params), out), bias)


def _into(kernel: Callable[..., Any]) -> Callable[..., None]:
    """The same written into an array, which may have its dimensions in another order."""

    def into(out: Any, *arrays: Any, **params: Any) -> None:
        if out.flags.c_contiguous:
            kernel(*arrays, out=out, **params)
        else:
            out[...] = kernel(*arrays, **params)

    return into


def _infer_forward(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, w = inputs[:2]
    return (x.shape[0], w.shape[0], *out_lengths(x.shape[2:], w.shape[2:], _form(params))), x.dtype


def _infer_back(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    g, w = inputs[:2]
    return (g.shape[0], w.shape[1] * params["groups"], *params["space"]), g.dtype


def _infer_kernel(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, g = inputs
    return (g.shape[1], x.shape[1] // params["groups"], *params["kernel"]), x.dtype


def _bias_gradient(g: Node, bias: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(sum_(g, [0, *range(2, g.ndim)]) for _ in bias)


def _forward_vjp(g: Node, out: Node, x: Node, w: Node, *bias: Node, **params: Any) -> tuple[Node | None, ...]:
    # Each costs as much as the operation itself: only what somebody asks for is built.
    return (
        make(back, (g, w), {"space": x.shape[2:], **params}) if x.requires_grad else None,
        make(kernel, (x, g), {"kernel": w.shape[2:], **params}) if w.requires_grad else None,
        *_bias_gradient(g, bias),
    )


def _back_vjp(
    h: Node, out: Node, g: Node, w: Node, *bias: Node, space: Shape, **params: Any
) -> tuple[Node | None, ...]:
    return (
        make(forward, (h, w), params) if g.requires_grad else None,
        make(kernel, (h, g), {"kernel": w.shape[2:], **params}) if w.requires_grad else None,
        *_bias_gradient(h, bias),
    )


def _kernel_vjp(
    h: Node, out: Node, x: Node, g: Node, kernel: Shape, **params: Any
) -> tuple[Node | None, Node | None]:
    return (
        make(back, (g, h), {"space": x.shape[2:], **params}) if x.requires_grad else None,
        make(forward, (x, h), params) if g.requires_grad else None,
    )


def _follow_batch(node: Node, dim: int) -> Dims | None:
    return (0, *(None for _ in node.inputs[1:])) if dim == 0 else None


def _kernel_partial(arrays: list[Any], params: Params, start: int) -> tuple[Any, ...]:
    x, g = arrays
    return (kernel_gradient(x, g, params["kernel"], _form(params), np.float64),)


def _window(node: Node) -> float:
    """Products of an element of the result, at a fraction of what a walk costs."""
    w = node.inputs[1]
    return max(1.0, math.prod(w.shape[1:]) / 8)


def _edges(node: Node) -> tuple[str, tuple[Node | None, ...]]:
    return "ConvolutionBackward0", (*node.inputs, *(None,) * (3 - len(node.inputs)))


def _call(c: Any, s: Any) -> Any:
    return c.call(s)


def _written(w: Any, c: Any, name: str, args: Sequence[Any], **more: Any) -> Any:
    """`name` with the number of dimensions, and the arguments that are not usual, as the public functions take them."""
    count, padding = len(c.params["stride"]), c.params["padding"]
    if any(before != behind for before, behind in padding):
        raise GradcliError("a convolution that is padded unequally at both ends has no short formula")
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0}
    values = {"output_padding": 0, **c.params, "padding": tuple(before for before, _ in padding), **more}
    words = {k: w.literal(_one(values[k])) for k, v in usual.items() if _one(values[k]) != v}
    return w.forms.call(name.format(count), args, **words)


def _text_kernel(w: Any, c: Any) -> Any:
    """The convolution of the input with the gradient, batch and channels exchanged in all three."""
    if c.params["groups"] != 1:
        raise GradcliError("the gradient with respect to the kernel of a convolution with groups has no short formula")
    f, stride, dilation = w.forms, c.params["stride"], c.params["dilation"]
    order = (1, 0, *range(2, len(c.shape)))
    form = _written(w, c, "conv{}d", [f.transposed(a, order) for a in c.args], stride=dilation, dilation=stride)
    form = f.transposed(form, order)
    if all(s == 1 for s in stride):
        return form
    # Longer steps may leave a rest of the input, which no window has reached.
    return f.index(form, [f.everything(), f.everything(), *(f.slice(None, w.size(n), None) for n in c.shape[2:])])


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _text_back(w: Any, c: Any) -> Any:
    """What is lacking at the end, where steps are longer than one, is the padding of the result."""
    more = []
    for at, have in enumerate(c.params["space"]):
        stride, (before, behind), dilation = (c.params[k][at] for k in ("stride", "padding", "dilation"))
        lengths = have, c.shapes[0][2 + at], c.shapes[1][2 + at]
        if stride > 1 and not all(isinstance(n, int) for n in lengths):
            hint = "give shapes in numbers, as in x:2,3,8,8"
            raise GradcliError("the gradient of a convolution with a stride depends on the lengths", hint=hint)
        reached = (lengths[1] - 1) * stride - before - behind + dilation * (lengths[2] - 1) + 1 if stride > 1 else have
        more.append(have - reached if stride > 1 else 0)
    return _written(w, c, "conv_transpose{}d", c.args, output_padding=tuple(more))


forward: Op = primitive(
    "_convolution", _forward, _infer_forward, family="network", args="input, weight", grad_fn=_edges, vjp=_forward_vjp,
    doc="The sum of the products of a kernel and each window of the input.", cost=_window,
    blocking=Blocking(_follow_batch), batching=MERGED, formula=_call, into=_into(_forward),
    native=NativeKernel("convolved"),
    text=lambda w, c: _written(w, c, "conv{}d", c.args),
)
back: Op = primitive(
    "_convolution_back", _back, _infer_back, family="network", args="gradient, weight", grad_fn=_edges, vjp=_back_vjp,
    doc="Each element spread over a window, times a kernel.", cost=_window, blocking=Blocking(_follow_batch),
    batching=MERGED, formula=_call, into=_into(_back), text=_text_back, native=NativeKernel("convolved_back"),
)
kernel: Op = primitive(
    "_convolution_kernel", lambda x, g, kernel, **params: kernel_gradient(x, g, kernel, _form(params)), _infer_kernel,
    family="network", args="input, gradient", vjp=_kernel_vjp,
    grad_fn=lambda node: ("ConvolutionBackwardBackward0", (node.inputs[1], node.inputs[0], None)),
    doc="The sum of the products of each element and its window of the input.",
    formula=_call, text=_text_kernel, native=NativeKernel("kernel_gradient"),
    cost=lambda node: max(1.0, node.inputs[1].size / max(1, node.inputs[1].shape[1]) / 8),
    blocking=Blocking(
        lambda node, dim: None, lambda node: [(0, 0)],
        Accumulate(_kernel_partial, SUMS.merge, SUMS.finish),
    ),
)


# Functions ------------------------------------------------------------------------------------------------------------


def _operands(
    name: str, count: int, input: Any, weight: Any, bias: Any, outputs: int, groups: int
) -> tuple[Node, Node, list[Node], bool]:
    """Input with a batch, kernel and bias of one dtype; `outputs` is the dimension of the kernel with its results."""
    x, w, *rest = common((input, weight, *([] if bias is None else [bias])), f"{name}()")
    if w.ndim != count + 2:
        raise SizeError("{}() needs a weight of {} dimensions, got shape {}", name, count + 2, w.shape,
                        argument="weight")
    x, alone = batched(x, count, name)
    if w.shape[0] % groups:
        raise GradcliError(f"weight has {w.shape[0]} channels, which {groups} groups do not divide", argument="groups")
    wanted = w.shape[1] * groups if outputs == 0 else w.shape[0]
    if x.shape[1] != wanted:
        raise SizeError(
            "{}(): the input has {} channels, weight {} takes {}", name, x.shape[1], w.shape, wanted,
            unequal=(x.shape[1], wanted) if groups == 1 else None,
        )
    if not all(w.shape[2:]):
        raise SizeError("{}(): the kernel is empty, weight has shape {}", name, w.shape)
    results = w.shape[0] if outputs == 0 else w.shape[1] * groups
    for b in rest:
        if b.shape != (results,):
            raise SizeError("bias has shape {}, it needs {}", b.shape, (results,), argument="bias",
                            unequal=(b.size, results) if b.ndim == 1 else None)
    return x, w, rest, alone


def _padding(value: Any, count: int, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[tuple[int, int], ...]:
    if value == "valid":
        return ((0, 0),) * count
    if isinstance(value, str) and value != "same":
        raise GradcliError(f"unknown padding {value!r}", hint="use a number, 'same' or 'valid'", argument="padding")
    if isinstance(value, str):
        if any(s != 1 for s in stride):
            raise GradcliError("padding='same' needs a stride of 1", argument="padding")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in totals)
    return tuple((n, n) for n in per_dimension(value, "padding", count))


def _groups(value: Any) -> int:
    number = as_int(value, "groups")
    if number < 1:
        raise GradcliError(f"groups must be at least 1, got {number}", argument="groups")
    return number


def _conv(count: int) -> Any:
    name = f"conv{count}d"

    def build(
        input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any
    ) -> Node:
        steps, within = per_dimension(stride, "stride", count, 1), per_dimension(dilation, "dilation", count, 1)
        parts = _groups(groups)
        x, w, rest, alone = _operands(name, count, input, weight, bias, 0, parts)
        pads = _padding(padding, count, w.shape[2:], steps, within)
        form = Meeting(steps, pads, within, parts)
        if any(n < 1 for n in out_lengths(x.shape[2:], w.shape[2:], form)):
            raise SizeError("{}(): the kernel {} is larger than the padded input {}", name, w.shape[2:], x.shape[2:])
        result = make(forward, (x, w, *rest), form._asdict())
        return squeeze(result, 0) if alone else result

    return build


def _conv_transpose(count: int) -> Any:
    name = f"conv_transpose{count}d"

    def build(
        input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any
    ) -> Node:
        steps, within = per_dimension(stride, "stride", count, 1), per_dimension(dilation, "dilation", count, 1)
        less, more = per_dimension(padding, "padding", count), per_dimension(output_padding, "output_padding", count)
        parts = _groups(groups)
        x, w, rest, alone = _operands(name, count, input, weight, bias, 1, parts)
        if any(m >= max(s, d) for m, s, d in zip(more, steps, within, strict=True)):
            raise GradcliError(
                f"output_padding {more} must be smaller than stride or dilation", argument="output_padding"
            )
        rows = zip(x.shape[2:], w.shape[2:], steps, less, more, within, strict=True)
        space = tuple((n - 1) * s - 2 * p + d * (k - 1) + m + 1 for n, k, s, p, m, d in rows)
        if any(n < 1 for n in space):
            raise SizeError("{}(): nothing is left of the result, whose lengths would be {}", name, space)
        # As far as whole steps of it go, nothing is spread there: the padding of the end is less by them.
        pads = tuple((p, p - m // s * s) for p, m, s in zip(less, more, steps, strict=True))
        form = Meeting(steps, pads, within, parts)
        result = make(back, (x, w, *rest), {"space": space, **form._asdict()})
        return squeeze(result, 0) if alone else result

    return build


def over_space(
    name: str, build: Callable[[int], Any], args: str, doc: str, example: tuple[str, str], more: str = ""
) -> Iterator[Op]:
    """The rows of a function for one, two and three dimensions, whose texts take their number and their names.

    The `dims` of an example are those of (batch, channels, …); `more` are arguments beyond one dimension.
    """
    for count, words in enumerate(("length", "height, width", "depth, height, width"), 1):
        call, shapes = (text.format(count, dims=2 + count) for text in example)
        yield composite(
            name.format(count), build(count), family="network", args=args + more * (count > 1),
            doc=doc.format(count, words=words), example=(call, shapes),
        )


conv1d, conv2d, conv3d = over_space(
    "conv{}d", _conv, "input, weight, bias=None, stride: lengths=1, padding: padding=0, dilation: lengths=1, groups=1",
    "Sum of the products of a kernel and each window of the input, (batch, channels, {words}).",
    ("conv{}d(input, weight)", "input:{dims} weight:{dims}"),
)
conv_transpose1d, conv_transpose2d, conv_transpose3d = over_space(
    "conv_transpose{}d", _conv_transpose,
    "input, weight, bias=None, stride: lengths=1, padding: lengths=0, output_padding: lengths=0, groups=1,"
    " dilation: lengths=1",
    "The adjoint of conv{}d: each element of the input, (batch, channels, {words}), spread by a kernel.",
    ("conv_transpose{}d(input, weight)", "input:{dims} weight:{dims}"),
)

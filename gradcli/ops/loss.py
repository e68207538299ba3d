"""Losses and layer normalization, in the steps that PyTorch takes."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import Literal, as_choice, as_int, as_node, as_number
from gradcli.graph.dtypes import CATEGORY, FLOAT64, INT64, to_float
from gradcli.graph.infer import broadcast_shapes, cast, promote
from gradcli.graph.native_forms import Dims, NativePlaces, NativeSteps
from gradcli.graph.node import Node, constant, fitted, make
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.batching import CLASSES, products, sums
from gradcli.ops.blocking import aligned
from gradcli.ops.elementwise import abs_, clamp, eq, mul, neg, rsqrt, where
from gradcli.ops.family import Row, apply, call, composite, elementwise, floating, given_shape, primitive
from gradcli.ops.formulas import arithmetic, places
from gradcli.ops.kernels import native, nn, pointwise
from gradcli.ops.kernels.inplace import select
from gradcli.ops.notation import numpy_sources, spelling
from gradcli.ops.reduce import mean, sum_
from gradcli.ops.rewrites import numbers
from gradcli.ops.shape import expand, reshape, sizes

REDUCTIONS = ("mean", "sum", "none")


def _reduction(value: Any) -> str:
    return as_choice(value, "reduction", REDUCTIONS)


def _reduce_array(values: Any, reduction: str) -> Any:
    if reduction == "none":
        return values
    total = np.add.reduce(values, axis=None, dtype=np.float64)
    return np.true_divide(total, values.size if reduction == "mean" else 1).astype(values.dtype)


def _kernels(losses: Callable[..., None]) -> Row:
    """The kernels of a loss, of which `losses` writes those of all elements into an array."""

    def kernel(*arrays: Any, reduction: str, **more: Any) -> Any:
        values = np.empty(broadcast_shapes([array.shape for array in arrays]), arrays[0].dtype)
        losses(values, *arrays, **more)
        return _reduce_array(values, reduction)

    def into(out: Any, *arrays: Any, reduction: str, **more: Any) -> None:
        if reduction == "none":
            losses(out, *arrays, **more)
        else:
            np.copyto(out, kernel(*arrays, reduction=reduction, **more))

    return {"kernel": kernel, "into": into}


def reduced(values: Node, reduction: Any) -> Node:
    """Losses as they are, their sum or their mean."""
    how = _reduction(reduction)
    return values if how == "none" else mean(values) if how == "mean" else sum_(values)


def _infer_pair(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    shape = broadcast_shapes([i.shape for i in inputs])
    return shape if params["reduction"] == "none" else (), inputs[0].dtype


def _lower_loss(node: Node) -> Node | None:
    """The losses of all elements, and then their sum or mean."""
    how = node.params["reduction"]
    if how == "none":
        return None
    return reduced(make(node.op, node.inputs, {**node.params, "reduction": "none"}), how)


def _unreduced(losses: Callable[..., Any]) -> Callable[..., Any]:
    """The native form of the losses of each element."""

    def form(v: Any, *vectors: Any, reduction: str, **params: Any) -> Any:
        if reduction != "none":
            raise NotImplementedError
        return losses(v, *vectors, **params)

    return form


def refuse_tracked(weight: Any, name: str, function: str) -> None:
    """Weights have no derivative in PyTorch either; leaving their gradient out silently would be a wrong answer."""
    if isinstance(weight, Node) and weight.requires_grad:
        hint = f"use detach({name}), or name the inputs to differentiate (--wrt)"
        raise GradcliError(f"{function}() has no derivative with respect to {name}", hint=hint, argument=name)


# Losses of a difference -----------------------------------------------------------------------------------------------


def _broadcast(input: Any, target: Any) -> tuple[Node, Node]:
    """Both in their common shape; PyTorch stretches them in a step of its own."""
    a, b = as_node(input), as_node(target)
    shape = broadcast_shapes([a.shape, b.shape])
    return a if a.shape == shape else expand(a, shape), b if b.shape == shape else expand(b, shape)


def _difference_loss(
    name: str, doc: str, losses: Callable[..., None], form: Callable[..., Any], slope: Callable[..., Node],
    parameter: str | None = None, **row: Any,
) -> Op:
    """A loss that is a function of input - target, written into an array; `form` is its native form, `slope` that
    function's derivative."""

    def build(input: Any, target: Any, reduction: Any, width: Any = None) -> Node:
        a, b = _broadcast(input, target)
        dtype = to_float(promote((a, b)))
        params: Params = {"reduction": _reduction(reduction)}
        if parameter is not None:
            params[parameter] = as_number(width, parameter)
            if parameter == "beta" and params[parameter] == 0:
                return _l1_loss(a, b, reduction)
            if params[parameter] <= 0:
                raise GradcliError(f"{parameter} must be positive, got {width}", argument=parameter)
        loss = make(op, (cast(a, dtype), cast(b, dtype)), params)
        # Which PyTorch writes to a tensor like its input.
        return cast(loss, a.dtype) if parameter == "delta" and a.is_floating else loss

    def of_both(out: Any, x: Any, y: Any, **width: float) -> None:
        np.subtract(x, y, out=out)
        losses(out, out, **width)

    def vjp(g: Node, out: Node, x: Node, y: Node, reduction: str, **width: float) -> tuple[Node, Node]:
        size = math.prod(broadcast_shapes([x.shape, y.shape]))
        pull = (g / max(1, size) if reduction == "mean" else g) * slope(x - y, **width)
        return pull, -pull

    extra = f", {parameter}=1.0" if parameter is not None else ""
    op: Op = primitive(
        name, infer=_infer_pair, family="loss", args=f"input, target, reduction='mean'{extra}", doc=doc, build=build,
        vjp=vjp, blocking=Blocking(aligned, lower=_lower_loss), text=spelling.real,
        native=_unreduced(lambda v, x, y, **width: form(v, x - y, **width)), **_kernels(of_both), **row,
    )
    return op


mse_loss = _difference_loss(
    "mse_loss", "Squared difference.", lambda out, d: np.square(d, out=out), lambda v, d: d * d, lambda d: 2 * d,
    words=("mse", "meansquarederror", "squarederror"),
)
huber_loss = _difference_loss(
    "huber_loss", "Half the squared difference up to delta, linear beyond.", nn.huber, native.huber,
    lambda d, delta: clamp(d, -delta, delta), "delta", words=("huber",),
)
smooth_l1_loss = _difference_loss(
    "smooth_l1_loss", "The Huber loss divided by beta.", nn.smooth_l1, native.smooth_l1,
    lambda d, beta: clamp(d / beta, -1.0, 1.0), "beta",
)


def _l1_loss(input: Any, target: Any, reduction: Any) -> Node:
    a, b = _broadcast(input, target)
    return reduced(abs_(a - b), reduction)


l1_loss = composite(
    "l1_loss", _l1_loss, args="input, target, reduction='mean'", family="loss", words=("mae", "meanabsoluteerror"),
    doc="Absolute difference.",
)


# Binary cross-entropy -------------------------------------------------------------------------------------------------


def _bce(input: Any, target: Any, weight: Any, pos_weight: Any, reduction: Any) -> Node:
    given = [as_node(input), as_node(target), *(as_node(v) for v in (weight, pos_weight) if v is not None)]
    refuse_tracked(weight, "weight", "binary_cross_entropy_with_logits")
    refuse_tracked(pos_weight, "pos_weight", "binary_cross_entropy_with_logits")
    dtype = to_float(promote(given))
    if given[0].shape != given[1].shape:
        raise SizeError(
            "target has shape {}, input {}: they must be equal", given[1].shape, given[0].shape, argument="target"
        )
    flags = {"weighted": weight is not None, "pos_weighted": pos_weight is not None}
    return make(bce, tuple(cast(n, dtype) for n in given), {"reduction": _reduction(reduction), **flags})


def _bce_parts(extra: tuple[Any, ...], weighted: bool, pos_weighted: bool) -> tuple[Any, Any]:
    """The weight and the weight of positive targets, None where not given."""
    return extra[0] if weighted else None, extra[-1] if pos_weighted else None


def _bce_losses(out: Any, x: Any, y: Any, *extra: Any, weighted: bool, pos_weighted: bool) -> None:
    nn.binary_cross_entropy(out, x, y, *_bce_parts(extra, weighted, pos_weighted))


def _bce_vjp(
    g: Node, out: Node, x: Node, y: Node, *extra: Node, reduction: str, weighted: bool, pos_weighted: bool
) -> tuple[Node | None, ...]:
    weight, positive = _bce_parts(extra, weighted, pos_weighted)
    share = g / max(1, x.size) if reduction == "mean" else g
    share = share if weight is None else share * weight
    chance = call("sigmoid", x)
    if positive is None:
        pulls = share * (chance - y), share * -x
    else:
        scaled = positive * y
        pulls = share * ((scaled + 1 - y) * chance - scaled), share * (-x - (positive - 1) * call("logsigmoid", x))
    return *pulls, *(None for _ in extra)


bce = primitive(
    "binary_cross_entropy_with_logits", infer=_infer_pair, family="loss", build=_bce, vjp=_bce_vjp,
    args="input, target, weight=None, pos_weight=None, reduction='mean'",
    grad_fn=lambda node: ("BinaryCrossEntropyWithLogitsBackward0", node.inputs[:2]),
    doc="Cross-entropy of probabilities (target) and the sigmoid of the input.",
    blocking=Blocking(aligned, lower=_lower_loss), **_kernels(_bce_losses),
    text=spelling.flagged(2, weighted="weight", pos_weighted="pos_weight"),
    native=_unreduced(
        lambda v, x, y, *extra, **flags: native.binary_cross_entropy(v, x, y, *_bce_parts(extra, **flags))
    ),
)


# Cross-entropy --------------------------------------------------------------------------------------------------------

# PyTorch's operations with a number have names of their own where they are called from within another one.
_times = elementwise(
    "_times", np.multiply, args="input, other", batching=products(0, 1),
    grad_fn=lambda node: ("MulBackward1", node.inputs[:1]), doc="Product with a number inside an operation.",
    vjp=lambda g, out, x, y: (g * y, None), powers=(1, 1), commutative=True, simplify=numbers.product, cost=1.0,
    native=native.product,
)
_plus = elementwise(
    "_plus", np.add, args="input, other", batching=sums(0, 1), grad_fn=lambda node: ("AddBackward1", node.inputs[:1]),
    doc="Sum with a number inside an operation.", vjp=lambda g, out, x, y: (g, None), signs=(1, 1), commutative=True,
    simplify=numbers.total, cost=1.0, native=native.total,
)
_over = elementwise(
    "_over", np.true_divide, args="input, other", batching=products(0),
    grad_fn=lambda node: ("DivBackward1", node.inputs[:1]), doc="Quotient by a number inside an operation.",
    vjp=lambda g, out, x, y: (g / y, None), powers=(1, -1), simplify=numbers.quotient, native=lambda v, x, y: x / y,
)


def _masked_fill(input: Any, mask: Any, value: Any) -> Node:
    x = as_node(input)
    if isinstance(value, Node | np.ndarray):
        filling = as_node(value)
        if filling.ndim:
            raise SizeError("masked_fill() takes a 0-dim tensor, got shape {}", filling.shape, argument="value")
        if CATEGORY[filling.dtype.kind] > CATEGORY[x.dtype.kind]:
            raise GradcliError(f"{filling.dtype} does not fit into {x.dtype}", argument="value")
        return apply(masked_fill_tensor, mask, cast(filling, x.dtype), x)
    number = as_number(value, "value")
    # Refuses what an integer dtype cannot hold.
    fitted(number, x.dtype)
    return apply(masked_fill, mask, x, value=number)


masked_fill = elementwise(
    "masked_fill", into=pointwise.masked_fill, dtype="select", args="input, mask, value: scalar",
    build=_masked_fill, grad_fn=lambda node: ("MaskedFillBackward0", node.inputs[1:]), words=("fill_where",),
    doc="The input with a number where the mask is true.", vjp=lambda g, out, m, x, value: (None, where(m, 0, g)),
    text=lambda w, c: w.forms.call(c.name, [*c.args[::-1], w.forms.number(c.params["value"])]),
    example=("masked_fill(input, mask, 0)", "input:0 mask:0:bool"), source=numpy_sources.MASKED_FILL,
    native=native.masked_fill,
)


masked_fill_tensor: Op = elementwise(
    "_masked_fill_tensor", into=select, args="mask, value, input", dtype="select", batching=sums(1, 2),
    doc="The input with a 0-dim tensor where the mask is true.", tame=True, formula=arithmetic.function_named("where"),
    grad_fn=lambda node: ("MaskedFillBackward1", node.inputs[:0:-1]),
    vjp=lambda g, out, m, value, x: (None, where(m, g, 0), where(m, 0, g)), cost=1.0,
    native=lambda v, mask, value, x: v.select(mask, value, x),
)


def class_axis(x: Node) -> int:
    """The dimension of the classes: the second, or the only one."""
    return min(1, x.ndim - 1)


def _class_indices(target: Any, x: Node) -> Node:
    """The target of a classification as integers, in the input's shape without its class dimension."""
    node = as_node(target)
    if isinstance(target, Literal) and "value" in node.params:
        # A list written in an expression holds floating-point numbers; whole ones serve as indices.
        values = node.params["value"]
        if np.all(values == np.floor(values)):
            node = constant(values.astype(INT64))
    if node.dtype.kind not in "iu":
        hint = "convert them, as in t.long(), or write tensor([0, 1], dtype=int64)"
        raise GradcliError(f"class indices must be integers, not {node.dtype}", hint=hint, argument="target")
    axis = class_axis(x)
    expected = x.shape[:axis] + x.shape[axis + 1 :]
    if node.shape != expected:
        raise SizeError(
            "target has shape {}, the input of shape {} needs {}", node.shape, x.shape, expected, argument="target"
        )
    return node


def _class_follow(node: Node, dim: int) -> Dims | None:
    """Operations on classes go through the samples of a batch one after the other."""
    batched = dim == 0 and all(i.ndim for i in node.inputs[:2])
    return (0, 0, *(None for _ in node.inputs[2:])) if batched else None


def _checked(target: Any, classes: int, ignore_index: int) -> tuple[Any, Any]:
    """The class indices, 0 for ignored targets, and which are ignored (None when there are none)."""
    ignored = target == ignore_index
    some = bool(np.any(ignored))
    safe = np.where(ignored, 0, target) if some else target
    wrong = (safe < 0) | (safe >= classes)
    if np.any(wrong):
        worst = target[wrong].ravel()[0]
        raise GradcliError(f"class {worst} is out of range: there are {classes} classes, counted from 0")
    return safe.astype(INT64, copy=False), ignored if some else None


def _pick_kernel(x: Any, target: Any, ignore_index: int) -> Any:
    axis = min(1, x.ndim - 1)
    safe, ignored = _checked(target, x.shape[axis], ignore_index)
    picked = np.take_along_axis(x, np.expand_dims(safe, axis), axis).squeeze(axis)
    return picked if ignored is None else np.where(ignored, x.dtype.type(0), picked)


def _put_kernel(values: Any, target: Any, shape: Shape, ignore_index: int) -> Any:
    axis = min(1, len(shape) - 1)
    safe, ignored = _checked(target, shape[axis], ignore_index)
    if ignored is not None:
        values = np.where(ignored, values.dtype.type(0), values)
    result = np.zeros(shape, values.dtype)
    np.put_along_axis(result, np.expand_dims(safe, axis), np.expand_dims(values, axis), axis)
    return result


def _factors_kernel(target: Any, *weight: Any, classes: int, dtype: np.dtype, ignore_index: int) -> Any:
    safe, ignored = _checked(target, classes, ignore_index)
    factors = weight[0][safe] if weight else np.ones(target.shape, dtype)
    return factors if ignored is None else np.where(ignored, dtype.type(0), factors)


def _class_check(number: int) -> Any:
    """What complains about classes out of range, of the operand of that number."""

    def check(node: Node) -> tuple[int, Callable[[Any], Any]]:
        classes, ignore_index = _classes(node)[1], node.params["ignore_index"]
        return number, lambda target: _checked(target, classes, ignore_index)

    return check


def _classes(node: Node) -> tuple[int, int]:
    """The dimension of the classes, and how many there are."""
    if "classes" in node.params:
        return 1, node.params["classes"]
    shape = node.params["shape"] if "shape" in node.params else node.inputs[0].shape
    axis = min(1, len(shape) - 1)
    return axis, shape[axis]


def _at_class(v: Any, x: Any, target: Any, place: Any, ignore_index: int, **params: Any) -> Any:
    """The value where the place is that of the class, 0 elsewhere and for ignored targets."""
    target = v.cast(target, place.dtype)
    chosen = target == place
    return v.select(chosen & (target != ignore_index) if ignore_index >= 0 else chosen, x, 0)


def _factor_at_class(v: Any, target: Any, *rest: Any, dtype: np.dtype, ignore_index: int, **params: Any) -> Any:
    *weight, place = rest
    return _at_class(v, weight[0] if weight else v.constant(1, dtype), target, place, ignore_index)


class_pick = primitive(
    "_class_pick", _pick_kernel, lambda inputs, params: (inputs[1].shape, inputs[0].dtype), family="loss",
    args="input, target", doc="The element of each target class, 0 for ignored ones.",
    grad_fn=lambda node: ("GatherBackward0", node.inputs[:1]),
    vjp=lambda g, out, x, t, ignore_index: (
        make(class_put, (g, t), {"shape": x.shape, "ignore_index": ignore_index}), None
    ),
    blocking=Blocking(_class_follow), batching=CLASSES, formula=places.class_pick,
    native=NativePlaces(_at_class, _classes, picks=True, check=_class_check(1)),
)
class_put: Op = primitive(
    "_class_put", _put_kernel, given_shape, family="loss", args="values, target",
    doc="Zeros with the values at the target classes.",
    grad_fn=lambda node: ("NllLossBackwardBackward0", node.inputs[:1]),
    vjp=lambda h, out, v, t, shape, ignore_index: (make(class_pick, (h, t), {"ignore_index": ignore_index}), None),
    blocking=Blocking(_class_follow), batching=CLASSES, formula=places.class_put,
    native=NativePlaces(_at_class, _classes, check=_class_check(1)),
)
class_factors = primitive(
    "_class_factors", _factors_kernel, lambda inputs, params: (inputs[0].shape, params["dtype"]), family="loss",
    args="target", doc="Each target's weight: 1 unless given, 0 for ignored ones.",
    blocking=Blocking(lambda node, dim: (dim, *(None for _ in node.inputs[1:]))), formula=places.class_factors,
    native=NativePlaces(_factor_at_class, _classes, picks=True, check=_class_check(0)),
)


def _factors(x: Node, rest: tuple[Node, ...], ignore_index: int) -> Node:
    return make(
        class_factors, rest, {"classes": x.shape[class_axis(x)], "dtype": x.dtype, "ignore_index": ignore_index}
    )


def _nll_kernel(x: Any, target: Any, *weight: Any, reduction: str, ignore_index: int) -> Any:
    losses = -_pick_kernel(x, target, ignore_index)
    axis = min(1, x.ndim - 1)
    factors = _factors_kernel(target, *weight, classes=x.shape[axis], dtype=x.dtype, ignore_index=ignore_index)
    if weight:
        losses = losses * factors
    if reduction == "none":
        # Ignored targets give 0, not -0.
        return losses + x.dtype.type(0)
    total = np.add.reduce(losses, axis=None, dtype=np.float64)
    if reduction == "mean":
        total = np.true_divide(total, np.add.reduce(factors, axis=None, dtype=np.float64))
    return np.asarray(total + 0.0).astype(x.dtype)


def _nll_vjp(g: Node, out: Node, x: Node, *rest: Node, reduction: str, ignore_index: int) -> tuple[Node | None, ...]:
    factors = _factors(x, rest, ignore_index)
    pull = factors * -(g / sum_(factors) if reduction == "mean" else g)
    return make(class_put, (pull, rest[0]), {"shape": x.shape, "ignore_index": ignore_index}), *(None for _ in rest)


def _nll_steps(node: Node) -> Node | None:
    """The losses of each target, 0 for ignored ones."""
    if node.params["reduction"] != "none":
        return None
    x, *rest = node.inputs
    ignore_index = node.params["ignore_index"]
    losses = -make(class_pick, (x, rest[0]), {"ignore_index": ignore_index})
    return (losses * _factors(x, tuple(rest), ignore_index) if len(rest) > 1 else losses) + 0.0


def _lower_nll(node: Node) -> Node | None:
    how, ignore_index = node.params["reduction"], node.params["ignore_index"]
    if how == "none":
        return None
    total = sum_(make(node.op, node.inputs, {**node.params, "reduction": "none"}))
    return total / sum_(_factors(node.inputs[0], node.inputs[1:], ignore_index)) if how == "mean" else total


def _nll_loss(input: Any, target: Any, weight: Any, ignore_index: Any, reduction: Any) -> Node:
    x = floating(input)
    if not x.ndim:
        raise GradcliError("nll_loss() needs a dimension of classes, the input has none")
    indices = _class_indices(target, x)
    rest = [indices]
    if weight is not None:
        refuse_tracked(weight, "weight", "nll_loss")
        w = cast(as_node(weight), x.dtype)
        if w.shape != (x.shape[class_axis(x)],):
            raise SizeError(
                "weight has shape {}, there are {} classes", w.shape, x.shape[class_axis(x)], argument="weight"
            )
        rest.append(w)
    how, ignored = _reduction(reduction), as_int(ignore_index, "ignore_index")
    params = {"reduction": how, "ignore_index": ignored}
    if x.ndim <= 2:
        return make(nll_loss, (x, *rest), params)
    # PyTorch has one operation for pictures and brings other shapes into that form.
    if x.ndim != 4:
        places = math.prod(x.shape[2:])
        rest[0] = reshape(indices, (x.shape[0], 1, places))
        x = reshape(x, (*x.shape[:2], 1, places))
    loss = make(nll_loss, (x, *rest), params)
    return reshape(loss, indices.shape) if how == "none" and loss.shape != indices.shape else loss


nll_loss = primitive(
    "nll_loss", _nll_kernel,
    lambda inputs, params: (inputs[1].shape if params["reduction"] == "none" else (), inputs[0].dtype), family="loss",
    build=_nll_loss, vjp=_nll_vjp, args="input, target, weight=None, ignore_index=-100, reduction='mean'",
    grad_fn=lambda node: ("NllLossBackward0" if node.inputs[0].ndim <= 2 else "NllLoss2DBackward0", node.inputs[:1]),
    doc="Minus the log-probability (input) of each target class.", batching=CLASSES,
    blocking=Blocking(_class_follow, lower=_lower_nll),
    text=lambda w, c: spelling.weighted(w, c, 2, "weight"), example="input:2 target:1:int64",
    native=NativeSteps(_nll_steps),
)


def _cross_entropy(
    input: Any, target: Any, weight: Any, ignore_index: Any, reduction: Any, label_smoothing: Any
) -> Node:
    x = floating(input)
    if not x.ndim:
        raise GradcliError("cross_entropy() needs a dimension of classes, the input has none")
    smoothing = as_number(label_smoothing, "label_smoothing")
    if not 0 <= smoothing <= 1:
        raise GradcliError(f"label_smoothing must lie between 0 and 1, got {smoothing}", argument="label_smoothing")
    how = _reduction(reduction)
    logs = call("log_softmax", x, class_axis(x))
    probabilities = as_node(target)
    if probabilities.is_floating and probabilities.shape == x.shape:
        if as_int(ignore_index, "ignore_index") >= 0:
            raise GradcliError(
                "ignore_index needs class indices, the target holds probabilities", argument="ignore_index"
            )
        return _cross_entropy_of_probabilities(logs, probabilities, weight, how, smoothing)
    hard = nll_loss(logs, target, weight, ignore_index, how)
    if not smoothing:
        return hard
    indices = _class_indices(target, x)
    axis = class_axis(x)
    spread = logs if weight is None else logs * _along(weight, logs, axis)
    ignored = eq(indices, as_int(ignore_index, "ignore_index"))
    soft = masked_fill(-sum_(spread, axis), ignored, 0.0)
    if how == "mean":
        extra = () if weight is None else (cast(as_node(weight), x.dtype),)
        soft = sum_(soft) / sum_(_factors(x, (indices, *extra), as_int(ignore_index, "ignore_index")))
    elif how == "sum":
        soft = sum_(soft)
    return apply(_times, hard, 1 - smoothing) + apply(_times, soft, smoothing / max(1, x.shape[axis]))


def _along(weight: Any, x: Node, axis: int) -> Node:
    """Class weights in a shape that broadcasts against the input's class dimension."""
    return reshape(as_node(weight), tuple(-1 if k == axis else 1 for k in range(x.ndim)))


def _cross_entropy_of_probabilities(logs: Node, target: Node, weight: Any, how: str, smoothing: float) -> Node:
    axis = class_axis(logs)
    if smoothing:
        target = apply(_plus, apply(_times, target, 1 - smoothing), smoothing / max(1, logs.shape[axis]))
    product = mul(logs, target)
    if weight is not None:
        product = product * _along(weight, logs, axis)
    if how == "none":
        return neg(sum_(product, axis))
    total = neg(sum_(product))
    # Of no rows the mean is 0/0, NaN.
    return apply(_over, total, logs.size / max(1, logs.shape[axis])) if how == "mean" else total


cross_entropy = composite(
    "cross_entropy", _cross_entropy, family="loss",
    args="input, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
    doc="Cross-entropy of the softmax of the input and target classes, given as indices or as probabilities.",
)


# Layer normalization --------------------------------------------------------------------------------------------------


def _layer_norm(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: Any) -> Node:
    x = floating(input)
    shape = tuple(sizes(normalized_shape, "normalized_shape"))
    if not shape or x.shape[-len(shape) :] != shape:
        raise SizeError(
            "normalized_shape {} are not the last dimensions of shape {}", shape, x.shape, argument="normalized_shape"
        )
    extra = []
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            node = cast(as_node(value), x.dtype)
            if node.shape != shape:
                raise SizeError("{} has shape {}, it needs {}", name, node.shape, shape, argument=name)
            extra.append(node)
    given = {"scaled": weight is not None, "shifted": bias is not None}
    return make(layer_norm, (x, *extra), {"dims": len(shape), "eps": as_number(eps, "eps"), **given})


def _layer_norm_kernel(x: Any, *extra: Any, dims: int, eps: float, scaled: bool, shifted: bool) -> Any:
    axes = tuple(range(x.ndim - dims, x.ndim))
    size = math.prod(x.shape[x.ndim - dims :])
    wide = x.astype(np.float64)
    wide -= np.true_divide(np.add.reduce(wide, axis=axes, keepdims=True), size)
    variance = np.true_divide(np.add.reduce(wide * wide, axis=axes, keepdims=True), size)
    wide /= np.sqrt(variance + eps)
    if scaled:
        wide *= extra[0]
    if shifted:
        wide += extra[-1]
    return wide.astype(x.dtype, copy=False)


def _layer_norm_steps(node: Node) -> Node:
    """The steps of the kernel as operations, the factor of a row being the same for all of it."""
    x, extra, params = node.inputs[0], node.inputs[1:], node.params
    axes = tuple(range(x.ndim - params["dims"], x.ndim))
    wide, *given = (cast(part if part is x else expand(part, x.shape), FLOAT64) for part in (x, *extra))
    centred = wide - mean(wide, axes, True)
    result = centred * rsqrt(mean(centred * centred, axes, True) + params["eps"])
    if params["scaled"]:
        result = result * given[0]
    return cast(result + given[-1] if params["shifted"] else result, x.dtype)


def _layer_norm_vjp(
    g: Node, out: Node, x: Node, *extra: Node, dims: int, eps: float, scaled: bool, shifted: bool
) -> tuple[Node | None, ...]:
    axes = tuple(range(x.ndim - dims, x.ndim))
    centred = x - mean(x, axes, True)
    scale = rsqrt(mean(centred * centred, axes, True) + eps)
    normal = centred * scale
    pull = g * extra[0] if scaled else g
    dx = scale * (pull - mean(pull, axes, True) - normal * mean(pull * normal, axes, True))
    return dx, *((g * normal,) if scaled else ()), *((g,) if shifted else ())


def _layer_norm_follow(node: Node, dim: int) -> Dims | None:
    inner = node.ndim - node.params["dims"]
    return (dim, *(None for _ in node.inputs[1:])) if dim < inner else None


def _layer_norm_of_merged(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    fits = node.ndim - node.params["dims"] >= 2 and inputs[1:] == node.inputs[1:]
    return make(layer_norm, inputs, node.params) if fits else None


def _layer_norm_grad_fn(node: Node) -> tuple[str, tuple[Node | None, ...]]:
    x, *rest = node.inputs
    return "NativeLayerNormBackward0", (x, *(rest.pop(0) if node.params[f] else None for f in ("scaled", "shifted")))


def _layer_norm_text(writer: Any, call: Any) -> Any:
    shape = writer.forms.sequence([writer.size(n) for n in call.params["shape"]], "tuple")
    given = [name for flag, name in (("scaled", "weight"), ("shifted", "bias")) if call.params[flag]]
    return spelling.weighted(writer, call._replace(args=[call.args[0], shape, *call.args[1:]]), 2, *given)


layer_norm = primitive(
    "layer_norm", _layer_norm_kernel, family="loss", args="input, normalized_shape, weight=None, bias=None, eps=1e-5",
    build=_layer_norm, vjp=_layer_norm_vjp, grad_fn=_layer_norm_grad_fn,
    doc="The last dimensions normalized to mean 0 and variance 1, then scaled and shifted.",
    blocking=Blocking(_layer_norm_follow, merged=_layer_norm_of_merged), native=NativeSteps(_layer_norm_steps),
    formula=lambda c, s: c.call(s, None, {**s.params, "shape": s.shape[len(s.shape) - s.params["dims"] :]}),
    text=_layer_norm_text, example=("layer_norm(input, input.shape)", "input:1"), words=("layernormalization",),
)

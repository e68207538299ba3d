"""The loss of sequences whose alignment is not known: connectionist temporal classification."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.dtypes import FLOAT32, INT64
from gradcli.graph.infer import cast
from gradcli.graph.node import CONSTANT, Node, constant
from gradcli.ops.elementwise import detach, eq, exp, logical_and, logical_or, ne, neg, where
from gradcli.ops.family import call, composite, floating
from gradcli.ops.loss import reduced
from gradcli.ops.one_step import one_step
from gradcli.ops.reduce import logsumexp, mean, sum_
from gradcli.ops.shape import cat, cut, expand, reshape, stack, unsqueeze

# The logarithm of a probability of 0: a number that stays one in sums and differences.
_NEVER = -1e30
# Each moment is a part of the graph.
_MOST_MOMENTS = 10_000


def _ctc(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any, reduction: Any,
    zero_infinity: bool,
) -> Node:
    x = floating(log_probs)
    alone = x.ndim == 2
    if alone:
        x = unsqueeze(x, 1)
    if x.ndim != 3 or not x.shape[0] or not x.shape[2]:
        raise SizeError("ctc_loss() takes (time, batch, classes) or (time, classes), got shape {}", x.shape)
    if x.shape[0] > _MOST_MOMENTS:
        raise SizeError("ctc_loss() goes through at most {} moments, got {}", _MOST_MOMENTS, x.shape[0])
    empty, batch = as_int(blank, "blank"), x.shape[1]
    if not 0 <= empty < x.shape[2]:
        raise GradcliError(f"blank is {empty}, there are {x.shape[2]} classes", argument="blank")
    times = _lengths(input_lengths, "input_lengths", batch, x.shape[0])
    counts = _lengths(target_lengths, "target_lengths", batch)
    labels = _labels(as_node(targets), counts, batch, alone)
    # float16 has no number for what cannot be.
    total = _total(cast(x, FLOAT32) if x.dtype.itemsize == 2 else x, labels, times, counts, empty)
    never = total < _NEVER / 2
    # The gradient of what cannot be is no number, unless it is asked for as 0.
    losses = cast(where(never, where(never, total, 0.0) * -math.inf, neg(total)), x.dtype) + _as_logits(x, times)
    losses = one_step("CtcLossBackward0", losses, x)
    if zero_infinity:
        losses = where(call("isinf", losses), 0.0, losses)
    if reduction == "mean":
        return mean(losses / call("to", call("clamp_min", counts, 1), x.dtype))
    losses = reduced(losses, reduction)
    return reshape(losses, ()) if alone and losses.ndim else losses


def _lengths(value: Any, name: str, batch: int, most: int | None = None) -> Node:
    """A length for each member of the batch; those that are written out are looked at."""
    numbers = [as_int(n, name) for n in value] if isinstance(value, list | tuple) else None
    node = as_node(value) if numbers is None else constant(np.array(numbers, np.int64))
    if node.dtype.kind not in "iu" or node.size != batch:
        raise SizeError("{} needs {} integers, got shape {}", name, batch, node.shape, argument=name)
    known = node.params["value"] if node.op is CONSTANT else np.zeros(0, int)
    if known.size and (known.min() < 0 or (most is not None and known.max() > most)):
        raise GradcliError(f"{name} must lie between 0 and {most}, got {known.max()}", argument=name)
    return reshape(cast(node, INT64), (batch,))


def _labels(targets: Node, counts: Node, batch: int, alone: bool) -> Node:
    """The targets as (batch, labels), also where they are given one after the other."""
    if targets.dtype.kind not in "iu":
        raise GradcliError(f"ctc_loss() takes class indices as targets, got {targets.dtype}", argument="targets")
    if targets.ndim == 1 and not alone:
        if not targets.size:
            return call("zeros", batch, 1, dtype=INT64)
        known = counts.inputs[0].params if counts.inputs and counts.inputs[0].op is CONSTANT else counts.params
        longest = int(known["value"].max(initial=1)) if "value" in known else targets.size
        starts = unsqueeze(call("cumsum", counts, 0) - counts, 1)
        places = starts + call("arange", max(1, min(longest, targets.size)))
        return call("getitem", targets, call("clamp", places, 0, targets.size - 1))
    rows = unsqueeze(targets, 0) if targets.ndim == 1 else targets
    if rows.ndim != 2 or rows.shape[0] != batch:
        raise SizeError("targets have shape {}, the batch has {} members", targets.shape, batch, argument="targets")
    return rows if rows.shape[1] else call("zeros", batch, 1, dtype=INT64)


def _total(x: Node, labels: Node, times: Node, counts: Node, blank: int) -> Node:
    """The logarithm of the probability of all alignments: blanks between the labels, each of which may be repeated."""
    batch, length = labels.shape
    width = 2 * length + 1
    blanks = call("full", (batch, length), blank, dtype=INT64)
    path = cat([reshape(stack([blanks, cast(labels, INT64)], 2), (batch, 2 * length)), cut(blanks, 1, 0, 1, 1)], 1)
    emitted = call("getitem", x, (slice(None), unsqueeze(call("arange", batch), 1), path))
    # A blank may be left out between different labels.
    skips = logical_and(ne(path, blank), ne(path, cat([cut(path, 1, 0, 2, 1), cut(path, 1, 0, width - 2, 1)], 1)))
    place, last = call("arange", width), unsqueeze(counts * 2, 1)
    nowhere = call("full", (batch, 2), _NEVER, dtype=x.dtype)
    alpha = where(place < 2, call("select", emitted, 0, 0), _NEVER)
    for time in range(1, x.shape[0]):
        one = cat([cut(nowhere, 1, 0, 1, 1), cut(alpha, 1, 0, width - 1, 1)], 1)
        two = where(skips, cat([nowhere, cut(alpha, 1, 0, width - 2, 1)], 1), _NEVER)
        reached = logsumexp(stack([alpha, one, two], 0), 0) + call("select", emitted, 0, time)
        alpha = where(unsqueeze(times > time, 1), reached, alpha)
    ends = logical_or(eq(place, last), eq(place, last - 1))
    total = logsumexp(where(ends, alpha, _NEVER), 1)
    # Without a moment there are no labels.
    return where(eq(times, 0), where(eq(counts, 0), 0.0, 2 * _NEVER), total)


def _as_logits(x: Node, times: Node) -> Node:
    """Zeros whose gradient PyTorch adds: it takes the input for what log_softmax gives, and its sum for fixed."""
    moments = unsqueeze(unsqueeze(call("arange", x.shape[0]), 1) < times, 2)
    chances = sum_(where(expand(moments, x.shape), exp(x), 0.0), [0, 2])
    return chances - detach(chances)


ctc_loss = composite(
    "ctc_loss", _ctc, family="network",
    args="log_probs, targets: tensor, input_lengths: durations, target_lengths: durations, blank=0, reduction='mean',"
    " zero_infinity=False",
    doc="Minus the log-probability that a sequence of (time, batch, classes) spells the targets; the gradient is that "
    "for log_softmax.",
    example=("ctc_loss(input, targets, [2], [1])", "input:2 targets:1:int64"),
)

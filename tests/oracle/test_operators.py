"""Every operation of PyTorch's own table that gradcli has, on every float64 sample of the table.

A sample is a call with tensors and other arguments. gradcli's function is called with the same, and compared are

- the results: how many there are, their shapes, dtypes and values, and which of them require grad;
- the gradients of all floating-point tensors that take part, also those in lists, for random cotangents;
- the gradients of those gradients, also by the cotangents, where the table says that PyTorch has them.

No sample is left out. Results that are determined only up to a sign, such as eigenvectors, are passed through the
function that the table gives for that, on both sides. In the second derivative, which is compared where it has at most
`LARGE` elements, no gradient is the same as zeros: which of the two it is says how a rule is written, nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from tests.oracle import torch
from tests.oracle.entries import NAMES, PRESENT

pytestmark = pytest.mark.oracle

#: gradcli has at least so many of the entries. Raised with every one that comes.
AT_LEAST = 431

#: PyTorch's documentation says of these that their second derivatives are none.
FIRST_ORDER = ("chunked", "chunked_none")

LARGE = 10_000
#: Both relative and of the largest element: PyTorch's least exact function is `ndtr`, 9e-12 off at -4.8.
TOLERANCE = 1e-11
#: Errors of rounding, in units of `eps` of the coarsest dtype that takes part: float32 weights of `cov` leave 5.4.
ROUNDINGS = 8
#: Where PyTorch's own derivatives are so far from the true ones, and gradcli's are not.
LESS_EXACT = {
    # It takes 1/6 in float32, which is 3e-8 off.
    "nn.functional.hardsigmoid": 1.6e-8,
    # The series of its trigamma function ends early, 5e-10 off.
    "mvlgamma": 5e-10,
    # Its second derivative has 1e-12 added to denominators.
    "nn.functional.binary_cross_entropy": 5e-10,
}


@cache
def _table() -> dict[str, Any]:
    from torch.testing._internal import common_utils
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo import core

    for module in (common_utils, core):
        # Samples ask which of PyTorch's tests they are for: to go through all frames takes longer than to compare them.
        module.extract_test_fn = lambda: None  # type: ignore[attr-defined]
    return {op.name + f"/{op.variant_test_name}" * bool(op.variant_test_name): op for op in op_db}


def test_how_many_there_are() -> None:
    assert len(set(NAMES)) == 443
    assert len(PRESENT) >= AT_LEAST


@pytest.mark.parametrize("name", PRESENT)
def test_entry(name: str) -> None:
    with warnings.catch_warnings():
        # PyTorch's own, of functions that it would rather not have.
        warnings.simplefilter("ignore")
        entry = _table()[name]
        samples = list(entry.sample_inputs("cpu", torch.float64, requires_grad=True))
    assert samples
    failures = []
    for number, sample in enumerate(samples):
        try:
            _compare(entry, PRESENT[name], sample, number)
        except Exception as error:
            failures.append(f"{_shown(sample)}\n    {type(error).__name__}: {str(error).strip()}")
    assert not failures, "\n\n".join([f"{len(failures)} of {len(samples)} samples fail", *failures[:5]])


def _compare(entry: Any, function: Any, sample: Any, number: int) -> None:
    given = [sample.input, list(sample.args), sample.kwargs]
    theirs, ours = _tensors(given), {}
    words: Any
    first, args, words = _translated(given, ours)
    # That of the processor; `torch.manual_seed` keeps a traceback for those that are not there.
    torch.default_generator.manual_seed(number)
    gc.manual_seed(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _results(sample.output_process_fn_grad(entry.op(sample.input, *sample.args, **sample.kwargs)))
    results = _results(sample.output_process_fn_grad(function(first, *args, **words)))
    assert len(results) == len(expected), f"{len(results)} results, not {len(expected)}"
    for k, (x, y) in enumerate(zip(results, expected, strict=True)):
        _check(f"result {k}", x, y, TOLERANCE, _largest([y]))
        assert x.requires_grad == y.requires_grad, f"result {k} has requires_grad={x.requires_grad}"
    random = np.random.default_rng(number)
    leaves = [t for t in theirs if t.requires_grad]
    right, found = [y for y in expected if y.requires_grad], [x for x in results if x.requires_grad]
    if right and leaves:
        _compare_gradients(entry, right, found, leaves, [ours[id(t)] for t in leaves], random)


def _compare_gradients(
    entry: Any, expected: list[Any], results: list[Any], their_leaves: list[Any], our_leaves: list[Any], random: Any
) -> None:
    seeds = [np.asarray(random.normal(size=tuple(y.shape))).astype(_dtype(y)) for y in expected]
    small = max(t.numel() for t in (*their_leaves, *expected)) <= LARGE
    second = small and entry.supports_gradgrad and entry.variant_test_name not in FIRST_ORDER
    their_seeds = [torch.tensor(seed, requires_grad=second) for seed in seeds]
    our_seeds = [gc.tensor(seed, requires_grad=second) for seed in seeds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = torch.autograd.grad(expected, their_leaves, their_seeds, create_graph=second, allow_unused=True)
    found = gc.grad(results, our_leaves, our_seeds, create_graph=second, allow_unused=True)
    # Where a gradient cancels to zero, as that of a normalized single element, roundings of the cotangents are left.
    roundings = ROUNDINGS * max(float(np.finfo(_dtype(t)).eps) for t in (*their_leaves, *expected))
    tolerance = max(LESS_EXACT.get(entry.name, TOLERANCE), roundings)
    floor = roundings / tolerance * _largest(their_seeds)
    scale = max(_largest(right), floor)
    for k, (x, y) in enumerate(zip(found, right, strict=True)):
        assert (x is None) == (y is None), f"the gradient of tensor {k} is {x}, not {y}"
        if y is not None:
            _check(f"gradient of tensor {k}", x, y, tolerance, scale)
    pairs = [(x, y) for x, y in zip(found, right, strict=True) if y is not None and y.requires_grad]
    if second and pairs:
        leaves = [*their_leaves, *their_seeds], [*our_leaves, *our_seeds]
        _compare_second(pairs, *leaves, random, tolerance, floor)


def _compare_second(
    pairs: list[Any], their_leaves: list[Any], our_leaves: list[Any], random: Any, tolerance: float, floor: float
) -> None:
    """The derivatives of gradients, in pairs of ours and theirs."""
    again = [np.asarray(random.normal(size=x.shape)) for x, _ in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            right = torch.autograd.grad(
                [y for _, y in pairs], their_leaves, [torch.tensor(a) for a in again], allow_unused=True
            )
        except RuntimeError as error:
            # Of some samples it has none, whatever its table says.
            if "is not implemented" not in str(error):
                raise
            return
    tracked = [(x, seed) for (x, _), seed in zip(pairs, again, strict=True) if x.requires_grad]
    found: Any = (None,) * len(our_leaves)
    if tracked:
        found = gc.grad([x for x, _ in tracked], our_leaves, [seed for _, seed in tracked], allow_unused=True)
    scale = max(_largest(right), floor)
    for k, (x, y) in enumerate(zip(found, right, strict=True)):
        if x is not None or y is not None:
            there = next(t for t in (x, y) if t is not None)
            ours, theirs = (np.zeros(tuple(there.shape)) if t is None else _array(t) for t in (x, y))
            _check_values(f"second derivative of tensor {k}", ours, theirs, tolerance, scale)


def _check(what: str, x: Any, y: Any, tolerance: float, scale: float) -> None:
    assert isinstance(x, gc.Tensor), f"{what} is {type(x).__name__}"
    assert x.shape == tuple(y.shape), f"{what} has shape {x.shape}, not {tuple(y.shape)}"
    assert str(x.dtype) == _dtype(y), f"{what} has dtype {x.dtype}, not {y.dtype}"
    _check_values(what, _array(x), _array(y), tolerance, scale)


def _check_values(what: str, x: np.ndarray, y: np.ndarray, tolerance: float, scale: float) -> None:
    if y.dtype.kind != "f":
        np.testing.assert_array_equal(x, y, what)
        return
    tolerance = max(tolerance, 4 * float(np.finfo(y.dtype).eps))
    np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def _largest(tensors: Any) -> float:
    """The largest finite number among the elements: what cancels leaves errors that are small beside it."""
    arrays = [_array(t) for t in tensors if t is not None and t.is_floating_point()]
    return max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)


def _array(x: Any) -> np.ndarray:
    return np.array(x.value()) if isinstance(x, gc.Tensor) else x.numpy(force=True)


def _dtype(y: Any) -> str:
    return str(y.dtype).removeprefix("torch.")


def _results(value: Any) -> list[Any]:
    """The tensors of an answer, in order."""
    return [x for item in value for x in _results(item)] if isinstance(value, list | tuple) else [value]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


def _tensors(value: Any) -> list[Any]:
    """PyTorch's tensors among arguments, each once."""
    return list({id(x): x for x in _leaves(value) if isinstance(x, torch.Tensor)}.values())


def _translated(value: Any, known: dict[int, Any]) -> Any:
    """PyTorch's arguments as gradcli's; a tensor that appears twice is the same tensor both times."""
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            known[id(value)] = gc.tensor(_array(value), requires_grad=value.requires_grad)
        return known[id(value)]
    if isinstance(value, dict):
        return {k: _translated(v, known) for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = [_translated(v, known) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, torch.dtype | torch.memory_format | torch.device):
        # By the name that both have them under, as in torch.float64.
        name = str(value).removeprefix("torch.")
        return getattr(gc, name, name)
    return value


def _shown(sample: Any) -> str:
    def text(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return f"tensor{list(value.shape)}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(text, value))}]"
        return repr(value)

    words = [f"{k}={text(v)}" for k, v in sample.kwargs.items()]
    return f"({', '.join([*map(text, (sample.input, *sample.args)), *words])})"

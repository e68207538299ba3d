"""Changes in place, of views and of what they are views of: random programs in PyTorch and here, step by step."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.tensors.views import place_of
from tests.cases import Case, all_cases
from tests.oracle import torch
from tests.test_oracle_linalg import long_strides

pytestmark = pytest.mark.oracle

# What gradcli refuses, since gradients through it would be wrong or a leaf has several graphs.
STRICTER = ("the data of a tracked result",)
Step = Callable[[Any, list[Any]], Any]


def view(rng: random.Random, shape: tuple[int, ...]) -> Step:
    """A view of a tensor of this shape."""
    dim = rng.randrange(len(shape)) if shape else 0
    place, start = rng.randrange(shape[dim]) if shape and shape[dim] else 0, rng.randrange(2)
    by = rng.choice([1, 1, 2])
    ways: list[Callable[[Any], Any]] = [
        lambda x: x.detach(),
        lambda x: x.unsqueeze(0),
        lambda x: x[...],
        lambda x: x.reshape(-1),
        lambda x: x.clone(),
        lambda x: x.expand(shape),
    ]
    if shape and min(shape):
        ways += [
            lambda x: x.select(dim, place),
            lambda x: x[x.new_tensor(place % shape[0]).long()],
            lambda x: x[start % shape[0] :],
            lambda x: x.flip(dim),
            lambda x: x.sort(dim).values,
            lambda x: x[(slice(None),) * dim + (slice(start, None, by),)],
            lambda x: x[None, place % shape[0]],
            # PyTorch changes none of several views at once where they are tracked.
            lambda x: x.unbind(dim)[place] if isinstance(x, gc.Tensor) else x.select(dim, place),
            lambda x: x.split(2, dim)[0] if isinstance(x, gc.Tensor) else x.narrow(dim, 0, min(2, shape[dim])),
            lambda x: x.narrow(dim, 0, 1).squeeze(dim),
            lambda x: x[[0, 0]],
            lambda x: x.flatten(),
        ]
    if len(shape) > 1:
        ways += [lambda x: x.mT, lambda x: x.transpose(0, -1), lambda x: x.permute(*reversed(range(len(shape))))]
        ways += [lambda x: x.diagonal(), lambda x: x.mT.reshape(-1), lambda x: x.movedim(0, 1)]
    way = rng.choice(ways)
    return lambda library, tensors: way(tensors[0])


def index(rng: random.Random, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """An index of a tensor of this shape."""
    first = rng.randrange(shape[0])
    ways: list[Callable[[Any], Any]] = [
        lambda library: first,
        lambda library: slice(first, None),
        lambda library: slice(None, None, 2),
        lambda library: ...,
        lambda library: (None, first),
        lambda library: library.tensor(first),
        lambda library: [first],
        lambda library: library.tensor([first, (first + 1) % shape[0]]) if shape[0] > 1 else slice(None),
        lambda library: library.tensor([k % 2 == 0 for k in range(shape[0])]),
    ]
    if len(shape) > 1:
        last = rng.randrange(shape[-1])
        ways += [
            lambda library: (..., last),
            lambda library: (first, last),
            lambda library: (slice(first, None), [last]),
        ]
        ways += [lambda library: (first, slice(last, None)), lambda library: (slice(None), library.tensor([last]))]
    return rng.choice(ways)


def other_view(rng: random.Random, shape: tuple[int, ...]) -> Step:
    """A change of the shape of the first tensor."""
    dim, other = (rng.randrange(len(shape)), rng.randrange(len(shape))) if shape else (-1, -1)
    ways: list[Step] = [
        lambda library, t: t[0].unsqueeze_(dim),
        lambda library, t: t[0].squeeze_(),
        lambda library, t: t[0].squeeze_(dim),
        lambda library, t: t[0].transpose_(dim, other),
        lambda library, t: t[0].swapaxes_(0, -1),
    ]
    if len(shape) < 3:
        ways += [lambda library, t: t[0].t_()]
    return rng.choice(ways)


def change(rng: random.Random, shape: tuple[int, ...], others: int) -> Step:
    """A change in place of the first tensor, perhaps by others that can be broadcast to it."""
    number, other = rng.choice([0.5, -2.0, 3.0]), rng.randrange(1, others) if others > 1 else 0
    ways: list[Step] = [
        lambda library, t: t[0].mul_(number),
        lambda library, t: t[0].add_(number),
        lambda library, t: t[0].zero_(),
        lambda library, t: t[0].fill_(number),
    ]
    if len(shape) > 1 and (len(shape) == 2 or len(set(shape)) == 1):
        ways += [lambda library, t: t[0].fill_diagonal_(number)]
    if other:
        ways += [lambda library, t: t[0].copy_(t[other]), lambda library, t: t[0].add_(t[other])]
    if shape and min(shape):
        at = index(rng, shape)

        def put(library: Any, t: list[Any]) -> None:
            t[0][at(library)] = number

        def put_tensor(library: Any, t: list[Any]) -> None:
            t[0][at(library)] = t[other].sum() * number

        def grow(library: Any, t: list[Any]) -> None:
            t[0][at(library)] *= number

        ways += [put, put, grow, *([put_tensor] if other else [])]
    return rng.choice(ways)


def attempt(step: Step, library: Any, tensors: list[Any], tracked: bool) -> tuple[Any, str | None]:
    try:
        with nullcontext() if tracked else library.no_grad():
            return step(library, tensors), None
    except (RuntimeError, IndexError) as error:
        return None, str(error)


def same(mine: Any, theirs: Any) -> bool:
    values = np.array_equal(mine.detach().numpy(), theirs.detach().numpy())
    values = values and tuple(mine.shape) == tuple(theirs.shape)
    return values and mine.requires_grad == theirs.requires_grad and mine.is_leaf == theirs.is_leaf


def program(seed: int, shapes: bool = False) -> list[str]:
    """Run a random program in both, one with changes of shape perhaps; gives what differs."""
    rng = random.Random(seed)
    pairs: list[tuple[Any, Any]] = []
    leaves = []
    for _ in range(rng.randrange(1, 4)):
        shape = tuple(rng.choice([1, 2, 3]) for _ in range(rng.randrange(1, 4)))
        data = np.array([rng.randrange(-4, 5) for _ in range(int(np.prod(shape)))], np.float64).reshape(shape)
        tracked = rng.random() < 0.5
        pair = gc.tensor(data, requires_grad=tracked), torch.tensor(data, requires_grad=tracked)
        leaves += [pair] if tracked else []
        pairs += [pair, (pair[0] * 2, pair[1] * 2)]
    for number in range(rng.randrange(4, 14)):
        chosen = rng.choice(pairs)
        shape = tuple(chosen[1].shape)
        # What happens to elements that are read and written at once is nobody's to know.
        memory = chosen[1].untyped_storage().data_ptr()
        near = [p for p in pairs if p[1].shape == chosen[1].shape and p[1].untyped_storage().data_ptr() != memory]
        operands = [chosen, *rng.sample(near, min(len(near), 1))]
        changes = rng.random() < 0.55
        turns = shapes and changes and rng.random() < 0.5
        step = other_view(rng, shape) if turns else change(rng, shape, len(operands)) if changes else view(rng, shape)
        # Views that PyTorch makes within no_grad() are neither tracked nor untracked.
        tracked = not changes or rng.random() < 0.8 or turns
        theirs, refused = attempt(step, torch, [p[1] for p in operands], tracked)
        mine, error = attempt(step, gc, [p[0] for p in operands], tracked)
        if refused or error:
            if refused and error:
                continue
            # What one of them has not done makes the rest of the program another one.
            return [] if refused or error.startswith(STRICTER) else [f"step {number}: {error}"]
        if not changes:
            pairs.append((mine, theirs))
        wrong = [k for k, pair in enumerate(pairs) if not same(*pair)]
        if wrong:
            return [f"step {number}, tensor {k}: {pairs[k][0]} for {pairs[k][1]}" for k in wrong]
    return gradients(pairs, leaves)


def gradients(pairs: list[tuple[Any, Any]], leaves: list[tuple[Any, Any]]) -> list[str]:
    results = [pair for pair in pairs if pair[1].requires_grad and not pair[1].is_leaf]
    if not results:
        return []
    for side in (0, 1):
        sum((k + 1) * pair[side].sum() for k, pair in enumerate(results)).backward()
    found = []
    for mine, theirs in leaves:
        ours = None if mine.grad is None else mine.grad.numpy()
        wanted = None if theirs.grad is None else theirs.grad.numpy()
        if (ours is None) != (wanted is None) or (ours is not None and not np.array_equal(ours, wanted)):
            found.append(f"gradient {ours} for {wanted}")
    return found


@pytest.mark.parametrize("group", range(20))
def test_random_programs(group: int) -> None:
    found = {seed: wrong for seed in range(group * 50, group * 50 + 50) if (wrong := program(seed))}
    assert not found


@pytest.mark.parametrize("group", range(20))
def test_random_programs_with_changes_of_shape(group: int) -> None:
    found = {seed: wrong for seed in range(group * 50, group * 50 + 50) if (wrong := program(seed, shapes=True))}
    assert not found


class Names(dict[str, Any]):
    """The functions of a library, by the names in expressions."""

    def __init__(self, library: Any, arrays: dict[str, Any]) -> None:
        super().__init__({name: library.tensor(array) for name, array in arrays.items()})
        self.modules = (gc,) if library is gc else (torch, torch.nn.functional, torch.linalg, torch.special)

    def __missing__(self, name: str) -> Any:
        for module in self.modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise NameError(name)


# Views for PyTorch, copies here: docs/from-pytorch.md says so of the first one.
COPIES = ("as_strided(", "narrow(x, 1, i, 2)")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_what_shares_memory_shares_it_here(case: Case) -> None:
    names = Names(torch, case.arrays()), Names(gc, case.arrays())
    try:
        theirs, mine = (eval(case.expression, {}, scope) for scope in names)  # noqa: S307
    except (NameError, TypeError, AttributeError, RuntimeError, ValueError):
        # Written differently in PyTorch, or a method only.
        return
    several = isinstance(mine, tuple)
    for result, wanted in zip(mine if several else [mine], theirs if several else [theirs], strict=False):
        if not isinstance(wanted, torch.Tensor) or not wanted.numel() or case.expression.startswith(COPIES):
            continue
        for name in case.inputs:
            shared = wanted.untyped_storage().data_ptr() == names[0][name].untyped_storage().data_ptr()
            assert (place_of(result.node).origin is names[1][name].node) == shared, name


LAYOUTS = (
    *("x[::2].detach()", "x.T.detach()", "x[:, ::2].detach()", "x.T.flip(0)", "x[:, ::2].flip(0)", "x.T.fliplr()"),
    *("x.T.rot90(1)", "x.T.sort(0).values", "x.T.sort(0).indices", "x.T.argsort(1)", "x.T.msort()", "x.T.exp()"),
    *("x.T.clone()", "x.T + x.T", "x.T.double()", "x.T.contiguous()", "x[:1].T", "x.expand(2, 3, 4)", "x.T[1:]"),
)


@pytest.mark.parametrize("text", LAYOUTS)
def test_the_order_in_memory(text: str) -> None:
    """It decides whether reshape() gives a view, which a change in place goes through."""
    mine, wanted = (eval(text, {"x": lib.arange(12.0).reshape(3, 4)}) for lib in (gc, torch))  # noqa: S307
    assert mine.is_contiguous() == wanted.is_contiguous()
    assert long_strides(mine.shape, mine.node.strides) == long_strides(wanted.shape, wanted.stride())


@pytest.mark.parametrize("name, training", [("batch_norm", "training"), ("instance_norm", "use_input_stats")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_statistics(name: str, training: str, dtype: str) -> None:
    random = np.random.default_rng(3)
    stats = [[lib.zeros(3, dtype=lib_dtype), lib.ones(3, dtype=lib_dtype)] for lib, lib_dtype in
             ((gc, np.dtype(dtype)), (torch, getattr(torch, dtype)))]  # fmt: skip
    for _ in range(3):
        x = random.normal(2, 3, (4, 3, 5)).astype(dtype)
        getattr(gc, name)(gc.tensor(x), *stats[0], momentum=0.3, **{training: True})
        getattr(torch.nn.functional, name)(torch.tensor(x), *stats[1], momentum=0.3, **{training: True})
        for mine, wanted in zip(*stats, strict=True):
            np.testing.assert_allclose(mine.numpy(), wanted.numpy(), rtol=1e-5 if dtype == "float32" else 1e-12)

"""What gradcli answers to NumPy's functions is what NumPy answers for plain arrays, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc

X = np.arange(-3.0, 9.0).reshape(3, 4)
CUBE = np.arange(1.0, 25.0).reshape(2, 3, 4)
ONE = np.array(2.5)
ROW = np.array([[[1.0, -2.0, 0.0]]])
SQUARE = np.array([[2.0, 1.0], [0.5, 3.0]])
STACK = np.array([SQUARE, SQUARE.T + 1])
WHOLE = np.array([[3, 0, -1], [2, 2, 7]])
TRUTH = np.array([[True, False], [True, True]])


def reductions(name: str, *, typed: bool = False, several: bool = True, kept: bool = True) -> list[Any]:
    f = getattr(np, name)
    forms: list[Any] = (
        [
            lambda x: f(x),
            lambda x: f(x, 0),
            lambda x: f(x, -1),
            lambda x: f(x, axis=1),
            lambda x: f(x, None),
            lambda x: f(a=x, axis=0),
            lambda x: f(x, axis=np.int64(1)),
            lambda x: f(x, 0, out=None),
        ]
        if name != "count_nonzero"
        else [lambda x: f(x), lambda x: f(x, 0), lambda x: f(x, axis=(0, 1))]
    )
    if several:
        forms += [
            lambda x: f(x, (0, 1)),
            lambda x: f(x, axis=(-1,)),
            lambda x: f(x, ()),
            lambda x: f(x, axis=()),
            lambda x: f(x[0], axis=()),
            lambda x: f(x.sum(), axis=()),
        ]
    if kept:
        forms += [lambda x: f(x, axis=0, keepdims=True), lambda x: f(x, keepdims=True), lambda x: f(x, keepdims=False)]
    if kept and several:
        forms += [lambda x: f(x, axis=(), keepdims=True), lambda x: f(x, axis=(0, 1), keepdims=True)]
    if typed:
        forms += [
            lambda x: f(x, 0, np.float64),
            lambda x: f(x, 0, "float32"),
            lambda x: f(x, dtype=float),
            lambda x: f(x, None, np.float64),
        ]
    if typed and several:
        forms += [lambda x: f(x, axis=(), dtype=np.float64)]
    if typed and kept:
        forms += [lambda x: f(x, 0, None, None, True), lambda x: f(x, (0, 1), np.float64, None, True)]
    if kept and several and not typed and name != "count_nonzero":
        forms += [lambda x: f(x, 0, None, True), lambda x: f(x, (), None, True)]
    return [(name, form, X) for form in forms] + [(name, forms[0], ONE)]


CASES: list[tuple[str, Callable[[Any], Any], Any]] = [
    *[case for name in ("sum", "mean", "prod") for case in reductions(name, typed=True)],
    *[case for name in ("max", "amax", "min", "amin", "all", "any") for case in reductions(name)],
    *reductions("count_nonzero"),
    *[case for name in ("argmax", "argmin") for case in reductions(name, several=False)],
    *[case for name in ("cumsum", "cumprod") for case in reductions(name, typed=True, several=False, kept=False)],
    *[("sum", lambda x, a=a: np.sum(x, a), WHOLE) for a in (None, 0, (), (0, 1))],
    *[("all", lambda x, a=a: np.all(x, a), TRUTH) for a in (None, 0, (), (0, 1))],
    *[("count_nonzero", lambda x, a=a: np.count_nonzero(x, a, keepdims=True), WHOLE) for a in (None, 0, ())],
    *[("reshape", lambda x, s=s: np.reshape(x, s), X) for s in ((4, 3), -1, (2, -1), (12,), [6, 2])],
    ("reshape", lambda x: np.reshape(x, shape=(4, 3), order="C"), X),
    ("reshape", lambda x: np.reshape(x, ()), ONE),
    *[("squeeze", lambda x, a=a: np.squeeze(x, a), ROW) for a in (None, 0, (0, 1), (), -2)],
    ("squeeze", lambda x: np.squeeze(a=x, axis=1), ROW),
    *[("transpose", lambda x, a=a: np.transpose(x, a), CUBE) for a in (None, (2, 0, 1), [0, -1, 1])],
    ("transpose", lambda x: np.transpose(a=x, axes=(1, 2, 0)), CUBE),
    *[("transpose", np.transpose, a) for a in (X, X[0], ONE)],
    ("swapaxes", lambda x: np.swapaxes(x, 0, -1), CUBE),
    ("swapaxes", lambda x: np.swapaxes(x, axis1=1, axis2=0), CUBE),
    ("moveaxis", lambda x: np.moveaxis(x, 0, -1), CUBE),
    ("moveaxis", lambda x: np.moveaxis(x, source=(0, 1), destination=[-1, 0]), CUBE),
    ("concatenate", lambda x: np.concatenate([x, x]), X),
    ("concatenate", lambda x: np.concatenate((x, np.ones((3, 1))), 1), X),
    ("concatenate", lambda x: np.concatenate([x, x[0]], axis=None), X),
    ("concatenate", lambda x: np.concatenate([x, x], axis=-1, dtype=np.float32), X),
    ("stack", lambda x: np.stack([x, x]), X),
    ("stack", lambda x: np.stack((x, x), axis=-1), X),
    ("stack", lambda x: np.stack(arrays=[x, x], axis=1), X),
    ("where", lambda x: np.where(x > 0, x, 0), X),
    ("where", lambda x: np.where(np.array([True, False, True, True]), x, x[0]), X),
    *[("flip", lambda x, a=a: np.flip(x, a), CUBE) for a in (None, 0, -1, (0, 2), ())],
    ("flip", lambda x: np.flip(m=x, axis=1), CUBE),
    *[("flip", np.flip, a) for a in (CUBE, X, X[0], ONE)],
    *[
        ("roll", lambda x, r=r: np.roll(x, *r), X)
        for r in (
            (1,),
            (-5,),
            ((1, 2),),
            (1, 0),
            (1, (0, 1)),
            ((1, 2), (0, 1)),
            ((1, 2), 0),
            (2, (1, 1)),
            ((), ()),
            (1, -1),
        )
    ],
    ("roll", lambda x: np.roll(a=x, shift=1, axis=1), X),
    *[("tile", lambda x, r=r: np.tile(x, r), X) for r in (2, (2,), (2, 1), (1, 2, 2), (), (0, 1))],
    ("tile", lambda x: np.tile(A=x, reps=(2, 2)), X),
    ("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), X),
    ("broadcast_to", lambda x: np.broadcast_to(array=x, shape=5), ONE),
    ("trace", np.trace, X),
    *[("trace", lambda x, o=o: np.trace(x, *o), CUBE) for o in ((), (1,), (-1, 1, 2), (0, 2, 0))],
    ("trace", lambda x: np.trace(x, offset=1, axis1=-1, axis2=0, dtype=np.float64), CUBE),
    ("trace", np.trace, WHOLE),
    *[(n, lambda x, n=n, k=k: getattr(np, n)(x, *k), CUBE) for n in ("tril", "triu") for k in ((), (1,), (-1,))],
    *[(name, lambda x, n=name: getattr(np, n)(m=x, k=-1), X) for name in ("tril", "triu")],
    ("dot", lambda x: np.dot(x[0], x[1]), X),
    ("dot", lambda x: np.dot(x, x[0]), X),
    ("dot", lambda x: np.dot(x[0], x.T), X),
    ("dot", lambda x: np.dot(a=x, b=x.T), X),
    ("dot", lambda x: np.dot(2.0, x), X),
    ("dot", lambda x: np.dot(x, ONE), X),
    ("dot", lambda x: np.dot(x, x[0, 0]), CUBE),
    ("dot", lambda x: np.dot(x, np.ones((2, 4, 5))), CUBE),
    ("dot", lambda x: np.dot(np.ones(3), x), CUBE),
    ("outer", lambda x: np.outer(x[0], x[1]), X),
    ("outer", lambda x: np.outer(a=x, b=x), X),
    ("outer", lambda x: np.outer(x, 2.0), ONE),
    ("einsum", lambda x: np.einsum("ij,kj->ik", x, x), X),
    ("einsum", lambda x: np.einsum("ij,jk", x, x.T, optimize=True), X),
    ("einsum", lambda x: np.einsum("ii", x), SQUARE),
    ("einsum", lambda x: np.einsum("bA", x), X),
    ("einsum", lambda x: np.einsum("...j->j...", x), CUBE),
    ("einsum", lambda x: np.einsum("ij->j", x, dtype=np.float64), X),
    *[(f"{n}_like", lambda x, n=n: getattr(np, f"{n}_like")(x), WHOLE) for n in ("ones", "zeros")],
    *[(f"{n}_like", lambda x, n=n: getattr(np, f"{n}_like")(x, np.float64, shape=(2,)), X) for n in ("ones", "zeros")],
    ("full_like", lambda x: np.full_like(x, 2.5), X),
    ("full_like", lambda x: np.full_like(x, 2, np.float64), WHOLE),
    ("full_like", lambda x: np.full_like(a=x, fill_value=np.float64(7), shape=3), X),
    ("clip", lambda x: np.clip(x, 0, 2), X),
    ("clip", lambda x: np.clip(x, None, 2), X),
    ("clip", lambda x: np.clip(x, a_min=1, a_max=None), X),
    ("clip", lambda x: np.clip(x, min=1.5), X),
    ("clip", lambda x: np.clip(x, max=x[0]), X),
    ("clip", lambda x: np.clip(x, 3, 1), X),
    ("clip", lambda x: np.clip(x, 0.5, 2.5), WHOLE),
    *[(f"linalg.{n}", lambda x, n=n: getattr(np.linalg, n)(x), a) for n in ("inv", "det") for a in (SQUARE, STACK)],
    *[(f"linalg.{n}", lambda x, n=n: getattr(np.linalg, n)(a=x), SQUARE) for n in ("inv", "det")],
]


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_a_function_of_numpy_means_the_same(name: str) -> None:
    cases = [case for case in CASES if case[0] == name]
    assert len(cases) >= 2, "every function is tried in positional and in keyword form"
    for number, (_, function, array) in enumerate(cases):
        expected, found = function(array), function(gc.tensor(array))
        assert isinstance(found, gc.Tensor), (name, number)
        assert found.shape == np.shape(expected), (name, number)
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-6, atol=1e-12, err_msg=f"{name} {number}")


REFUSED: list[Callable[[Any], Any]] = [
    lambda x: np.sum(x, 0, None, None, 1),
    lambda x: np.sum(x, keepdims=1),
    lambda x: np.sum(x, out=np.zeros(())),
    lambda x: np.sum(x, where=x > 0),
    lambda x: np.sum(x, initial=5),
    lambda x: np.prod(x, initial=5),
    lambda x: np.max(x, initial=100),
    lambda x: np.sum(x, 2),
    lambda x: np.sum(x, (0, 0)),
    lambda x: np.sum(x.sum(), 0),
    lambda x: np.sum(x, True),
    lambda x: np.sum(x, dtype="nonsense"),
    lambda x: np.sum(x, dtype=complex),
    lambda x: np.argmax(x, (0, 1)),
    lambda x: np.cumsum(x, 5),
    lambda x: np.reshape(x, (4, 3), order="F"),
    lambda x: np.squeeze(x, 0),
    lambda x: np.transpose(x, (0,)),
    lambda x: np.concatenate([x, x[0]]),
    lambda x: np.concatenate([x, gc.zeros(0)]),
    lambda x: np.where(x > 0),
    lambda x: np.roll(x, (1, 2, 3), (0, 1)),
    lambda x: np.broadcast_to(x, (2, -1, 4)),
    lambda x: np.trace(x[0]),
    lambda x: np.tril(x[0]),
    lambda x: np.clip(x, 0, min=1),
    lambda x: np.reciprocal(gc.tensor([1, 2])),
    *[lambda x, f=f: f(x) for f in (np.unwrap, np.nancumsum, np.unique, np.fft.fft, np.histogram, np.linalg.eig)],
    lambda x: np.split(x, 5),
    lambda x: np.split(x, 0),
    lambda x: np.std(x, ddof="n"),
    lambda x: np.std(x, where=x > 0),
    lambda x: np.var(x, mean=x.mean()),
    lambda x: np.linalg.outer(x, x[0]),
    lambda x: np.linalg.norm(gc.tensor(CUBE), 2),
    lambda x: np.pad(x, 1, mode="reflect"),
    lambda x: np.pad(x, ((1, 2), (3, 4), (5, 6))),
    lambda x: np.quantile(x, 0.5, weights=x, method="inverted_cdf"),
    lambda x: np.quantile(x, 0.5, method="weibull"),
    lambda x: np.average(x, weights=x[0]),
    lambda x: np.add(x, x, out=np.zeros((3, 4))),
    lambda x: np.add(x, x, where=x > 0),
    lambda x: np.maximum.accumulate(x),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_has_no_answer_of_the_same_meaning_is_refused(number: int) -> None:
    with pytest.raises(gc.GradcliError):
        REFUSED[number](gc.tensor(X, requires_grad=True))


UFUNCS = sorted({f.__name__ for f in vars(np).values() if isinstance(f, np.ufunc)})


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_means_the_same_or_is_refused(name: str) -> None:
    ufunc = getattr(np, name)
    arrays = [
        np.array([-1.5, -0.0, 0.3, 2.0, np.nan, np.inf]),
        np.array([-3, 0, 1, 2, 5, 7]),
        np.array([True, False] * 3),
        np.array([3, 1, 2, 2, 1, 4]),
        np.array([0.5, 2.0, 1.0, 0.25, 3.0, 1.5]),
    ]
    pairs = [(a,) for a in arrays] if ufunc.nin == 1 else [(a, b) for a in arrays for b in arrays]
    for operands in pairs if ufunc.nin <= 2 else []:
        try:
            found = ufunc(*[gc.tensor(a) for a in operands])
            values = [part.detach().numpy() for part in (found if isinstance(found, tuple) else (found,))]
        except gc.GradcliError:
            continue
        try:
            with np.errstate(all="ignore"):
                wanted = ufunc(*operands)
        except (TypeError, ValueError):
            # NumPy itself refuses.
            continue
        for value, expected in zip(values, map(np.asarray, wanted if ufunc.nout > 1 else (wanted,)), strict=True):
            assert value.shape == expected.shape
            rtol = 1e-2 if expected.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(value.astype(float), expected.astype(float), rtol, max(rtol / 10, 1e-6))


def test_gradients_through_functions_of_numpy() -> None:
    x = gc.tensor(X, requires_grad=True)
    (np.sum(np.flip(x), axis=()) * X).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), X[::-1, ::-1])
    y = gc.tensor(X, requires_grad=True)
    (np.max(y, axis=(), keepdims=True) * X).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), X)

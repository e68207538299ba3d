"""A formula is given out only when its numbers agree with those of the gradient, for lengths and data of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.autodiff import vjp
from gradcli.dtypes import FLOAT64
from gradcli.errors import GradcliError, WorkError
from gradcli.execute import execute
from gradcli.expression import Evaluator
from gradcli.node import OPS, input_node, toposort
from gradcli.syntax import Program, parse

if TYPE_CHECKING:
    from gradcli.formula.derivation import Wanted
    from gradcli.formula.shapes import Lengths

_LENGTHS = ((3, 4, 2, 5, 6, 7), (2, 3, 5, 4, 3, 2))
# Where elements are drawn from; the last two hold square matrices that are positive definite.
_DRAWS = ((0.1, 0.9, False), (-2.0, 2.0, False), (0.1, 0.9, True), (1.2, 3.0, True))
_CLOSE = 1e-7
# So many roundings may add up.
_ROUNDINGS = 16
# More elements than this are not worth a check.
_MOST = 200_000


def verify(program: Program, lengths: Lengths, text: str, wanted: Wanted) -> bool:
    """Whether a formula was compared; WorkError where its numbers are not those of the gradient.

    It is not compared where no data is found for which the gradient is finite.
    """
    formula = parse(text)
    compared = False
    for count, sizes in enumerate(_LENGTHS if lengths.unknown() else _LENGTHS[:1]):
        sample = {word: sizes[k % len(sizes)] for k, word in enumerate(lengths.unknown())}
        for data in _data(lengths, sample, count):
            try:
                actual, seed, close = _gradient(program, data, wanted)
            except GradcliError:
                continue
            if not np.isfinite(actual).any():
                continue
            try:
                found = _formula(formula, data)
            except GradcliError:
                found = None
            if found is None or not _agrees(found, actual, seed, wanted, close):
                raise WorkError(
                    f"no formula was found that holds: {text} does not agree with the gradient",
                    hint="this is a mistake in gradcli: please report it, with the command that led to it",
                )
            compared = True
    return compared


def _data(lengths: Lengths, sample: dict[str, int], seed: int) -> Iterator[dict[str, np.ndarray]]:
    """Inputs, from several ranges."""
    rng = np.random.default_rng(seed)
    for low, high, definite in _DRAWS:
        data = {}
        for given in lengths.givens:
            shape = tuple([sample[n] if isinstance(n, str) else n for n in lengths.shape(given)])
            if int(np.prod(shape, dtype=object)) > _MOST:
                return
            if given.dtype.kind != "f":
                data[given.name] = rng.integers(0, 2, shape).astype(given.dtype)
                continue
            array = rng.uniform(low, high, shape)
            if definite and len(shape) > 1 and shape[-1] == shape[-2]:
                array = array @ np.swapaxes(array, -1, -2) + shape[-1] * np.eye(shape[-1])
            # A formula is about numbers: in the inputs' own dtypes both sides would be rounded, in ways of their own.
            data[given.name] = array
        yield data


def _gradient(program: Program, data: dict[str, np.ndarray], wanted: Wanted) -> tuple[Any, Any, float]:
    """The gradient by the engine, the vector of its last pass, and how closely a formula must agree."""
    leaves = {name: input_node(array, requires_grad=name == wanted.wrt) for name, array in data.items()}
    value = Evaluator(program.source, leaves).run(program)
    x, node = leaves[wanted.wrt], value
    rng = np.random.default_rng(7)
    seed: Any = None
    for order in range(1, wanted.order + 1):
        if not node.requires_grad:
            return np.zeros(x.shape), None, _CLOSE
        random = (wanted.jacobian and order == wanted.order) or (order == 1 and wanted.vector is not None)
        seed = rng.uniform(0.5, 1.5, node.shape) if random else np.ones(node.shape)
        vector = input_node(np.asarray(seed, node.dtype))
        found = vjp([node], [vector], [x]).get(x)
        if found is None:
            return np.zeros(x.shape), seed, _CLOSE
        if order == 1 and wanted.vector is not None and not (wanted.jacobian and wanted.order == 1):
            data[wanted.vector] = np.asarray(seed)
        node = found
    gradient, result = execute([node, value])
    # Where the value is undefined, so is its derivative, whatever the rules give.
    gradient = gradient if np.isfinite(result).all() else np.full(x.shape, np.nan)
    # The program may ask for less precision.
    rough = max(float(np.finfo(n.dtype).eps) for n in toposort([value]) if n.is_floating)
    return gradient, seed, max(_CLOSE, _ROUNDINGS * rough)


def _formula(formula: Program, data: dict[str, np.ndarray]) -> Any:
    evaluator = Evaluator(formula.source, {name: input_node(array) for name, array in data.items()})
    return execute([OPS["to"](evaluator.run(formula), FLOAT64)])[0]


def _agrees(found: Any, actual: Any, seed: Any, wanted: Wanted, close: float) -> bool:
    if wanted.jacobian and seed is not None and (seed.ndim or found.shape != actual.shape):
        same = found.shape == actual.shape == seed.shape
        found = found * seed if same else np.tensordot(seed, found, seed.ndim)
    elif wanted.jacobian and seed is not None:
        found = found * seed
    if found.shape != actual.shape:
        return False
    both = np.isfinite(found) & np.isfinite(actual)
    scale = np.abs(actual[both]).max(initial=1.0)
    return bool(np.all(np.abs(found[both] - actual[both]) <= close * scale))

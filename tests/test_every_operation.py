"""Every operation of the registry through every command, with arguments of all kinds: answers and sentences only."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextvars import copy_context
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import pytest

import gradcli as gc
import gradcli.ops  # noqa: F401
from gradcli.engine.execute.bounds import MEMORY_LIMIT
from gradcli.errors import GradcliError
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.measured import UnmeasuredError
from gradcli.graph.op import OPS, Op
from gradcli.language.parse import parse
from tests import creation_arguments, linalg_arguments, network_arguments
from tests.command import Done, call
from tests.sampling import sampled

pytestmark = pytest.mark.filterwarnings("error")

NAMES = [name for name, op in OPS.items() if op.public]
# What numbers of elements are refused beyond; a call takes no longer than so many seconds of processors.
LIMIT, LONGEST = 200_000_000, 10.0

INPUTS = {
    "x": "[[0.7,1.1,1.6],[0.9,1.4,0.6]]",
    "y": "[[1.3,0.8,1.2],[0.6,1.7,1.5]]",
    "z": "[[0.5,0.9,0.7],[0.8,0.6,1.1]]",
    "p": "[[1.5,0.2],[0.4,1.1],[0.6,0.9]]",
    "m": "[[2.5,0.3,0.1],[0.3,2.1,0.2],[0.1,0.2,1.9]]",
    "r": "[[[1.5,0.2],[0.4,1.1]],[[0.6,0.9],[1.2,0.7]]]",
    "w": "[[[[0.5,1.2],[0.7,1.1]],[[0.6,0.9],[1.4,0.3]]]]",
    "v": "[0.7,1.2,0.9]",
    "s": "0.8",
    "o": "zeros(0,3)",
    "i": "arange(2)",
    "b": "arange(2) > 0",
}
# These have no derivatives.
WHOLE = ("i", "b")

# What is given to an argument of this name, unless the row is listed below.
USUAL = {
    "input": "x",
    "other": "y",
    "target": "y",
    "exponent": "y",
    "tensors": "[x, y]",
    "data": "[[1., 2.]]",
    "A": "m",
    "B": "p",
    "a": "x",
    "b": "p",
    "mat2": "p",
    "vec": "v",
    "vec2": "v",
    "tensor": "v",
    "weight": "v.detach()",
    "pos_weight": "v.detach()",
    "bias": "v",
    "condition": "x > 1",
    "mask": "x > 1",
    "value": "2.5",
    "min": "0.8",
    "max": "1.3",
    "dim": "0",
    "dims": "0",
    "keepdim": "True",
    "dtype": "float64",
    "reduction": "'sum'",
    "shape": "(3, 2)",
    "size": "(2, 3)",
    "alpha": "2",
    "rounding_mode": "None",
    "decimals": "1",
    "start_dim": "0",
    "end_dim": "1",
    "dim0": "0",
    "dim1": "1",
    "dim2": "1",
    "source": "0",
    "destination": "1",
    "repeats": "(2, 1)",
    "shifts": "1",
    "unbiased": "False",
    "correction": "0",
    "p": "3",
    "negative_slope": "0.2",
    "min_val": "-0.5",
    "max_val": "1.2",
    "beta": "2.0",
    "threshold": "10.0",
    "approximate": "'tanh'",
    "fill_value": "2.5",
    "n": "2",
    "m": "3",
    "start": "1",
    "end": "4",
    "step": "1",
    "steps": "5",
    "offset": "0",
    "diagonal": "0",
    "left": "True",
    "equation": "'ij,jk->ik'",
    "operands": "x, p",
    "index": "0",
    "upper": "False",
    "delta": "0.5",
    "eps": "1e-3",
    "ignore_index": "-1",
    "label_smoothing": "0.1",
    "normalized_shape": "(3,)",
    "values": "y",
    "nan": "1.0",
    "posinf": "2.0",
    "neginf": "3.0",
    "rtol": "1e-3",
    "atol": "1e-3",
    "equal_nan": "True",
    "tensor1": "y",
    "tensor2": "z",
    "lambd": "0.2",
    "training": "True",
    "memory_format": "'contiguous_format'",
    "device": "'cpu'",
    "kind": "float64",
    "non_blocking": "False",
    "copy": "True",
    "margin": "0.5",
    "log_input": "False",
    "full": "True",
    "log_target": "True",
    "swap": "True",
    "momentum": "0.2",
    "kernel_size": "1",
    "output_size": "2",
    "ceil_mode": "True",
    "norm_type": "2",
    "scale_factor": "2",
    "stride": "1",
    "padding": "1",
    "dilation": "1",
    "groups": "1",
    "output_padding": "0",
    "chunks": "2",
    "split_size_or_sections": "1",
    "split_size": "1",
    "split_sizes": "[1, 1]",
    "indices_or_sections": "[1]",
    "pad": "(1, 2)",
    "mode": "'reflect'",
    "k": "-1",
    "r": "2",
    "with_replacement": "True",
    "indexing": "'xy'",
    "storage_offset": "1",
    "dimension": "1",
    "prepend": "x",
    "append": "y",
    "spacing": "0.5",
    "edge_order": "1",
    "fweights": "arange(3) + 1",
    "aweights": "v.detach()",
    "dx": "0.5",
    "q": "0.3",
    "interpolation": "'midpoint'",
    "y": "x",
    "sizes": "(3, 1)",
}
SPECIAL = {
    "as_strided": {"size": "(2, 2)", "stride": "(1, 2)"},
    "lerp": {"end": "y", "weight": "z"},
    "expand": {"shape": "(4, 2, 3)"},
    "tile": {"dims": "(2, 2)"},
    "permute": {"dims": "(1, 0)"},
    "dot": {"input": "v"},
    "vdot": {"input": "v", "other": "v"},
    "matmul": {"other": "p"},
    "outer": {"input": "v"},
    "bmm": {"input": "r", "mat2": "r"},
    "tensordot": {"dims": "1"},
    "inv": {"input": "m"},
    "det": {"input": "m"},
    "slogdet": {"input": "m"},
    "prelu": {"weight": "s"},
    "erfinv": {"input": "x/3"},
    "ndtri": {"input": "x/3"},
    "logit": {"input": "x/3", "eps": "0.1"},
    "mvlgamma": {"input": "x + 2", "p": "2"},
    "threshold": {"threshold": "1.0", "value": "2.5"},
    "bitwise_xor": {"input": "i", "other": "b"},
    "bitwise_left_shift": {"input": "i", "other": "i"},
    "bitwise_right_shift": {"input": "i", "other": "i"},
    **{name: {"input": "r", "p": "0.3"} for name in ("feature_alpha_dropout", "dropout1d", "dropout2d")},
    "dropout3d": {"input": "unsqueeze(r, 0)", "p": "0.3"},
    "glu": {"dim": "1", "input": "p"},
    "dropout": {"p": "0.3"},
    "alpha_dropout": {"p": "0.3"},
    "rrelu": {"lower": "0.1", "upper": "0.4"},
    "logdet": {"input": "m"},
    "cholesky": {"input": "m"},
    "nll_loss": {"target": "i"},
    "cross_entropy": {"target": "i"},
    "index_select": {"index": "i"},
    "gather": {"index": "tensor([[0, 1, 1]]).long()", "sparse_grad": "False"},
    "take": {"index": "i"},
    "take_along_dim": {"indices": "tensor([[0, 1, 1]]).long()"},
    "embedding": {
        "input": "i",
        "weight": "x",
        "padding_idx": "1",
        "max_norm": "1.5",
        "norm_type": "2.0",
        "scale_grad_by_freq": "True",
        "sparse": "False",
    },
    "embedding_bag": {
        "input": "tensor([[0, 1], [1, 1]]).long()",
        "weight": "x",
        "offsets": "None",
        "max_norm": "1.5",
        "norm_type": "2.0",
        "scale_grad_by_freq": "True",
        "mode": "'max'",
        "sparse": "False",
        "per_sample_weights": "None",
        "include_last_offset": "False",
        "padding_idx": "1",
    },
    "one_hot": {"tensor": "i", "num_classes": "3"},
    "repeat_interleave": {"repeats": "2", "output_size": "None"},
    "scatter": {"index": "tensor([[0, 1, 1]]).long()", "src": "y", "value": "None", "reduce": "'add'"},
    "scatter_add": {"index": "tensor([[0, 1, 1]]).long()", "src": "y"},
    "scatter_reduce": {"index": "tensor([[0, 1, 1]]).long()", "src": "y", "reduce": "'prod'", "include_self": "False"},
    "index_add": {"index": "i", "source": "y"},
    "index_copy": {"index": "i", "source": "y"},
    "index_fill": {"index": "i"},
    "index_reduce": {"index": "i", "source": "y", "reduce": "'prod'", "include_self": "False"},
    "index_put": {"indices": "(i,)", "values": "y", "accumulate": "True"},
    "put": {"index": "i", "source": "v[:2]", "accumulate": "True"},
    "slice_scatter": {"src": "y", "start": "0", "end": "2", "step": "1"},
    "select_scatter": {"src": "v"},
    "diagonal_scatter": {"src": "x[:, 0]", "dim1": "0"},
    "topk": {"k": "2"},
    "kthvalue": {"k": "2"},
    "narrow": {"length": "1"},
    "masked_scatter": {"source": "y"},
    "nonzero": {"as_tuple": "False"},
    "unique": {"sorted": "True", "return_inverse": "False", "return_counts": "False"},
    "histc": {"bins": "4", "min": "0.5", "max": "2"},
    "bucketize": {"boundaries": "arange(3)*0.7", "out_int32": "True", "right": "True"},
    "searchsorted": {
        "sorted_sequence": "arange(3)*0.7",
        "values": "x",
        "out_int32": "True",
        "right": "True",
        "side": "'right'",
        "sorter": "tensor([0, 1, 2]).long()",
    },
    "trace": {"input": "m"},
    "diag": {"input": "m"},
    "diag_embed": {"dim1": "0"},
    "asin": {"input": "x/3"},
    "acos": {"input": "x/3"},
    "atanh": {"input": "x/3"},
    "acosh": {"input": "x + 1"},
    "std": {"unbiased": "None"},
    "var": {"unbiased": "None"},
    "bitwise_and": {"input": "i", "other": "b"},
    "bitwise_or": {"input": "i", "other": "b"},
    "bitwise_not": {"input": "i"},
    **network_arguments.SPECIAL,
    **linalg_arguments.SPECIAL,
    **creation_arguments.SPECIAL,
}
# Where one argument more than what is required is no sound call.
SOUND = {
    **network_arguments.SOUND,
    **linalg_arguments.SOUND,
    **creation_arguments.SOUND,
    "clamp": ["clamp(x, 0.8)", "clamp(x, max=1.3)", "clamp(x, 0.8, 1.3)"],
    "transpose": ["transpose(x, 0, 1)"],
    "tensordot": ["tensordot(x, p, 1)", "tensordot(x, y)"],
    "slogdet": ["slogdet(m).logabsdet"],
    "sort": ["sort(x).values", "sort(x, 0, True).values", "sort(x, stable=True).indices"],
    "topk": ["topk(x, 2).values", "topk(x, 1, 0, False).values", "topk(x, 2, sorted=False).indices"],
    "kthvalue": ["kthvalue(x, 2).values", "kthvalue(x, 1, 0, True).values"],
    "median": ["median(x)", "median(x, 1).values"],
    "nanmedian": ["nanmedian(x)", "nanmedian(x, 1, True).values"],
    "histc": ["histc(x, 4)", "histc(x, 4, 0.5, 2)"],
    "mode": ["mode(x).values", "mode(x, 0, True).values"],
    "argsort": ["argsort(x)", "argsort(x, 0, True)", "argsort(x, stable=True)"],
    "scatter": [
        "scatter(x, 0, tensor([[0, 1, 1]]).long(), y)",
        "scatter(x, 0, tensor([[0, 1, 1]]).long(), value=2.5)",
        "scatter(x, 0, tensor([[0, 1, 1]]).long(), y, reduce='add')",
    ],
    "to": [
        *(
            "to(x, float64)",
            "to(x, 'cpu')",
            "to(x, dtype=float64)",
            "to(x, device='cpu', copy=True)",
            "to(x, i.double())",
        ),
        "to(x, 'cpu', float64, False, True, memory_format='contiguous_format')",
    ],
    "frexp": ["frexp(x).mantissa", "frexp(x).exponent"],
    "diagonal": ["diagonal(x)", "diagonal(x, 1)", "diagonal(x, 0, 1, 0)"],
    "diag_embed": ["diag_embed(x)", "diag_embed(x, -1)", "diag_embed(x, 0, 0, 2)"],
    "max": ["max(x)", "max(x, 0).values", "max(x, 1, True).indices", "max(x, y)"],
    "min": ["min(x)", "min(x, 0).values", "min(x, 1, True).indices", "min(x, y)"],
    "aminmax": ["aminmax(x).min", "aminmax(x, dim=1).max"],
    "var_mean": ["var_mean(x).var", "var_mean(x, 1, correction=0).mean"],
    "std_mean": ["std_mean(x, 1).std", "std_mean(x).mean"],
    "cummax": ["cummax(x, 1).values", "cummax(x, 1).indices"],
    "cummin": ["cummin(x, 0).values"],
    "gradient": ["gradient(x, dim=1)[0]", "gradient(x, spacing=[v], dim=1, edge_order=2)[0]"],
    "trapezoid": ["trapezoid(x)", "trapezoid(x, v)", "trapezoid(x, dx=0.5, dim=0)"],
    "cumulative_trapezoid": ["cumulative_trapezoid(x)", "cumulative_trapezoid(x, y)"],
    "split": ["split(x, 2, 1)[1]", "split(x, [1, 2], 1)[0]"],
    "split_with_sizes": ["split_with_sizes(x, [1, 2], 1)[1]"],
    "unsafe_split": ["unsafe_split(x, 2, 1)[1]"],
    "chunk": ["chunk(x, 2, 1)[1]"],
    "unsafe_chunk": ["unsafe_chunk(x, 2)[0]"],
    "tensor_split": ["tensor_split(x, 2, 1)[1]", "tensor_split(x, [1, 2], 1)[1]"],
    "hsplit": ["hsplit(x, [1])[1]"],
    "vsplit": ["vsplit(x, 2)[0]"],
    "dsplit": ["dsplit(r, 2)[0]"],
    "unbind": ["unbind(x)[0]", "unbind(x, 1)[2]"],
    "broadcast_tensors": ["broadcast_tensors(x, v)[1]"],
    "meshgrid": ["meshgrid(v, v)[0]", "meshgrid(v, x[0], indexing='xy')[1]"],
    "cartesian_prod": ["cartesian_prod(v, v)"],
    "combinations": ["combinations(v)", "combinations(v, 2, True)"],
    "atleast_1d": ["atleast_1d(s)"],
    "atleast_2d": ["atleast_2d(v)"],
    "atleast_3d": ["atleast_3d(x)"],
    "expand_as": ["expand_as(x, ones(2, 2, 3))"],
    "sum_to_size": ["sum_to_size(x, 1, 3)"],
    "rot90": ["rot90(x)", "rot90(x, 3, (1, 0))"],
    "unflatten": ["unflatten(x, 1, (3, 1))", "unflatten(v, 0, (-1, 1))"],
    "as_strided": ["as_strided(x, (2, 2), (1, 2))", "as_strided(x, (2,), (2,), storage_offset=3)"],
    "unfold": ["unfold(x, 1, 2, 1)"],
    "pad": ["pad(x, (1, 2))", "pad(x, (1, 2), value=2.5)", "pad(x, (2, 1), 'reflect')", "pad(x, (1, -1), 'circular')"],
}

# A number, an input, a list, empty, 0-dim, boolean, integer, of another kind, of another shape, out of range.
ODD = [
    "2",
    "2.5",
    "-1",
    "0",
    "-0.0",
    "7",
    "1000000000",
    "1e300",
    "5e-324",
    "10**30",
    "-2**62",
    "nan",
    "-inf",
    "True",
    "None",
    "'abc'",
    "''",
    "'mean'",
    "()",
    "[]",
    "[[]]",
    "(0, 1)",
    "[0, 0]",
    "(2, -1)",
    "(1, (0,))",
    "(10**30,)",
    "[[1, 2], [3, 4]]",
    "[1.5, 2.5]",
    "[True, False]",
    "[None]",
    "['a']",
    "[x, 1]",
    "((1,),)",
    "float32",
    "max(x, 0)",
    "x.shape",
    "i",
    "b",
    "o",
    "s",
    "v",
    "x",
    "m",
    "tensor(1)",
    "tensor(True)",
    "tensor([5, -7])",
    "ones(2, 3, 4)",
    "...",
    "x*nan",
    "zeros(2, 3)",
    "x.double()",
    "x.long()",
]
FEW = ["2", "None", "'abc'", "[x, 1]", "float32", "o", "s", "i"]

# Python's own words have no place in what a user reads.
PYTHON = re.compile(
    r"dtype\('|<class|Node\(|(?<![\w.])array\(| object at 0x|Traceback|mistake in gradcli|internal error|NoneType"
    r"|np\.(float|int|str)|ndarray|Warning|<function|<lambda>|unhashable|__\w+__|Error:|cannot be computed"
)


def written(op: Op, name: str, values: dict[str, str]) -> str:
    """A call with these arguments, by position as far as they go without a gap."""
    places = list(op.signature.names)
    only_words = {part.strip().partition("=")[0] for part in f" {op.signature.text}".partition(" *")[2].split(",")[1:]}
    parts = []
    for at, argument in enumerate(places):
        if argument in values:
            plain = argument not in only_words and all(before in values for before in places[:at])
            parts.append(values[argument] if plain else f"{argument}={values[argument]}")
    return f"{name}({', '.join(parts)})"


def required(op: Op) -> dict[str, str]:
    known = {**USUAL, **SPECIAL.get(op.name, {})}
    return {name: known[name] for name in op.signature.names if name not in op.signature.defaults}


def sound(name: str) -> list[str]:
    """Calls that have an answer: with what is required, and with each further argument."""
    op, needed = OPS[name], required(OPS[name])
    if op.name in SOUND:
        return [text.replace(op.name, name, 1) for text in SOUND[op.name]]
    known = {**USUAL, **SPECIAL.get(op.name, {})}
    more = [written(op, name, {**needed, word: known[word]}) for word in op.signature.defaults]
    return list(dict.fromkeys([written(op, name, needed), *more]))


def odd(name: str) -> Iterator[str]:
    """Calls with something odd for each argument in turn, without each, with too many, and all of one kind."""
    op, needed = OPS[name], required(OPS[name])
    values = ODD if name == op.name else FEW
    for word in op.signature.names:
        yield from (written(op, name, {**needed, word: value}) for value in values)
    for word in needed:
        yield written(op, name, {k: v for k, v in needed.items() if k != word})
    for value in ("2", "1.5", "s", "o", "i", "b", "True", "x"):
        yield written(op, name, dict.fromkeys(needed, value))
    yield from (f"{name}()", name, f"{written(op, name, needed)[:-1]}, 1, 2, 3, 4, 5)", f"{name}(x, what=1)")


def names_in(expression: str) -> list[str]:
    """The inputs that an expression has."""
    return [name for name in INPUTS if re.search(rf"(?<![\w'.]){name}(?![\w'(=])", expression)]


def commands(expression: str) -> list[list[str]]:
    """Every command and format for an expression, and for scalars made of it."""
    used = names_in(expression)
    items = [f"{name}={INPUTS[name]}" for name in used]
    floats = [name for name in used if name not in WHOLE] or ["x"]
    plain, square = f"sum(({expression})*1.5)", f"sum(({expression})**2)"
    limit = ["--memory-limit", str(LIMIT)]
    one = ["--wrt", floats[0]]
    return [
        ["eval", expression, *items, *limit],
        ["eval", plain, *items, *limit, "--json"],
        ["eval", expression, *items, *limit, "--grad-output", "1.5"],
        ["eval", expression, *items, *limit, "--jvp", f"{floats[0]}=1"],
        ["eval", plain, *items, *limit, "--hvp", f"{floats[-1]}=1"],
        ["eval", square, *items, *limit, "--hvp", f"{floats[0]}=1", "--dtype", "float64"],
        ["eval", expression, *items, *limit, "--jacobian"],
        ["eval", square, *items, *limit, "--hessian"],
        ["eval", expression, *items, *limit, "--dtype", "float16"],
        ["check", expression, *items],
        ["check", plain, *items, "--order", "2", "--json"],
        ["explain", expression, *items],
        ["explain", square, *items, "--json"],
        ["graph", expression, *items],
        ["graph", plain, *items, "--format", "mermaid", "--what", "backward"],
        ["graph", square, *items, "--json", "--what", "grad"],
        ["graph", plain, *items, "--what", "plan"],
        ["derive", plain, *items, *one],
        ["derive", plain, *items, *one, "--format", "latex"],
        ["derive", plain, *items, *one, "--format", "python"],
        ["derive", plain, *items, *one, "--format", "json"],
        ["derive", expression, *items, *one, "--jacobian"],
        ["derive", square, *items, *one, "--order", "2"],
    ]


def answered(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> Done:
    """The end of a command, if it is an answer or a sentence."""

    def limited() -> Done:
        MEMORY_LIMIT.set(LIMIT)
        return call(monkeypatch, *words)

    began = time.process_time()
    done = copy_context().run(limited)
    assert time.process_time() - began < LONGEST, words
    assert done.code in (0, 1, 2), (words, done)
    assert not PYTHON.search(done.err), (words, done.err)
    if "python" not in words:
        assert not PYTHON.search(done.out), (words, done.out)
    if done.code == 2 or (done.code == 1 and words[0] != "check"):
        assert done.out == "", (words, done.out)
        if done.err.startswith("{"):
            assert done.err.count("\n") == 1 and set(json.loads(done.err)["error"]) == {"message", "span", "hint"}
        else:
            lines = [line for line in done.err.rstrip("\n").split("\n") if not line.startswith(("  ", "hint: "))]
            assert len(lines) == 1 and lines[0].startswith("gradcli: "), (words, done.err)
    return done


@cache
def given() -> dict[str, InputSpec]:
    """The inputs as the commands take them."""
    arrays = {name: np.asarray(gc.evaluate(text, wrt=()).value) for name, text in INPUTS.items()}
    return {name: InputSpec(name, a.shape, a.dtype, a.dtype.kind == "f") for name, a in arrays.items()}


def is_refused(expression: str) -> bool:
    """Whether no graph can be made of it, as all commands begin; then there is a sentence."""

    def built() -> None:
        MEMORY_LIMIT.set(LIMIT)
        prepare(parse(expression), tuple([given()[name] for name in names_in(expression)]), ())

    try:
        copy_context().run(built)
    except UnmeasuredError:
        return False
    except GradcliError as error:
        assert "\n" not in error.message and not PYTHON.search(error.render()), (expression, error.render())
        return True
    return False


@pytest.mark.usefixtures("derived_once")
@pytest.mark.parametrize("name", sampled(NAMES, every=12))
def test_sound_arguments(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for expression in sound(name) if name == OPS[name].name else sound(name)[:1]:
        ends = [answered(monkeypatch, words) for words in commands(expression)]
        assert ends[0].code == 0, (expression, ends[0].err)


@pytest.mark.slow
@pytest.mark.usefixtures("derived_once")
@pytest.mark.parametrize("name", NAMES)
def test_odd_arguments(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(commands("x"))
    turn, other = cycle(range(1, count)), cycle(range(count))
    for expression in dict.fromkeys(odd(name)):
        every = commands(expression)
        if is_refused(expression):
            # Most are, and of what is left to a command, to read its words takes the most.
            answered(monkeypatch, every[next(other)])
            continue
        done = answered(monkeypatch, every[0])
        # What has a value goes through more commands, one after the other by turns.
        for _ in range(3 if done.code == 0 else 1):
            answered(monkeypatch, every[next(turn)])


def numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers out of JSON, where those that are not finite are strings."""
    words = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
    text = json.dumps(value)
    for word, number in words.items():
        text = text.replace(f'"{word}"', "NaN" if number == "nan" else word)
    return np.asarray(json.loads(text), np.float64).reshape(shape)


@pytest.mark.parametrize("name", sampled([n for n in NAMES if n == OPS[n].name and not OPS[n].draws], every=2))
def test_derivatives_agree_with_each_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(len(name))
    for expression in sound(name):
        items = commands(expression)[0][2:-2]
        shapes = {"x": (2, 3), "y": (2, 3), "z": (2, 3), "p": (3, 2), "m": (3, 3), "r": (2, 2, 2), "v": (3,), "s": ()}
        names = [item[0] for item in items if item[0] in shapes]
        plain = answered(monkeypatch, ["eval", expression, *items, "--json", "--dtype", "float64", "--no-grad"])
        value = json.loads(plain.out or "{}")
        if not names or value.get("dtype") != "float64":
            continue
        vectors = {n: np.round(rng.uniform(-1, 1, shapes[n]), 3) for n in names}
        given = {n: json.dumps(vectors[n].tolist()) for n in names}

        def asked(text: str, *options: str, items: Any = items) -> Any:
            return json.loads(
                answered(monkeypatch, ["eval", text, *items, "--json", "--dtype", "float64", *options]).out
            )

        jvp = [word for n in names for word in ("--jvp", f"{n}={given[n]}")]
        first = asked(expression, "--jacobian", *jvp)
        shape = tuple(value["shape"])
        blocks = {n: numbers(first["jacobian"][n], shape + shapes[n]) for n in names}
        moved = sum(np.tensordot(blocks[n], vectors[n], len(shapes[n])) for n in names)
        np.testing.assert_allclose(numbers(first["jvp"], shape), moved, rtol=1e-9, atol=1e-9, err_msg=expression)
        grads = asked(expression, "--grad-output", "1")["grads"] or {}
        for n in names:
            pulled = np.zeros(shapes[n]) if grads.get(n) is None else numbers(grads[n], shapes[n])
            total = blocks[n].sum(axis=tuple(range(len(shape))))
            np.testing.assert_allclose(pulled, total, rtol=1e-9, atol=1e-9, err_msg=expression)
        hvp = [word for n in names for word in ("--hvp", f"{n}={given[n]}")]
        second = asked(f"sum(({expression})**2)", "--hessian", *hvp)
        for n in names:
            rows = {k: numbers(second["hessian"][n][k], shapes[n] + shapes[k]) for k in names}
            turned = sum(np.tensordot(rows[k], vectors[k], len(shapes[k])) for k in names)
            got = numbers(second["hvp"][n], shapes[n])
            np.testing.assert_allclose(got, turned, rtol=1e-9, atol=1e-9, err_msg=expression)

"""The renderers against recorded figures: PyTorch 2.13's prints of tensors, the tree of backward functions, JSON."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gradcli.render.json import graph_json, to_json
from gradcli.render.text import Style, format_chain, format_tensor


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class FakeNode:
    """A backward function with the operands behind it; None is an untracked one."""

    def __init__(self, name: str, *operands: FakeNode | None, label: str | None = None) -> None:
        self._name = name
        self.next_functions = tuple((operand, 0) for operand in operands)
        self.label = label

    def name(self) -> str:
        return self._name


def leaf(label: str | None) -> FakeNode:
    return FakeNode("AccumulateGrad", label=label)


def chain(length: int, name: str = "MulBackward0") -> FakeNode:
    """`length` functions of one tracked operand each, down to the input x."""
    node = leaf("x")
    for _ in range(length):
        node = FakeNode(name, node, None)
    return node


# Tensors --------------------------------------------------------------------------------------------------------------

# Printed by PyTorch 2.13; only "torch." before the dtypes is taken away.
RECORDED: list[tuple[Any, dict[str, Any], str]] = [
    (np.float32(200), {"grad_fn": "MeanBackward0"}, "tensor(200., grad_fn=<MeanBackward0>)"),
    (
        np.ones((2, 2), np.float32),
        {"requires_grad": True},
        """\
tensor([[1., 1.],
        [1., 1.]], requires_grad=True)""",
    ),
    (
        np.full((2, 2), 30, np.float32),
        {},
        """\
tensor([[30., 30.],
        [30., 30.]])""",
    ),
    (np.array(3), {}, "tensor(3)"),
    (np.array(True), {}, "tensor(True)"),
    (np.array([True, False]), {}, "tensor([ True, False])"),
    (np.array([1, -200], np.int16), {}, "tensor([   1, -200], dtype=int16)"),
    (np.array(5, np.uint8), {}, "tensor(5, dtype=uint8)"),
    (
        np.array([[1, 2.5], [30, 4]], np.float32),
        {},
        """\
tensor([[ 1.0000,  2.5000],
        [30.0000,  4.0000]])""",
    ),
    (np.array([1.5, 2]), {}, "tensor([1.5000, 2.0000], dtype=float64)"),
    (np.array([0.0, -0.0, 1.0], np.float32), {}, "tensor([0., -0., 1.])"),
    (np.array([np.nan, 1], np.float32), {}, "tensor([nan, 1.])"),
    (np.array([-np.inf, 1, 2.5], np.float32), {}, "tensor([  -inf, 1.0000, 2.5000])"),
    (np.array([np.nan, np.inf, -np.inf, 0], np.float32), {}, "tensor([nan, inf, -inf, 0.])"),
    (np.array([1, 1000, 1000.5], np.float32), {}, "tensor([1.0000e+00, 1.0000e+03, 1.0005e+03])"),
    (np.array([1, 1001], np.float32), {}, "tensor([1.0000e+00, 1.0010e+03])"),
    (np.array([1e8, 2e8], np.float32), {}, "tensor([1.0000e+08, 2.0000e+08])"),
    (np.array([1e8], np.float32), {}, "tensor([100000000.])"),
    (np.array([1e-4], np.float32), {}, "tensor([1.0000e-04])"),
    (np.array([1e-4]), {}, "tensor([0.0001], dtype=float64)"),
    (np.array([5e-5, 1e-3], np.float32), {}, "tensor([5.0000e-05, 1.0000e-03])"),
    (np.array([1e300, -5e-324]), {}, "tensor([ 1.0000e+300, -4.9407e-324], dtype=float64)"),
    (np.float32(1e-45), {}, "tensor(1.4013e-45)"),
    (np.array([6e4, 1e-7], np.float16), {}, "tensor([6.0000e+04, 1.1921e-07], dtype=float16)"),
    (
        np.array([[1, np.nan], [1e10, -1]], np.float32),
        {"grad_fn": "MulBackward0"},
        """\
tensor([[ 1.0000e+00,         nan],
        [ 1.0000e+10, -1.0000e+00]], grad_fn=<MulBackward0>)""",
    ),
    (np.array([], np.float32), {}, "tensor([])"),
    (np.array([], np.int64), {}, "tensor([], dtype=int64)"),
    (np.zeros((0, 3), np.float32), {}, "tensor([], size=(0, 3))"),
    (np.zeros((2, 0, 3), bool), {}, "tensor([], size=(2, 0, 3), dtype=bool)"),
    (np.zeros((3, 0)), {"grad_fn": "MulBackward0"}, "tensor([], size=(3, 0), dtype=float64, grad_fn=<MulBackward0>)"),
    (
        np.arange(30, dtype=np.float32),
        {},
        """\
tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,
        14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27.,
        28., 29.])""",
    ),
    (
        np.full(14, 2.5),
        {"grad_fn": "MulBackward0"},
        """\
tensor([2.5000, 2.5000, 2.5000, 2.5000, 2.5000, 2.5000, 2.5000, 2.5000, 2.5000,
        2.5000, 2.5000, 2.5000, 2.5000, 2.5000], dtype=float64,
       grad_fn=<MulBackward0>)""",
    ),
    (
        np.full(25, 1.5),
        {"requires_grad": True},
        """\
tensor([1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000,
        1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000,
        1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000],
       dtype=float64, requires_grad=True)""",
    ),
    (
        np.full(8, 1.25),
        {},
        """\
tensor([1.2500, 1.2500, 1.2500, 1.2500, 1.2500, 1.2500, 1.2500, 1.2500],
       dtype=float64)""",
    ),
    (np.full(6, 1.25), {}, "tensor([1.2500, 1.2500, 1.2500, 1.2500, 1.2500, 1.2500], dtype=float64)"),
    (
        np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2),
        {},
        """\
tensor([[[[0., 1.],
          [2., 3.]]],


        [[[4., 5.],
          [6., 7.]]]])""",
    ),
    (np.arange(1001, dtype=np.float32), {}, "tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.])"),
    (np.arange(1001), {}, "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        np.arange(1600, dtype=np.float32).reshape(40, 40) / 7,
        {"grad_fn": "DivBackward0"},
        """\
tensor([[0.0000e+00, 1.4286e-01, 2.8571e-01,  ..., 5.2857e+00, 5.4286e+00,
         5.5714e+00],
        [5.7143e+00, 5.8571e+00, 6.0000e+00,  ..., 1.1000e+01, 1.1143e+01,
         1.1286e+01],
        [1.1429e+01, 1.1571e+01, 1.1714e+01,  ..., 1.6714e+01, 1.6857e+01,
         1.7000e+01],
        ...,
        [2.1143e+02, 2.1157e+02, 2.1171e+02,  ..., 2.1671e+02, 2.1686e+02,
         2.1700e+02],
        [2.1714e+02, 2.1729e+02, 2.1743e+02,  ..., 2.2243e+02, 2.2257e+02,
         2.2271e+02],
        [2.2286e+02, 2.2300e+02, 2.2314e+02,  ..., 2.2814e+02, 2.2829e+02,
         2.2843e+02]], grad_fn=<DivBackward0>)""",
    ),
    (
        np.arange(2000, dtype=np.int32).reshape(2, 1000),
        {},
        """\
tensor([[   0,    1,    2,  ...,  997,  998,  999],
        [1000, 1001, 1002,  ..., 1997, 1998, 1999]], dtype=int32)""",
    ),
    (
        np.arange(252, dtype=np.uint8).reshape(7, 6, 6),
        {"style": Style(threshold=100, edgeitems=1)},
        """\
tensor([[[  0,  ...,   5],
         ...,
         [ 30,  ...,  35]],

        ...,

        [[216,  ..., 221],
         ...,
         [246,  ..., 251]]], dtype=uint8)""",
    ),
    (np.array([1 / 3, 1e3], np.float32), {"style": Style(precision=8)}, "tensor([3.33333343e-01, 1.00000000e+03])"),
    (np.array([1 / 3, 1e4], np.float32), {"style": Style(precision=1)}, "tensor([3.3e-01, 1.0e+04])"),
    (
        np.arange(20, dtype=np.float32),
        {"style": Style(threshold=5, edgeitems=2, linewidth=20)},
        """\
tensor([ 0.,  1.,
         ..., 18.,
        19.])""",
    ),
]


@pytest.mark.parametrize(("array", "options", "expected"), RECORDED)
def test_prints_as_pytorch(array: Any, options: dict[str, Any], expected: str) -> None:
    assert format_tensor(array, **options) == expected


def test_grad_fn_stands_for_requires_grad() -> None:
    assert format_tensor(np.float32(1), grad_fn="X", requires_grad=True) == "tensor(1., grad_fn=<X>)"


def test_byte_order_and_strides_do_not_show() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert format_tensor(array.astype(">f4")) == format_tensor(array)
    assert format_tensor(np.asfortranarray(array)[::-1]) == format_tensor(np.ascontiguousarray(array[::-1]))


def test_signalling_nan_prints_without_a_warning() -> None:
    array = np.array([0x7FA00000, 0x3F800000], np.uint32).view(np.float32)
    assert format_tensor(array) == "tensor([nan, 1.])"


class Reads:
    """An array of ones that is nowhere in memory and counts the elements that are read of it."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.ndim = len(shape)
        self.count = 0

    def __getitem__(self, index: Any) -> np.ndarray:
        part = np.broadcast_to(np.float32(1), self.shape)[index]
        self.count += part.size
        return part


@pytest.mark.parametrize(
    ("shape", "read"), [((10**9,), 6), ((6, 10**9), 36), ((10**6, 10**6), 36), ((2, 10**6, 1, 10**5), 72)]
)
def test_a_summary_reads_only_what_it_shows(shape: tuple[int, ...], read: int) -> None:
    array = Reads(shape)
    text = format_tensor(array)
    assert array.count == read == text.count("1.")


def test_a_file_larger_than_memory_is_printed_from_its_edges(tmp_path: Any) -> None:
    array = np.memmap(tmp_path / "sparse", np.float64, "w+", shape=(10**10,))  # 80 GB, as a hole in the file system
    array[-1] = 2.0
    assert format_tensor(array) == "tensor([0., 0., 0.,  ..., 0., 0., 2.], dtype=float64)"


# The chain ------------------------------------------------------------------------------------------------------------


def test_chain_of_a_mean_of_squares() -> None:
    node = leaf("x")
    for name in ("MulBackward0", "AddBackward0", "PowBackward0", "MulBackward0", "MeanBackward0"):
        node = FakeNode(name, node) if name in ("PowBackward0", "MeanBackward0") else FakeNode(name, node, None)
    assert format_chain(node) == (
        "MeanBackward0\n"
        "└─ MulBackward0\n"
        "   └─ PowBackward0\n"
        "      └─ AddBackward0\n"
        "         └─ MulBackward0\n"
        "            └─ AccumulateGrad x"
    )


def test_functions_met_again_are_named_and_inputs_repeated() -> None:
    x, y = leaf("x"), leaf("y")
    product = FakeNode("MulBackward0", None, x)
    total = FakeNode("AddBackward0", product, y)
    root = FakeNode("DivBackward0", total, FakeNode("MulBackward0", total, product))
    assert format_chain(root) == (
        "DivBackward0\n"
        "├─ AddBackward0 [1]\n"
        "│  ├─ MulBackward0 [2]\n"
        "│  │  └─ AccumulateGrad x\n"
        "│  └─ AccumulateGrad y\n"
        "└─ MulBackward0\n"
        "   ├─ ↑ AddBackward0 [1]\n"
        "   └─ ↑ MulBackward0 [2]"
    )
    assert format_chain(FakeNode("MulBackward0", x, x)) == "MulBackward0\n├─ AccumulateGrad x\n└─ AccumulateGrad x"


def test_inputs_without_a_name_are_told_apart() -> None:
    x = leaf(None)
    assert format_chain(FakeNode("AddBackward0", FakeNode("MulBackward0", x, x), leaf(None))) == (
        "AddBackward0\n├─ MulBackward0\n│  ├─ AccumulateGrad [1]\n│  └─ ↑ AccumulateGrad [1]\n└─ AccumulateGrad"
    )


def test_a_straight_chain_is_indented_for_sixty_levels_only() -> None:
    lines = format_chain(chain(150)).split("\n")
    assert len(lines) == 151
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert indents[:2] == [0, 0]
    assert indents[1:] == [min(3 * level, 180) for level in range(150)]
    assert lines[-1].strip() == "└─ AccumulateGrad x"


def test_a_deep_chain_below_a_branch_keeps_the_branch_readable() -> None:
    branch = FakeNode("AddBackward0", chain(10), leaf("y"))
    for _ in range(60):
        branch = FakeNode("NegBackward0", branch)
    lines = format_chain(branch).split("\n")
    at = next(i for i, line in enumerate(lines) if line.endswith("AddBackward0"))
    assert lines[at + 1] == " " * 180 + "├─ MulBackward0"
    assert lines[at + 2 : at + 12] == [" " * 180 + "│  └─ " + "MulBackward0"] * 9 + [
        " " * 180 + "│  └─ " + "AccumulateGrad x"
    ]
    assert lines[at + 12 :] == [" " * 180 + "└─ AccumulateGrad y"]


def test_a_chain_of_100_000_is_cut_and_says_so() -> None:
    text = format_chain(chain(100_000))
    lines = text.split("\n")
    assert len(lines) == 201
    assert len(text) < 40_000
    assert lines[-1] == "… 99,801 more nodes (use --json for all)"
    assert format_chain(chain(199)).count("\n") == 199
    assert format_chain(chain(200)).endswith("\n… 1 more node (use --json for all)")


def test_a_sum_of_100_000_terms_shows_its_last_ones() -> None:
    node = leaf("x")
    for _ in range(100_000):
        node = FakeNode("AddBackward0", node, leaf("y"))
    lines = format_chain(node).split("\n")
    assert lines[:3] == ["AddBackward0", "├─ AddBackward0", "│  ├─ AddBackward0"]
    assert lines[-3:-1] == ["│  └─ AccumulateGrad y", "└─ AccumulateGrad y"]
    drawn = sum(line.endswith(("AddBackward0", "AccumulateGrad y")) for line in lines)
    assert lines[-1] == f"… {200_001 - drawn:,} more nodes (use --json for all)"
    assert sum(map(len, lines)) < 40_000


def test_a_graph_with_exponentially_many_paths_is_drawn_once() -> None:
    node = leaf("x")
    for _ in range(50):
        node = FakeNode("AddBackward0", node, node)
    lines = format_chain(node).split("\n")
    assert len(lines) == 1 + 2 * 50
    assert lines[1] == "├─ AddBackward0 [1]"
    assert lines[-1] == "└─ ↑ AddBackward0 [1]"


def test_operands_left_out_are_counted_where_every_node_is_drawn() -> None:
    x = leaf("x")
    assert format_chain(FakeNode("CatBackward0", *[x] * 300)).endswith("x\n… 101 more edges (use --json for all)")


# JSON -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.1), "0.1"),
        (np.array(30, np.float32), "30.0"),
        (np.array([[1 / 3, 1e20], [16777216, 1e-45]], np.float32), "[[0.33333334, 1e+20], [16777216.0, 1e-45]]"),
        (np.array([0.1, 65504, 6e-8], np.float16), "[0.1, 65500.0, 6e-08]"),
        (np.array([0.1, 1e16, -0.0, 5e-324]), "[0.1, 1e+16, -0.0, 5e-324]"),
        (np.array([np.nan, np.inf, -np.inf, 1], np.float32), '["NaN", "Infinity", "-Infinity", 1.0]'),
        (np.array([np.nan, -np.inf, 0.5]), '["NaN", "-Infinity", 0.5]'),
        (np.array(np.nan), '"NaN"'),
        (np.array([2**64 - 1], np.uint64), "[18446744073709551615]"),
        (np.array([[True, False]]), "[[true, false]]"),
        (np.bool_(True), "true"),
        (np.array([1.5, 2], ">f4"), "[1.5, 2.0]"),
        (np.zeros(0, np.float32), "[]"),
        (np.zeros((3, 0), np.float32), "[[], [], []]"),
        (np.zeros((0, 3), np.float32), "[]"),
        (np.zeros((2, 0, 3), bool), "[[], []]"),
        (np.arange(6, dtype=np.float32).reshape(3, 2)[::-1], "[[4.0, 5.0], [2.0, 3.0], [0.0, 1.0]]"),
        ([float("nan"), float("-inf"), 0.1, 2.0, 7, True, None], '["NaN", "-Infinity", 0.1, 2.0, 7, true, null]'),
        ({'a"\n': (1, []), "é": {}}, '{"a\\"\\n": [1, []], "\\u00e9": {}}'),
        ({"\udcff": "\udcff"}, '{"\\udcff": "\\udcff"}'),
    ],
)
def test_json(value: Any, expected: str) -> None:
    text = to_json(value)
    assert text == expected
    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("value", [object(), {1: 2}, np.array(["a"]), np.array([None]), np.array([1j])])
def test_what_has_no_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        to_json(value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_come_back_with_the_same_bits_from_the_fewest_digits(dtype: Any) -> None:
    size = np.dtype(dtype).itemsize
    bits = np.random.default_rng(0).integers(0, 256, 20_000 * size, dtype=np.uint8)
    array = bits.view(dtype)
    array = array[np.isfinite(array)]
    numbers = json.loads(to_json(array))
    back = np.array(numbers, np.float64).astype(dtype)
    assert (back.view(f"u{size}") == array.view(f"u{size}")).all()
    shortest = [np.format_float_scientific(v, unique=True, trim="-") for v in array[:500]]
    assert [np.format_float_scientific(v, trim="-") for v in numbers[:500]] == shortest


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4), (1, 1, 1, 5), (3, 1)])
def test_nesting_follows_the_shape(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    array.flat[0] = np.float32(1e-30)
    assert (np.array(json.loads(to_json(array)), np.float32) == array).all()
    assert json.loads(to_json(array > 0)) == (array > 0).tolist()


def test_graph_rows_are_numbered_as_they_are_met() -> None:
    x, y = leaf("x"), leaf("y")
    product = FakeNode("MulBackward0", None, x)
    root = FakeNode("DivBackward0", FakeNode("AddBackward0", product, y), product)
    assert graph_json(root) == [
        {"id": 0, "name": "DivBackward0", "next": [1, 2]},
        {"id": 1, "name": "AddBackward0", "next": [2, 4]},
        {"id": 2, "name": "MulBackward0", "next": [None, 3]},
        {"id": 3, "name": "AccumulateGrad", "variable": "x", "next": []},
        {"id": 4, "name": "AccumulateGrad", "variable": "y", "next": []},
    ]


def test_graph_of_any_depth() -> None:
    rows = graph_json(chain(100_000))
    assert rows[99_999] == {"id": 99_999, "name": "MulBackward0", "next": [100_000, None]}
    assert rows[-1]["variable"] == "x"
    assert json.loads(to_json(rows)) == rows


def test_long_lists_are_written_as_short_ones() -> None:
    items = [1, "ö", None, True, 0.1, float("nan"), np.float32(0.1), np.array([1, np.inf]), {"a": [(), np.int8(3)]}]
    one_by_one = ", ".join(to_json(item) for item in items)
    assert to_json(items * 300) == f"[{', '.join([one_by_one] * 300)}]"
    assert json.loads(to_json([{"id": k, "next": [k, None]} for k in range(600)]))[599] == {
        "id": 599,
        "next": [599, None],
    }

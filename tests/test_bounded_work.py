"""Work that a text could ask for without end is bounded, and the rest is linear in the length of the text."""

from __future__ import annotations

import gc as garbage
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError, LimitError
from gradcli.evaluation.expansion import check_expansion
from gradcli.formula.derivation import derive
from gradcli.formula.lengths import Given, Wanted
from gradcli.language.parse import parse, unparse
from gradcli.repl.session import Session, Typed


def doubling(times: int) -> str:
    steps = "; ".join(f"f{k + 1}(x) = f{k}(f{k}(x))" for k in range(times))
    return f"f0(x) = x + x; {steps}; f{times}(x)"


def test_functions_that_double_without_end_are_refused() -> None:
    for times in (20, 50, 3000):
        started = time.process_time()
        with pytest.raises(GradcliError, match=rf"with f{times}\(\) the expression has [\d.e+]+ operations") as met:
            gc.evaluate(doubling(times), {"x": 1.0})
        assert met.value.source is not None and met.value.span is not None
        assert met.value.source[slice(*met.value.span)] == f"f{times}(x)"
        assert time.process_time() - started < 30
    assert gc.evaluate(doubling(8), {"x": np.float64(1e-6)}).value.item() == pytest.approx(1e-6 * 2.0**256)


def test_calls_one_after_the_other_count_together() -> None:
    head = doubling(17).rpartition(";")[0]
    calls = "; ".join(f"y{k} = f17(x)" for k in range(8))
    with pytest.raises(GradcliError, match=r"with f17\(\) the expression has 1310715 operations") as met:
        gc.evaluate(f"{head}; {calls}; y0", {"x": 1.0})
    assert met.value.span is not None and met.value.source is not None
    assert met.value.source[: met.value.span[0]].endswith("y4 = ")


def test_what_calls_come_to_is_counted_once_for_each_function() -> None:
    """Also where definitions and calls take turns: each call anew would take the square of this."""
    steps = "".join(f"f{k}(x) = f{k - 1}(x) + 1; y{k} = f{k}(1)\n" for k in range(1, 1400))
    statements = parse(f"f0(x) = x; {steps}y1").statements
    started = time.process_time()
    check_expansion(statements)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["x", "[x]", "(x, x)[0]"])
def test_functions_that_do_nothing_are_counted_too(text: str) -> None:
    steps = "; ".join(f"f{k + 1}(x) = f{k}(f{k}(x))" for k in range(40))
    with pytest.raises(GradcliError, match=r"with f40\(\) the expression has [\d.e+]+ operations"):
        gc.evaluate(f"f0(x) = {text}; {steps}; f40(x)", {"x": 1.0})


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("f(x) = f(x); f(x)", "f", (7, 11)),
        ("f(x) = g(x) + 1; g(x) = x*f(x); f(x)", "f", (28, 32)),
        ("f(x) = g(x) + 1; g(x) = x*f(x); 1 + g(x)", "g", (7, 11)),
        ("f(x) = g(x) + g(x); g(x) = h(x); h(x) = g(x); f(x)", "g", (41, 45)),
    ],
)
def test_functions_that_go_in_circles(text: str, name: str, place: tuple[int, int]) -> None:
    with pytest.raises(GradcliError, match=rf"{name}\(\) calls itself without end") as met:
        gc.evaluate(text, {"x": 1.0})
    assert met.value.span is not None and text[slice(*met.value.span)].startswith(f"{name}(")


def test_long_chains_of_functions_are_no_circles() -> None:
    text = "f0(t) = t; " + "".join(f"f{k + 1}(t) = f{k}(t) + 1; " for k in range(3000)) + "f3000(x)"
    assert gc.evaluate(text, {"x": 1.0}).value.item() == 3001


def test_a_function_that_is_defined_anew_is_counted_anew() -> None:
    assert gc.evaluate("f(x) = 2*x; a = f(x); g(x) = x; f(x) = 3*g(x); f(a)", {"x": 1.0}).value.item() == 6


# Time -----------------------------------------------------------------------------------------------------------------


def names(n: int) -> str:
    return ",".join(f"a{k}" for k in range(n))


def chain(step: str, n: int, first: str) -> str:
    return first + "".join(step.format(k, k + 1) for k in range(n))


FAMILIES: dict[str, tuple[int, Callable[[int], str]]] = {
    "powers": (120, lambda n: "x" + "**x" * n),
    "sums": (300, lambda n: "x" + "+x" * n),
    "quotients": (300, lambda n: "x" + "/x" * n),
    "parentheses": (700, lambda n: "(" * n + "x" + ")" * n),
    "signs": (200, lambda n: "-" * n + "x"),
    "transposes": (200, lambda n: "X" + ".T" * n + ".sum()"),
    "methods": (200, lambda n: "x" + ".sin()" * n),
    "calls": (200, lambda n: "cos(" * n + "x" + ")" * n),
    "choices": (100, lambda n: "where(x>0," * n + "x" + ",x)" * n),
    "lists": (700, lambda n: "sum([" + "1," * n + "]) + x"),
    "rows": (200, lambda n: "sum([" + "[1,2]," * n + "]) + x"),
    "tensors in a list": (200, lambda n: "sum(stack([" + "x," * n + "]))"),
    "statements": (200, lambda n: "".join(f"a{k} = x + {k}; " for k in range(n)) + f"a{n - 1}"),
    "statements on each other": (200, lambda n: chain("a{1} = a{0}*x; ", n, "a0 = x; ") + f"a{n}"),
    "functions": (300, lambda n: "".join(f"f{k}(t) = t; " for k in range(n)) + "x"),
    "functions on each other": (200, lambda n: chain("f{1}(t) = f{0}(t); ", n, "f0(t) = t; ") + f"f{n}(x)"),
    "arguments": (200, lambda n: f"f({names(n)}) = a0; f({'x,' * n})"),
    "keywords": (200, lambda n: f"f({names(n)}) = a0; f({names(n).replace(',', '=x,')}=x)"),
    "names on the left": (700, lambda n: f"{names(n)} = ({'x,' * n}); a0"),
    "comparisons": (300, lambda n: "x + 1.0*(" + "&".join(["(x<1)"] * n) + ")"),
    "numbers": (700, lambda n: "x" + "**1" * n),
    "comments": (300, lambda n: "# nothing\n" * n + "x"),
    "blanks": (30_000, lambda n: " " * n + "x" + " " * n),
    "digits": (30_000, lambda n: "x + 0." + "3" * n),
    "strings": (30_000, lambda n: f"x + ('{'a' * n}' == 'b')"),
    "long names": (30_000, lambda n: f"{'a' * n} = x; {'a' * n}"),
    "shapes": (300, lambda n: "x" + "+X.shape[0]" * n),
}


def grows_linearly(work: Callable[[int], object], n: int) -> bool:
    """Whether four times as much takes about four times as long; sixteen would be quadratic. Machines are busy."""
    garbage.collect()
    for _ in range(5):
        # The first time of all warms up.
        little = min(seconds(work, n), seconds(work, n))
        if seconds(work, 4 * n) < 9 * little + 0.02:
            return True
    return False


def seconds(work: Callable[[int], object], n: int) -> float:
    """The time of the processor that so much work takes."""
    garbage.disable()
    started = time.process_time()
    work(n)
    taken = time.process_time() - started
    garbage.enable()
    return taken


@pytest.mark.parametrize("name", FAMILIES)
def test_time_is_linear_in_the_length_of_the_text(name: str) -> None:
    size, make = FAMILIES[name]
    inputs = {"x": np.array(0.5), "X": np.eye(2)}

    def work(n: int) -> None:
        script = parse(make(n))
        gc.evaluate(script, inputs)
        unparse(script)

    assert grows_linearly(work, size)


def test_time_is_linear_in_the_number_of_inputs() -> None:
    def work(n: int) -> None:
        gc.evaluate(parse(names(n).replace(",", "+")), dict.fromkeys(names(n).split(","), 1.0))

    assert grows_linearly(work, 300)


def test_an_open_bracket_is_looked_at_line_by_line() -> None:
    def work(n: int) -> None:
        typed = Typed()
        assert typed.add("x = (1") is None
        for _ in range(n):
            assert typed.add("+ 1") is None
        text = typed.add(")")
        assert text is not None and text.count("\n") == n + 1 and not typed.is_open

    assert grows_linearly(work, 500)


def test_a_session_of_many_functions_stays_quick() -> None:
    def work(n: int) -> None:
        session = Session()
        for k in range(n):
            session.run(f"f{k}(x) = x + {k}")
        assert session.run("f1(2)").text == "tensor(3.)"

    assert grows_linearly(work, 60)


def test_mistakes_in_long_texts_are_found_quickly() -> None:
    for make in (
        lambda n: "(" * n,
        lambda n: "x" + "+x" * n + "+",
        lambda n: "x" + "+x" * n + "+y",
        lambda n: "x" + " " * n + "$",
    ):

        def work(n: int, make: Callable[[int], str] = make) -> None:
            with pytest.raises(GradcliError) as met:
                gc.evaluate(make(n), {"x": 1.0})
            assert len(str(met.value)) < 600

        assert grows_linearly(work, 500)


@pytest.mark.parametrize(
    ("text", "order", "has_formula"),
    [
        ("exp(" * 100 + "x" + ")" * 100, 1, True),
        ("exp(" * 400 + "x" + ")" * 400, 1, None),
        ("x" + "**x" * 30, 1, True),
        ("x" + "**x" * 400, 1, False),
        ("sin(" * 200 + "x" + ")" * 200, 2, False),
        ("*".join(f"(x + {k})" for k in range(200)), 1, False),
        ("/".join(f"(x + {k})" for k in range(200)), 1, None),
        (" + ".join(f"x**{k}" for k in range(1, 300)), 1, None),
    ],
)
def test_formulas_of_long_chains_are_found_or_refused(text: str, order: int, has_formula: bool | None) -> None:
    started = time.process_time()
    try:
        derive(parse(text), [Given("x", (), np.dtype(float))], Wanted("x", order))
        found = True
    except GradcliError as error:
        assert error.message == "the derivative is too long for a formula"
        found = False
    assert has_formula in (None, found)
    assert time.process_time() - started < 60


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shape", "told"),
    [
        ("combinations(x, 10**9)", (3,), "combinations() takes up to 64 elements at a time, got 1000000000"),
        ("combinations(x, 65, True)", (1,), "combinations() takes up to 64 elements at a time, got 65"),
        ("combinations(x, 60)", (100_000,), "combinations() has"),
        ("repeat_interleave(x, [2**62, 2**62])", (2,), "the repeats make 9.22337e+18 places"),
        ("repeat_interleave(x, [10**12, 10**12])", (2,), "int64 tensor of shape (2000000000000,) needs 16 TB"),
        ("affine_grid(x, [1, 1, 10**6, 10**6])", (1, 2, 3), "tensor of shape (1000000, 1000000, 3) needs 24 TB"),
        ("sum(pdist(x))", (2_000_000, 0), "tensor of shape (1999999000000,) needs 16 TB"),
        ("ctc_loss(x, zeros(1, 3, dtype=int64), [10001], [3])", (10_001, 1, 2), "goes through at most 10000 moments"),
        ("max_pool1d(x, 50000, 1)", (1, 1, 100_000), "50001 elements, each made of 50000, look at more than 67108864"),
        ("avg_pool1d(x, 50000, 1)", (1, 1, 100_000), "50001 elements, each made of 50000, look at more than 67108864"),
    ],
)
def test_what_would_take_too_much_is_refused_before(text: str, shape: tuple[int, ...], told: str) -> None:
    started = time.process_time()
    with pytest.raises(GradcliError) as met:
        gc.evaluate(text, {"x": np.ones(shape)})
    assert told in met.value.message
    assert time.process_time() - started < 30


def test_windows_of_long_lines_are_laid_out_in_strips() -> None:
    """All of them at once would take 400 MB here."""
    tracemalloc.start()
    x = gc.ones(1, 1, 50_000, requires_grad=True)
    w = gc.ones(1, 1, 2000, requires_grad=True)
    y = gc.conv1d(x, w)
    y.sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000
    assert y.value().min() == y.value().max() == 2000
    assert x.grad is not None and w.grad is not None
    assert x.grad[0, 0, 1].item() == 2 and x.grad[0, 0, 25_000].item() == 2000 and w.grad[0, 0, 7].item() == 48_001


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(
    "text",
    [
        "cat([x, x.expand(3, 10**12)], 1)",
        "roll(x.expand(3, 10**12), 1, 1)",
        "x.repeat(1, 10**12)",
        "pad(x, [0, 10**12])",
        "pad(x.expand(3, 10**12), [1, 1], mode='circular')",
        "vander(x[:, 0], 10**12)",
    ],
)
def test_places_of_long_rows_are_not_listed(text: str, engine: str) -> None:
    gc.set_engine(engine)
    tracemalloc.start()
    try:
        with pytest.raises(LimitError):
            gc.evaluate(text, {"x": np.ones((3, 1))}, wrt=[]).value.numpy()
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_native_code_for_few_of_many_places() -> None:
    places = {"expand": 10**12, "list": 70_000, "few": 20}
    gc.set_engine("native")
    for count in places.values():
        node = gc.cat([gc.ones(3, 2), gc.ones(3, 1).expand(3, count)], 1).node
        found = node.op.native.parts(node)
        assert (found is None) == (count > 65_536)
    assert found == (1, [(0, 0), (0, 1), *((1, place) for place in range(20))])

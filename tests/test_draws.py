"""Whole numbers, orders, normal numbers and coin tosses: PyTorch 2.13's for a seed, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import gradcli as gc
from gradcli.engine.native.choice import using
from gradcli.errors import GradcliError

#: With seed 5, recorded with PyTorch.
RECORDED: dict[str, list[float]] = {
    "randint(0, 10, (6,))": [1, 4, 7, 5, 6, 0],
    "randint(200, (4,), dtype=uint8)": [11, 14, 167, 85],
    "randint(-2**40, 2**40, (3,))": [425438759118, 1030067709629, 989404716150],
    "randint(0, 2**28, (3,), dtype=float64)": [236996814.0, 80864957.0, 220060790.0],
    "randint_like(zeros(2, 3), 4, 9)": [5.0, 8.0, 6.0, 4.0, 5.0, 4.0],
    "randperm(12)": [11, 0, 9, 6, 10, 3, 4, 5, 8, 7, 1, 2],
    "randperm(5, dtype=float32)": [1.0, 3.0, 0.0, 4.0, 2.0],
    "normal(-1, 2, (3,))": [-1.9735615253448486, -2.2076432704925537, -2.116192579269409],
    "normal(-1, 2, (17,), dtype=float64)": [
        0.6471427862923707,
        -0.9815421833814508,
        0.5263008630868042,
        0.6332457374735838,
        -3.8053798297625185,
        0.40757788705017206,
        -0.8980870558940138,
        0.6744368673774135,
        -1.7244094481912584,
        0.9281091455650654,
        2.0014752946788756,
        0.7332034653635295,
        -1.8021773983979708,
        -2.439748751026741,
        -1.5372636044106045,
        -1.7910432210793492,
        2.8344693595039483,
    ],
    "normal(0.5, 0.25*ones(3))": [0.3783048093318939, 0.3490446209907532, 0.36047595739364624],
    "bernoulli(0.3*ones(8))": [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0],
    "multinomial(arange(1., 7.), 4)": [4, 3, 2, 1],
    "multinomial(arange(1., 7.), 1)": [4],
    "multinomial(tensor([[0., 1., 0.5], [2., 0., 0.]], dtype=float64), 5, replacement=True)": [
        1,
        1,
        1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
    ],
    "bernoulli(ones(6), 0.4)": [0.0, 1.0, 1.0, 1.0, 1.0, 0.0],
}


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("text", RECORDED)
def test_numbers_of_a_seed(text: str, engine: str) -> None:
    with using(engine):
        gc.manual_seed(5)
        found = gc.evaluate(text, wrt=()).value
    assert found.ravel().tolist() == RECORDED[text]


def test_a_draw_takes_its_place_in_the_order_of_the_text() -> None:
    """Whether what was drawn before is looked at or not."""
    for first in ("randperm(9)", "randint(0, 2**30, (7,))", "normal(1, 2, (17,))", "bernoulli(0.5*ones(3))"):
        gc.manual_seed(1)
        one = gc.evaluate(f"a = {first}; b = rand(2); b").value
        gc.manual_seed(1)
        other = gc.evaluate(f"a = {first}; b = rand(2); sum(a)*0 + b").value
        assert one.tolist() == other.tolist()


def test_the_numbers_are_in_the_order_of_memory() -> None:
    x = gc.zeros(3, 4)
    gc.manual_seed(2)
    rows = gc.randint_like(x, 100)
    gc.manual_seed(2)
    assert gc.randint_like(gc.zeros(4, 3).T, 100).T.tolist() == rows.reshape(4, 3).tolist()


def test_gradients_are_zero() -> None:
    mean = gc.tensor([0.5, 0.25], requires_grad=True)
    for draw, name in (
        (lambda: gc.normal(mean, 2.0), "NormalBackward1"),
        (lambda: gc.normal(0.0, mean), "NormalBackward2"),
        (lambda: gc.normal(mean, mean), "NormalBackward3"),
        (lambda: gc.bernoulli(mean), "BernoulliBackward0"),
        (lambda: (mean * 1).uniform_(), "UniformBackward0"),
        (lambda: (mean * 1).bernoulli_(), "BernoulliBackward2"),
        (lambda: (mean * 1).random_(), "RandomBackward2"),
        (lambda: (mean * 1).random_(5), "RandomBackward1"),
        (lambda: (mean * 1).random_(2, 5), "RandomBackward0"),
        (lambda: (mean * 1).exponential_(), "ExponentialBackward0"),
        (lambda: (mean * 1).geometric_(0.5), "GeometricBackward0"),
        (lambda: (mean * 1).cauchy_(), "CauchyBackward0"),
        (lambda: (mean * 1).log_normal_(), "LogNormalBackward0"),
    ):
        result = draw()
        assert result.grad_fn is not None and result.grad_fn.name() == name
        assert gc.grad(result.sum(), mean)[0].tolist() == [0, 0]  # type: ignore[union-attr]


def test_indices_by_weight_have_no_gradient() -> None:
    weights = gc.tensor([[0.5, 0.0, 0.25], [0.0, 0.0, 1.0]], requires_grad=True)
    found = weights.multinomial(2, replacement=True)
    assert found.dtype == gc.int64 and not found.requires_grad
    assert 1 not in found[0].tolist() and found[1].tolist() == [2, 2]
    assert sorted(gc.multinomial(gc.ones(50), 50).tolist()) == list(range(50))
    assert gc.multinomial(gc.zeros(0, 3), 2).shape == (0, 2)


def test_parameters_are_drawn_in_place() -> None:
    weight = gc.zeros(20, requires_grad=True)
    with pytest.raises(GradcliError, match="no_grad|in place"):
        weight.normal_()
    gc.manual_seed(3)
    expected = gc.randn(20).tolist()
    gc.manual_seed(3)
    with gc.no_grad():
        assert weight.normal_() is weight
    assert weight.tolist() == expected and weight.requires_grad and weight.is_leaf
    counts = gc.zeros(50, dtype=gc.int64).random_(2, 4)
    assert set(counts.tolist()) == {2, 3}


#: Three float32 numbers with seed 0, recorded with PyTorch.
WITHIN: dict[str, tuple[Callable[[gc.Tensor], gc.Tensor], list[float]]] = {
    "random_()": (lambda x: x.random_(), [8325664.0, 12888472.0, 1484222.0]),
    "random_(-7, None)": (lambda x: x.random_(-7, None), [8324677.0, 12887408.0, 1482934.0]),
    "exponential_()": (lambda x: x.exponential_(), [3.508326292037964, 1.2303847074508667, 0.615044116973877]),
    "exponential_(0.3)": (lambda x: x.exponential_(0.3), [11.69442081451416, 4.101282596588135, 2.05014705657959]),
    "geometric_(0.3)": (lambda x: x.geometric_(0.3), [1.0, 1.0, 3.0]),
    "cauchy_(-3, 2.7)": (lambda x: x.cauchy_(-3, 2.7), [25.613868713378906, -0.935128390789032, -3.3464081287384033]),
    "log_normal_(0.3, 0.7)": (
        lambda x: x.log_normal_(0.3, 0.7),
        [3.969726800918579, 1.0992188453674316, 0.29371288418769836],
    ),
}


@pytest.mark.parametrize("name", WITHIN)
def test_distributions_in_place_of_a_seed(name: str) -> None:
    draw, expected = WITHIN[name]
    gc.manual_seed(0)
    x = gc.zeros(3)
    assert draw(x) is x and x.tolist() == expected


def test_a_distribution_takes_its_place_in_the_stream() -> None:
    """Whether anybody asks for its numbers or not; a normal number left over goes on to the next draw."""
    for draw in (gc.Tensor.exponential_, gc.Tensor.log_normal_, gc.Tensor.random_):
        gc.manual_seed(1)
        draw(gc.zeros(3))
        one = gc.randn(2).tolist()
        gc.manual_seed(1)
        assert draw(gc.zeros(3)).sum().item() > 0 and gc.randn(2).tolist() == one


def test_random_takes_its_bounds_by_name() -> None:
    x = gc.zeros(50)
    assert set(x.random_(to=2).tolist()) == {0, 1} and set(x.random_(high=5, low=3).tolist()) == {3, 4}
    assert set(x.random_(**{"to": 9, "from": 7}).tolist()) == {7, 8}  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes no argument 'most'"):
        x.random_(most=2)  # type: ignore[call-overload]
    with pytest.raises(GradcliError, match="in place"):
        gc.zeros(2, requires_grad=True).random_()


REFUSED: dict[str, Callable[[], object]] = {
    "none from 3 to 3": lambda: gc.randint(3, 3, (2,)),
    "as a tuple": lambda: gc.randint(0, 10, 3),
    "does not fit into uint8": lambda: gc.randint(0, 300, (2,), dtype=gc.uint8),
    "of 300 numbers does not fit": lambda: gc.randperm(300, dtype=gc.uint8),
    "orders from 0 to": lambda: gc.randperm(10**12),
    "may be used": lambda: gc.randint(0, 5, (10**12,)).tolist(),
    "needs lengths": lambda: gc.normal(0, 1),
    "not negative": lambda: gc.normal(0, -1, (2,)),
    "not negative, got nan": lambda: gc.zeros(2).normal_(0, float("nan")),
    "not negative, got -1": lambda: gc.normal(gc.zeros(2), gc.tensor([1.0, -1.0])).tolist(),
    "not negative, got -2": lambda: gc.normal(0.0, gc.tensor([1.0, -2.0])).tolist(),
    "between 0 and 1, got 1.5": lambda: gc.bernoulli(gc.tensor([0.5, 1.5])).tolist(),
    "between 0 and 1, got nan": lambda: gc.zeros(2).bernoulli_(gc.tensor([0.5, float("nan")])).tolist(),
    "no number between": lambda: gc.randint(65503, 65504, (2,), dtype=gc.float16),
    "from 0 to 1": lambda: gc.bernoulli(gc.ones(2), 2),
    "do not fit": lambda: gc.zeros(2).bernoulli_(gc.ones(3)),
    "up to a larger one": lambda: gc.zeros(2).uniform_(2, 1),
    "floating-point": lambda: gc.zeros(2, dtype=gc.int64).normal_(),
    "lambd must be larger than 0": lambda: gc.zeros(2).exponential_(0),
    "std must be larger than 0": lambda: gc.zeros(2).log_normal_(0, -1),
    "sigma must be larger than 0": lambda: gc.zeros(2).cauchy_(0, float("nan")),
    "between 0 and 1, got 1": lambda: gc.zeros(2).geometric_(1),
    "not booleans": lambda: gc.zeros(2, dtype=gc.bool).geometric_(0.5),
    "cauchy_.. needs a floating-point": lambda: gc.zeros(2, dtype=gc.int64).cauchy_(),
    "none from 5 to 5": lambda: gc.zeros(2).random_(5, 5),
    "gets to -1": lambda: gc.zeros(2, dtype=gc.uint8).random_(-1, None),
    "finite and not negative": lambda: gc.multinomial(gc.tensor([1.0, -1.0]), 1).tolist(),
    "not negative$": lambda: gc.multinomial(gc.tensor([1.0, float("nan")]), 3, True).tolist(),
    "all 0": lambda: gc.multinomial(gc.zeros(2, 3), 1).tolist(),
    "3 different ones cannot be drawn from 2": lambda: gc.multinomial(gc.ones(2), 3),
    "num_samples must be positive": lambda: gc.multinomial(gc.ones(2), 0),
    "a vector of weights": lambda: gc.multinomial(gc.ones(2, 2, 2), 1),
    "multinomial.. needs a floating-point": lambda: gc.multinomial(gc.arange(3), 1),
    "two bounds": lambda: gc.zeros(2).random_(1, 2, 3),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_refused(message: str) -> None:
    with pytest.raises(GradcliError, match=message):
        REFUSED[message]()


def test_threads_that_need_the_same_numbers() -> None:
    """The stream is one for all draws: it was moved by one thread while another one drew from it."""
    for _ in range(40):
        x, y = gc.randn(50), gc.rand(70)
        found: list[list[list[float]]] = []
        threads = [
            threading.Thread(target=lambda x=x, y=y, found=found: found.append([(x * 1).tolist(), (y * 1).tolist()]))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[x.tolist(), y.tolist()]] * 6

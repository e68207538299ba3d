"""`gradcli.minimize`: known minima by every method, batches, what is refused, runs that go on to the same bits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation import compiled
from gradcli.language.parse import parse
from gradcli.machine.limits import limited
from gradcli.optimize.batches import Batches
from gradcli.optimize.iterate import Iterate
from gradcli.optimize.methods import METHODS
from gradcli.optimize.objective import Objective
from gradcli.storage import open_array

ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"
START = {"x": np.float64(-1.2), "y": np.float64(1.0)}
OWN = [name for name, method in METHODS.items() if not method.scipy]
SCIPY = [name for name, method in METHODS.items() if method.scipy]


def _logistic() -> tuple[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 5))
    y = (x @ [1, 2, -1, 0, 0.5] + rng.standard_normal(100) > 0).astype(float)
    loss = "mean(softplus(X@w + b) - y*(X@w + b)) + 0.01*sum(w**2)"
    return loss, {"X": x, "y": y, "w": np.zeros(5), "b": np.zeros(())}


@pytest.mark.parametrize("method", ["lbfgs", *SCIPY])
def test_rosenbrock(method: str) -> None:
    found = gc.minimize(ROSENBROCK, START, ["x", "y"], method=method, tol=1e-12)
    assert found.converged, found.reason
    assert [found.parameters[name].item() for name in "xy"] == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize("method", OWN)
def test_logistic_regression(method: str) -> None:
    """Every method of gradcli's own ends where L-BFGS does; those that end slowly have come near."""
    loss, data = _logistic()
    best = gc.minimize(loss, data, ["w", "b"], tol=1e-12)
    more: dict[str, Any] = {} if method == "lbfgs" else {"lr": 0.05, "steps": 4000}
    if method == "adamw":
        more["weight_decay"] = 0.0
    if method in ("sgd", "adagrad"):
        more["lr"] = 0.5
    found = gc.minimize(loss, data, ["w", "b"], method=method, **more)
    # The steps of RMSprop keep their length, those of Adam grow again where gradients have been small for long.
    atol = 0.1 if method == "rmsprop" else 1e-2
    np.testing.assert_allclose(found.parameters["w"].numpy(), best.parameters["w"].numpy(), atol=atol)
    assert found.value.item() >= best.value.item() - 1e-14


def _network() -> tuple[str, dict[str, Any], list[str]]:
    rng = np.random.default_rng(3)
    data = {"X": rng.standard_normal((103, 4)).astype(np.float32), "A": rng.standard_normal((4, 8)).astype(np.float32)}
    data |= {"c": np.zeros(8, np.float32), "v": rng.standard_normal(8).astype(np.float32)}
    data["y"] = np.sin(data["X"] @ np.array([1, -1, 0.5, 2], np.float32))
    return "mean((tanh(X@A + c)@v - y)**2)", data, ["A", "c", "v"]


@pytest.mark.parametrize("method", ["lbfgs", *SCIPY])
def test_the_parameters_keep_their_shapes_and_dtypes(method: str) -> None:
    start = {"a": np.float64(3.0), "b": np.float32([[1.0, 2.0]]), "c": np.float16([4.0])}
    found = gc.minimize("(a - 1)**2 + sum((b - a)**2) + sum((c - 2)**2)", start, ["a", "b", "c"], method=method)
    for name, array in start.items():
        assert (found.parameters[name].shape, found.parameters[name].dtype) == (array.shape, array.dtype)
        assert found.grads is None or found.grads[name].shape == array.shape
    np.testing.assert_allclose(found.parameters["b"].numpy(), [[1, 1]], atol=2e-3)


def test_a_value_that_is_a_whole_number_can_be_searched_without_a_gradient() -> None:
    found = gc.minimize("round(10*(a - 1)**2).to(int64)", {"a": 3.0}, "a", method="nelder-mead")
    assert (found.value.item(), found.grads, found.gradient_norm) == (0, None, None)
    assert found.value.dtype == gc.int64


def test_what_is_told_is_what_is_computed_at_the_parameters() -> None:
    loss, data = _logistic()
    found = gc.minimize(loss, data, ["w", "b"], max_iter=3)
    again = gc.evaluate(loss, data | found.parameters, ["w", "b"])
    assert found.value.item() == again.value.item()
    assert found.grads is not None and again.grads is not None
    norms = []
    for name in "wb":
        np.testing.assert_array_equal(found.grads[name].numpy(), again.grads[name].numpy())
        norms.append(np.abs(again.grads[name].numpy()).max())
    assert found.gradient_norm == max(norms)
    assert (found.steps, found.converged, found.method) == (3, False, "lbfgs")
    assert found.reason == "the limit of 3 steps is reached"
    assert "steps=3" in repr(found)


#: Problems of More, Garbow and Hillstrom, with the value at their minima.
PROBLEMS: list[tuple[str, list[float], float]] = [
    ("sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)", [-1.2, 1.0] * 5, 0),
    ("(1.5 - x[0] + x[0]*x[1])**2 + (2.25 - x[0] + x[0]*x[1]**2)**2 + (2.625 - x[0] + x[0]*x[1]**3)**2", [1, 1], 0),
    ("(x[0] + 10*x[1])**2 + 5*(x[2] - x[3])**2 + (x[1] - 2*x[2])**4 + 10*(x[0] - x[3])**4", [3, -1, 0, 1], 0),
    ("(1e4*x[0]*x[1] - 1)**2 + (exp(-x[0]) + exp(-x[1]) - 1.0001)**2", [0, 1], 0),
    ("(x[0] - 1e6)**2 + (x[1] - 2e-6)**2 + (x[0]*x[1] - 2)**2", [1, 1], 0),
    ("sum((4 - sum(cos(x)) + arange(1, 5)*(1 - cos(x)) - sin(x))**2)", [0.25] * 4, 3.0282e-4),
    ("sum(10.0**arange(8)*(x - 1)**2)", [0] * 8, 0),
    ("logsumexp(stack([x[0] + 3*x[1], x[0] - 3*x[1], -x[0]]) - 0.1, 0)", [1, 1], 0.9397208),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("expression", "start", "least"), PROBLEMS, ids=[row[0][:20] for row in PROBLEMS])
def test_hard_problems_are_solved_and_float32_knows_when_to_stop(
    expression: str, start: list[float], least: float, dtype: str
) -> None:
    found = gc.minimize(expression, {"x": np.array(start, dtype)}, "x")
    assert found.converged, found.reason
    assert found.value.item() == pytest.approx(least, rel=1e-4, abs=1e-13 if dtype == "float64" else 1e-8)
    assert found.evaluations < 400


def test_a_linear_model_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    data = {"X": rng.standard_normal((200, 4)), "y": rng.standard_normal(200), "w": np.zeros(4)}
    exact = np.linalg.lstsq(data["X"], data["y"])[0]
    for method in ("lbfgs", "l-bfgs-b", "bfgs", "newton-cg", "trust-ncg"):
        found = gc.minimize("sum((X@w - y)**2)", data, "w", method=method, tol=1e-10)
        np.testing.assert_allclose(found.parameters["w"].numpy(), exact, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_units_do_not_matter(scale: float, dtype: str) -> None:
    found = gc.minimize("s*(x - 3)**2 + s*(x - 3)**4", {"x": np.zeros((), dtype), "s": np.asarray(scale, dtype)}, "x")
    assert found.converged, found.reason
    assert found.parameters["x"].item() == pytest.approx(3, abs=1e-2)
    step = gc.minimize("(k*x - 3)**2", {"x": np.zeros((), dtype), "k": np.asarray(scale**0.25, dtype)}, "x")
    assert step.converged, step.reason
    assert step.parameters["x"].item() * scale**0.25 == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize("start", [0.01, 50.0, 1e6])
def test_a_search_turns_back_from_where_there_is_no_value(start: float) -> None:
    found = gc.minimize("x - log(x)", {"x": np.float64(start)}, "x")
    assert found.converged
    assert found.parameters["x"].item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_ends_a_run(dtype: str) -> None:
    """The gradient does not come below the tolerance, and nothing is left to gain."""
    rng = np.random.default_rng(5)
    data = {"A": rng.standard_normal((300, 6)) * 100, "b": rng.standard_normal(300) * 100, "x": np.zeros(6)}
    data = {name: array.astype(dtype) for name, array in data.items()}
    found = gc.minimize("sum((A@x - b)**2)", data, "x")
    assert found.converged, found.reason
    assert found.evaluations < 100
    exact = np.linalg.lstsq(data["A"].astype(float), data["b"].astype(float))[0]
    np.testing.assert_allclose(found.parameters["x"].numpy(), exact, atol=1e-5)


@pytest.mark.parametrize("expression", ["-x", "-x**2", "-sum(x**4)", "x**3 - 1e-9*x**2"])
def test_what_falls_without_end_is_told(expression: str) -> None:
    with pytest.raises(WorkError, match="minus infinity"):
        gc.minimize(expression, {"x": np.float64(-1) if "x**3" in expression else np.float64(1)}, "x")


def test_a_kink_is_no_minimum() -> None:
    found = gc.minimize("10*abs(x - y) + x**2 + (y + 1)**2", {"x": np.float64(3), "y": np.float64(1)}, ["x", "y"])
    assert not found.converged
    assert found.reason == "no step along the slope makes the value smaller: there is a jump or a kink, or rounding"


@pytest.mark.parametrize(("seed", "dtype", "most"), [(1, "f4", 30), (1, "f8", 30), (4, "f4", 50), (4, "f8", 30)])
def test_no_search_goes_on_where_numbers_have_no_digits_left(seed: int, dtype: str, most: int) -> None:
    """Parameters of float32 whose gradient cannot be smaller than the tolerance: their last digits end the search.

    How a BLAS rounds decides whether that takes one search or two, of 15 to 25 evaluations each.
    """
    random = np.random.default_rng(seed)
    x, noise = random.standard_normal((1000, 5)), random.logistic(size=1000)
    data = {"X": x.astype(dtype), "y": (x @ [2, -1, 0.5, 0, 1] + noise).astype(dtype), "w": np.zeros(5, "f4")}
    found = gc.minimize("mean((X@w - y)**2)", data, "w")
    exact = np.linalg.lstsq(data["X"].astype("f8"), data["y"].astype("f8"), rcond=None)[0]
    assert found.converged and found.evaluations <= most
    np.testing.assert_allclose(found.parameters["w"].numpy(), exact, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs-b", "trust-ncg"])
def test_scipy_takes_a_small_gradient_for_none_and_says_so(method: str) -> None:
    found = gc.minimize("1e-30*(a - 3)**2", {"a": 1.0}, "a", method=method)
    assert found.steps == 0 and found.reason.endswith("; its tolerance is larger than the gradient at the start, 4e-30")
    found = gc.minimize("(a - 3)**2", {"a": 3.0}, "a", method=method)
    assert found.converged and "tolerance" not in found.reason


@pytest.mark.parametrize("case", range(24))
def test_a_simplex_leaves_bounds_that_have_made_it_flat(case: int) -> None:
    """From corners and sides of a box to a minimum within it, where SciPy's alone stays on the side in two of three."""
    random, n = np.random.default_rng(case), 2 + case % 3
    factor = random.standard_normal((n, n))
    data = {"c": random.uniform(-1, 1, n), "H": factor @ factor.T + 0.05 * np.eye(n)}
    start = random.choice([-1, 1, 0, 0.98, -0.98], n)
    bounds = {"x": (-1, 1)}
    found = gc.minimize("d = x - c; d @ H @ d", {**data, "x": start}, "x", method="nelder-mead", bounds=bounds)
    assert found.converged and found.value.item() < 1e-4
    # Where the minimum is on a side, it stays there.
    sides = {"c": data["c"], "x": start}
    found = gc.minimize("sum((x - 2*sign(c))**2)", sides, "x", method="nelder-mead", bounds=bounds)
    assert found.converged and np.allclose(found.parameters["x"].numpy(), np.sign(data["c"]), atol=1e-3)


@pytest.mark.parametrize("method", ["l-bfgs-b", "nelder-mead"])
def test_bounds(method: str) -> None:
    start = {"a": np.float64(5), "b": np.array([1.0, 2.0])}
    bounds = {"a": (2, None), "b": ([0.5, -1], 4)}
    found = gc.minimize("(a + 1)**2 + sum((b + 2)**2)", start, ["a", "b"], method=method, bounds=bounds)
    assert found.parameters["a"].item() == pytest.approx(2, abs=1e-4)
    np.testing.assert_allclose(found.parameters["b"].numpy(), [0.5, -1], atol=1e-4)
    assert found.converged
    # A start of float32 on its bound is within it.
    gc.minimize("a**2", {"a": np.float32(0.1)}, "a", method=method, bounds={"a": (-1, 0.1)})


def test_hessian_vector_products_are_exact() -> None:
    loss, data, wrt = _network()
    data = {name: array.astype(float) for name, array in data.items()}
    objective = Objective(parse(loss), data, wrt)
    vector = objective.packing.pack([data[name] for name in wrt])
    direction = np.random.default_rng(0).standard_normal(vector.size)
    parts = objective.packing.unpack(direction)

    def function(*values: gc.Tensor) -> gc.Tensor:
        a, c, v = values
        return (((gc.tensor(data["X"]) @ a + c).tanh() @ v - gc.tensor(data["y"])) ** 2).mean()

    at, along = (tuple([gc.tensor(arrays[name]) for name in wrt]) for arrays in (data, parts))
    expected = objective.packing.pack([product.numpy() for product in gc.hvp(function, at, along)[1]])
    np.testing.assert_allclose(objective.product(vector, direction), expected, rtol=1e-10)
    linear = Objective(parse("sum(w*X)"), {"w": np.ones((103, 4)), "X": data["X"]}, ["w"])
    assert not linear.product(np.ones(412), np.ones(412)).any()


def test_one_plan_serves_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []
    monkeypatch.setattr(compiled, "plan", lambda *a, **k: planned.append(1) or plan(*a, **k))
    loss, data = _logistic()
    for more, plans in (({}, 2), ({"rows": ["X", "y"], "batch_size": 30}, 4)):
        for steps in (4, 50):
            planned.clear()
            gc.minimize(loss, data, ["w", "b"], method="adam", steps=steps, **more)
            # What the data alone gives, and a step; with batches also whole ones, and what is left of an epoch.
            assert len(planned) == plans


@pytest.mark.parametrize("rows", [100, 100_000])
def test_what_depends_on_data_alone_is_computed_once(rows: int) -> None:
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((rows, 3)) * [1, 10, 100] + 5, "y": rng.standard_normal(rows), "w": np.zeros(3)}
    loss = "mean(((X - mean(X, 0))/std(X, 0)@w*2 - (y - mean(y))/std(y))**2)"
    program = Objective(parse(loss), data, ["w"])._both.program
    nodes = [step.node for stage in program.stages for step in stage.whole]
    nodes += [
        step.node for stage in program.stages for one in stage.passes for step in one.steps if hasattr(step, "node")
    ]
    assert nodes
    assert not [node for node in nodes if node.op.name in ("std", "var", "sqrt")]
    standard = {name: (data[name] - data[name].mean(0)) / data[name].std(0, ddof=1) for name in "Xy"}
    exact = np.linalg.lstsq(2 * standard["X"], standard["y"])[0]
    np.testing.assert_allclose(gc.minimize(loss, data, "w").parameters["w"].numpy(), exact, rtol=1e-6, atol=1e-9)


# Batches --------------------------------------------------------------------------------------------------------------


def test_every_epoch_deals_all_rows_in_an_order_of_its_own() -> None:
    data = {"x": np.arange(10.0), "w": np.float64(0)}
    seen: list[list[int]] = []
    batches = Batches(parse("sum(w*exp(x))"), data, ["w"], ["x"], 4, seed=1, steps=9)
    for number in range(9):
        _, gradient = batches.value_and_gradient(np.zeros(1), number)
        rest, rows = gradient.item(), []
        for k in range(9, -1, -1):
            # Each power of e is more than all those before it.
            if rest >= np.exp(k) * (1 - 1e-9):
                rows.append(k)
                rest -= np.exp(k)
        seen.append(sorted(rows))
    epochs = [seen[k : k + 3] for k in (0, 3, 6)]
    assert all(sorted(sum(epoch, [])) == list(range(10)) for epoch in epochs)
    assert all([len(rows) for rows in epoch] == [4, 4, 2] for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_batches_train_a_network_and_the_seed_decides() -> None:
    loss, data, wrt = _network()
    more = {"method": "adam", "lr": 0.01, "steps": 500, "rows": ["X", "y"], "batch_size": 16}
    found = [gc.minimize(loss, data, wrt, seed=seed, **more) for seed in (0, 0, 1)]
    assert found[0].value.item() < 0.2 * gc.evaluate(loss, data).value.item()
    assert found[0].value.item() == gc.evaluate(loss, data | found[0].parameters).value.item()
    bits = [[found[k].parameters[name].numpy().tobytes() for name in wrt] for k in range(3)]
    assert bits[0] == bits[1] != bits[2]


def test_rows_of_files_are_those_of_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, data, wrt = _network()
    files = dict(data)
    for name in ("X", "y"):
        np.save(tmp_path / f"{name}.npy", np.asfortranarray(data[name]) if name == "X" else data[name])
        with limited(16):
            files[name] = open_array(str(tmp_path / f"{name}.npy"))
        assert files[name].streams
    more = {"method": "momentum", "lr": 0.01, "rows": ["X", "y"], "batch_size": 10}
    # Less than an epoch, and six: what is gone through again is read once, if there is room for it.
    for steps, share in ((9, 0.25), (60, 0.25), (60, 0)):
        monkeypatch.setattr("gradcli.optimize.batches._SHARE", share)
        found, other = (gc.minimize(loss, inputs, wrt, steps=steps, **more) for inputs in (data, files))
        for name in wrt:
            assert found.parameters[name].numpy().tobytes() == other.parameters[name].numpy().tobytes()


def test_a_lack_of_memory_is_told_of_before_the_first_step() -> None:
    loss, data, wrt = _network()
    more = {
        "method": "adam",
        "rows": ["X", "y"],
        "batch_size": 4,
        "watch": lambda step: pytest.fail("a step was taken"),
    }
    with limited(20_000), pytest.raises(GradcliError, match="of memory may be used"):
        gc.minimize(loss, data, wrt, **more)


# Going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("method", OWN)
def test_a_run_that_goes_on_comes_to_the_same_bits(method: str, batches: bool) -> None:
    if batches and not METHODS[method].batches:
        return
    loss, data, wrt = _network()
    more: dict[str, Any] = {"method": method, METHODS[method].steps: 40}
    if method != "lbfgs":
        more["weight_decay"] = 0.01
    if batches:
        more |= {"rows": ["X", "y"], "batch_size": 20, "seed": 5}
    states: list[Any] = []
    told: list[Any] = []

    def watch(step: Iterate) -> None:
        states.append(step.state())
        told.append((step.number, step.value, step.gradient_norm, step.evaluations, step.vector.tobytes()))

    whole = gc.minimize(loss, data, wrt, watch=watch, **more)
    first = told.copy()
    for k in (0, 7, 22, 39):
        told.clear()
        again = gc.minimize(loss, data, wrt, watch=watch, resume=states[k], **more)
        assert told == first[k + 1 :]
        assert repr(again) == repr(whole)
        for name in wrt:
            assert again.parameters[name].numpy().tobytes() == whole.parameters[name].numpy().tobytes()


def test_an_end_is_an_end_for_a_run_that_goes_on() -> None:
    """The last step of a run is its last when it is gone on from."""
    for data in ({"x": np.float64(3), "k": np.float64(1e-3)}, {"x": np.float32(3), "k": np.float32(7)}):
        states: list[Any] = []
        expression = "(k*x)**4 + exp(k*x)"
        whole = gc.minimize(expression, data, "x", watch=lambda step, states=states: states.append(step.state()))
        again = gc.minimize(expression, data, "x", resume=states[-1])
        assert repr(again) == repr(whole)


def test_ctrl_c_leaves_the_last_step_with_who_watches() -> None:
    seen: list[Iterate] = []

    def watch(step: Iterate) -> None:
        seen.append(step)
        if step.number == 5:
            raise KeyboardInterrupt

    loss, data = _logistic()
    for method in ("lbfgs", "adam", "l-bfgs-b"):
        seen.clear()
        with pytest.raises(KeyboardInterrupt):
            gc.minimize(loss, data, ["w", "b"], method=method, watch=watch)
        assert [step.number for step in seen] == [1, 2, 3, 4, 5]
        assert gc.evaluate(loss, data | seen[-1].parameters).value.item() == seen[-1].value


def test_steps_that_are_kept_are_not_changed_by_those_after_them() -> None:
    seen: list[Iterate] = []
    gc.minimize("x**2", {"x": np.float64(1)}, "x", method="sgd", lr=0.25, steps=3, watch=seen.append)
    assert [step.parameters["x"].item() for step in seen] == [0.5, 0.25, 0.125]
    assert [step.value for step in seen] == [0.25, 0.0625, 0.015625]
    assert [step.gradient_norm for step in seen] == [1.0, 0.5, 0.25]
    assert [(step.evaluations, step.total) for step in seen] == [(2, 3), (3, 3), (4, 3)]


def test_any_number_of_threads_comes_to_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((60_000, 30)), "w": np.zeros((30, 700)), "b": np.zeros(60_000)}
    data["y"] = rng.standard_normal(60_000)
    found = []
    for threads in (1, 2, 5):
        before = gc.get_num_threads()
        gc.set_num_threads(threads)
        loss = "mean((X@sum(w, 1) + b - y)**2) + 0.1*sum(w**4) + 0.1*mean(b**2)"
        found.append(gc.minimize(loss, data, ["w", "b"], max_iter=6))
        gc.set_num_threads(before)
    assert len({(one.value.item(), one.parameters["w"].numpy().tobytes()) for one in found}) == 1


# What is refused ------------------------------------------------------------------------------------------------------

QUADRATIC = ("a**2", {"a": np.float64(1)}, "a")
MODEL = ("mean((X@w - y)**2)", {"X": np.ones((6, 2)), "y": np.arange(6.0), "w": np.zeros(2)}, "w")
STATE = {"method": "lbfgs", "step": 1, "evaluations": 1, "vector": np.zeros(2), "memory": {}}
REFUSED: list[tuple[tuple[Any, Any, Any], dict[str, Any], str]] = [
    (("a**2", {"a": np.int64(3)}, "a"), {}, "the input 'a' is int64 and cannot be differentiated"),
    (("a**2", {"a": np.complex64(3)}, "a"), {}, "dtype complex64 is not supported"),
    (("sum(a**2)", {"a": np.zeros((0, 3))}, "a"), {}, "the parameter 'a' has no elements"),
    (("a**2", {"a": np.ones(3)}, "a"), {}, "the value to minimize must be a single number, it has shape (3,)"),
    (("a**2", {"a": 1.0, "b": 2.0}, ["a", "b"]), {}, "the input 'b' is never used"),
    (("a**2", {"a": 1.0}, "b"), {}, "there is no input 'b' to differentiate"),
    (("a**2", {"a": 1.0}, []), {}, "there is nothing to change"),
    (("a > 2", {"a": 1.0}, "a"), {}, "the value is bool and has no gradient to follow"),
    (("round(a) + b**2", {"a": 1.0, "b": 1.0}, ["a", "b"]), {}, "the value does not depend smoothly on"),
    (("b**2 + sum(where(a > 0, 1.0, 2.0))", {"a": 1.0, "b": 1.0}, ["a", "b"]), {}, "does not depend smoothly"),
    (("a**2 +", {"a": 1.0}, "a"), {}, "the expression is incomplete"),
    ((3, {}, "a"), {}, "the expression must be a string, got an int"),
    (("a**2", [1], "a"), {}, "inputs must be a dictionary"),
    (("a**2", {"a": 1.0}, 3), {}, "wrt must be the name of an input"),
    (QUADRATIC, {"watch": 3}, "expected a function, got 3"),
    (QUADRATIC, {"method": "lbgfs"}, "there is no method 'lbgfs'\nhint: did you mean 'lbfgs'?"),
    (QUADRATIC, {"method": None}, "there is no method 'None'"),
    (QUADRATIC, {"method": "adam", "max_iter": 3}, "adam has no option max_iter"),
    (QUADRATIC, {"betas": (0.9, 0.9)}, "lbfgs has no option betas"),
    (QUADRATIC, {"method": "adam", "betas": (1, 2)}, "betas must be two numbers from 0 to below 1, got 1, 2"),
    (QUADRATIC, {"method": "adam", "betas": 0.9}, "betas must be two numbers"),
    (QUADRATIC, {"method": "adam", "lr": 0}, "lr must be a number above 0, got 0"),
    (QUADRATIC, {"method": "adam", "lr": float("nan")}, "lr must be a number above 0, got nan"),
    (QUADRATIC, {"method": "adam", "steps": 0}, "steps must be an integer from 1, got 0"),
    (QUADRATIC, {"method": "momentum", "momentum": 1}, "momentum must be a number from 0 to below 1"),
    (QUADRATIC, {"max_iter": 1.5}, "max_iter must be an integer from 1, got 1.5"),
    (QUADRATIC, {"tol": -1}, "tol must be a number from 0, got -1"),
    (QUADRATIC, {"bounds": {"a": (0, 1)}}, "bounds does not apply to lbfgs"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": {"a": (2, 3)}}, "a starts outside its bounds: 1 is not from 2 to 3"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": {"a": (3, 2)}}, "bounds of a: no number is from 3 to 2"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": {"b": (0, 2)}}, "bounds: there is no parameter 'b'"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": {"a": 5}}, "bounds of a must be a pair"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": [(0, 1)]}, "bounds must be a dictionary"),
    (QUADRATIC, {"method": "l-bfgs-b", "bounds": {"a": ([0, 1], 3)}}, "bounds of a have shape (2,)"),
    (MODEL, {"batch_size": 2, "rows": "X"}, "batch_size does not apply to lbfgs"),
    (MODEL, {"method": "adam", "batch_size": 2}, "batch_size needs rows, the names of the inputs"),
    (MODEL, {"method": "adam", "rows": "X"}, "rows needs batch_size"),
    (MODEL, {"method": "adam", "rows": "Z", "batch_size": 2}, "rows: there is no input 'Z'"),
    (MODEL, {"method": "adam", "rows": "w", "batch_size": 2}, "rows: 'w' is a parameter"),
    (MODEL, {"method": "adam", "rows": ["X", "y"], "batch_size": 0}, "batch_size must be an integer"),
    (MODEL, {"method": "adam", "rows": ["X", "y"], "batch_size": 2, "seed": -1}, "seed must be an integer"),
    (MODEL, {"method": "adam", "rows": ["X", "y"], "batch_size": 2, "tol": 1e-3}, "tol is for the gradient over all"),
    (MODEL, {"method": "adam", "rows": "X", "batch_size": 2}, "name every input that has as many rows as X in rows"),
    (("sum(X*w)", {"X": np.ones((3, 2)), "w": np.zeros(2), "y": np.ones(4)}, "w"), {}, "the input 'y' is never used"),
    (MODEL, {"resume": {}}, "this is not a state to resume from"),
    (MODEL, {"resume": STATE}, "this is not a state to resume from"),
    (
        MODEL,
        {
            "resume": STATE
            | {
                "memory": {"reach": 1.0, "stalls": 0, "tolerance": 0.1}
                | dict.fromkeys(("moves", "bends"), np.ones((2, 3)))
            }
        },
        "this is not a state",
    ),
    (MODEL, {"resume": STATE | {"method": "adam"}}, "the state to resume from is of adam, not of lbfgs"),
    (MODEL, {"resume": STATE | {"vector": np.zeros(3)}}, "has 3 numbers, the parameters have 2"),
    (MODEL, {"resume": STATE, "method": "bfgs"}, "bfgs cannot be resumed"),
    (("sum(a**2)", {"a": np.zeros(10**6)}, "a"), {"method": "bfgs"}, "the method bfgs with 1,000,000 parameters needs"),
]


@pytest.mark.parametrize(("request_", "given", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_is_refused_in_a_sentence(request_: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.minimize(*request_, **given)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_value_that_is_no_number_has_a_caret() -> None:
    with pytest.raises(GradcliError) as caught:
        gc.minimize("b = a + 1; b**2", {"a": np.ones(2)}, "a")
    assert "  b = a + 1; b**2\n              ^^" in str(caught.value)


def test_rows_must_be_equally_many() -> None:
    data = {"X": np.ones((6, 2)), "y": np.ones(5), "w": np.zeros(2)}
    with pytest.raises(GradcliError, match="rows: X has 6 of them, y 5"):
        gc.minimize("sum(X@w) + sum(y)", data, "w", method="sgd", rows=["X", "y"], batch_size=2)


@pytest.mark.parametrize(
    ("expression", "start", "given", "message"),
    [
        ("log(x)", -1.0, {}, "the value at the start is NaN"),
        ("exp(x**2)", 40.0, {}, "the value at the start is infinite"),
        ("sqrt(x)", 0.0, {}, "the gradient at the start is not finite: look at x"),
        ("log(x)", -1.0, {"method": "bfgs"}, "the value at the start is NaN"),
        ("log(x)", -1.0, {"method": "nelder-mead"}, "the value at the start is NaN"),
        ("x**4", 30.0, {"method": "sgd", "lr": 10.0}, "the value became infinite at step 4"),
        ("log(x)", 1.0, {"method": "adam", "lr": 2.0}, "the value became NaN at step 1\nhint: a smaller lr may help"),
        ("sqrt(x)", 0.25, {"method": "sgd", "lr": 0.25}, "at step 1 the gradient is not finite: look at x"),
        ("exp(x**2)", 20.0, {"method": "l-bfgs-b"}, "SciPy's l-bfgs-b ended where the value is not finite"),
        ("exp(x**2)", 20.0, {"method": "trust-ncg"}, "SciPy's trust-ncg ended after 0 steps"),
        ("-x**2", 1.0, {"method": "l-bfgs-b"}, "the value falls to minus infinity"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told(expression: str, start: float, given: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkError) as caught:
        gc.minimize(expression, {"x": np.float64(start)}, "x", **given)
    assert message in str(caught.value)


def test_success_is_not_told_of_a_gradient_that_is_as_large_as_before() -> None:
    found = gc.minimize("-x", {"x": np.float64(1)}, "x", method="newton-cg")
    assert not found.converged
    assert "not smaller than at the start" in found.reason


def test_without_scipy_its_methods_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    for method in SCIPY:
        with pytest.raises(GradcliError) as caught:
            gc.minimize(*QUADRATIC, method=method)
        assert str(caught.value) == (
            f'the method {method} needs SciPy, which is not installed\nhint: pip install "gradcli[fit]"'
        )
    assert gc.minimize(*QUADRATIC).converged

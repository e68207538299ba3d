"""The contenders: each takes a workload and gives a function that computes its value and gradients, ready to be timed.

What a peer needs once (its own copies of the inputs, a compiled function) is made outside the clock.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Mapping
from threading import Thread
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import gradcli as gc
from gradcli.machine.kept_memory import forget

#: Elements that are compared at a time.
_BLOCK = 1 << 16
Inputs = Mapping[str, np.ndarray]
#: The value and then the gradients, as NumPy or the peer's own arrays.
Answer = tuple[Any, ...]
Run = Callable[[], Answer]
#: A formula in the words of a library: `formula(words, *inputs)`.
Formula = Callable[..., Any]


class Workload(NamedTuple):
    """One expression with its inputs, in gradcli's words, in the peers', and by hand in NumPy.

    `tape` is the chain rule op by op, `blocked` the hand-blocked code where there is one; both take the inputs in
    order and give the value and the gradients of `wrt`. `terms` is the size of the terms that cancel in a gradient.
    """

    name: str
    expression: str
    inputs: Inputs
    wrt: tuple[str, ...]
    formula: Formula
    tape: Callable[..., Answer] | None = None
    blocked: Callable[..., Answer] | None = None
    terms: float = 0.0


Prepare = Callable[[Workload], Run]


def gradcli_run(expression: str, inputs: Inputs, wrt: tuple[str, ...], engine: str | None = None) -> Run:
    """Through the public API, from the text of the expression, by the engine that is named or set."""

    def run() -> Answer:
        usual = gc.get_engine()
        gc.set_engine(engine or usual)
        try:
            result = gc.evaluate(expression, inputs, wrt=wrt)
            return (result.value.value(), *(result.grads[name].value() for name in wrt))
        finally:
            gc.set_engine(usual)

    return run


def in_new_memory(run: Run) -> Run:
    """The same where no memory of earlier results is there to be used again."""

    def anew() -> Answer:
        forget()
        return run()

    return anew


def by_hand(function: Callable[..., Answer], inputs: Inputs) -> Run:
    return lambda: function(*inputs.values())


def hips(work: Workload) -> Run:
    import autograd.numpy as np
    from autograd import value_and_grad
    from autograd.scipy.special import erf, expit, logsumexp

    words = SimpleNamespace(
        exp=np.exp,
        log1p=np.log1p,
        tanh=np.tanh,
        sin=np.sin,
        sum=np.sum,
        mean=np.mean,
        inv=np.linalg.inv,
        sigmoid=expit,
        logsumexp=logsumexp,
        relu=lambda x: np.maximum(x, 0),
        where=np.where,
        abs=np.abs,
        sqrt=np.sqrt,
        var=lambda x: np.var(x, ddof=1),
        gelu=lambda x: x * 0.5 * (1 + erf(x * 0.5**0.5)),
        layer_norm=lambda x, w, b: (
            (x - np.mean(x, 1, keepdims=True)) / np.sqrt(np.var(x, 1, keepdims=True) + 1e-5) * w + b
        ),
        softmax=lambda x, dim: np.exp(x - logsumexp(x, dim, keepdims=True)),
        std=lambda x: np.std(x, 0, ddof=1),
        mT=lambda x: np.swapaxes(x, -1, -2),
    )
    places = tuple(k for k, name in enumerate(work.inputs) if name in work.wrt)
    function = value_and_grad(lambda *inputs: work.formula(words, *inputs), places)

    def run() -> Answer:
        value, gradients = function(*work.inputs.values())
        return (value, *gradients)

    return run


def torch_eager(work: Workload, compiled: bool = False) -> Run:
    import torch

    words = SimpleNamespace(
        exp=torch.exp,
        log1p=torch.log1p,
        tanh=torch.tanh,
        sin=torch.sin,
        sum=torch.sum,
        mean=torch.mean,
        inv=torch.linalg.inv,
        sigmoid=torch.sigmoid,
        logsumexp=torch.logsumexp,
        relu=torch.relu,
        where=torch.where,
        abs=torch.abs,
        sqrt=torch.sqrt,
        var=torch.var,
        gelu=torch.nn.functional.gelu,
        layer_norm=lambda x, w, b: torch.nn.functional.layer_norm(x, w.shape, w, b),
        softmax=torch.softmax,
        std=lambda x: torch.std(x, 0),
        mT=lambda x: x.mT,
    )
    tensors = {name: torch.from_numpy(array) for name, array in work.inputs.items()}
    wanted = [tensors[name].requires_grad_() for name in work.wrt]

    def formula(*inputs: Any) -> Any:
        return work.formula(words, *inputs)

    if compiled:
        torch._dynamo.reset()
    function = torch.compile(formula, dynamic=False) if compiled else formula

    def run() -> Answer:
        value = function(*tensors.values())
        return (value.detach(), *torch.autograd.grad(value, wanted))

    return run


def torch_compile(work: Workload) -> Run:
    return torch_eager(work, compiled=True)


def jax_jit(work: Workload) -> Run:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    words = SimpleNamespace(
        exp=jnp.exp,
        log1p=jnp.log1p,
        tanh=jnp.tanh,
        sin=jnp.sin,
        sum=jnp.sum,
        mean=jnp.mean,
        inv=jnp.linalg.inv,
        sigmoid=jax.nn.sigmoid,
        logsumexp=jax.nn.logsumexp,
        relu=jax.nn.relu,
        where=jnp.where,
        abs=jnp.abs,
        sqrt=jnp.sqrt,
        var=lambda x: jnp.var(x, ddof=1),
        gelu=lambda x: jax.nn.gelu(x, approximate=False),
        layer_norm=lambda x, w, b: (
            (x - jnp.mean(x, 1, keepdims=True)) * jax.lax.rsqrt(jnp.var(x, 1, keepdims=True) + 1e-5) * w + b
        ),
        softmax=jax.nn.softmax,
        std=lambda x: jnp.std(x, 0, ddof=1),
        mT=lambda x: x.mT,
    )
    places = tuple(k for k, name in enumerate(work.inputs) if name in work.wrt)
    function = jax.jit(jax.value_and_grad(lambda *inputs: work.formula(words, *inputs), places))
    arrays = [jnp.asarray(array) for array in work.inputs.values()]

    def run() -> Answer:
        value, gradients = jax.block_until_ready(function(*arrays))
        return (value, *gradients)

    return run


#: The libraries, each with the packages it needs.
PEERS: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "HIPS autograd": (hips, ("autograd", "scipy")),
    "torch eager": (torch_eager, ("torch",)),
    "torch.compile": (torch_compile, ("torch",)),
    "jax.jit": (jax_jit, ("jax",)),
}


def installed_peers() -> dict[str, Prepare]:
    """The peers that are installed; a line for each that is not."""
    found = {}
    for name, (prepare, packages) in PEERS.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name} is left out: {', '.join(missing)} not installed", flush=True)
        else:
            found[name] = prepare
    return found


class Contenders(NamedTuple):
    """Who can run a workload, how many seconds the first run of each took, compiling included, and who cannot."""

    runs: dict[str, Run]
    first: dict[str, float]
    failed: dict[str, str]


def contenders(work: Workload, peers: Mapping[str, Prepare]) -> Contenders:
    """gradcli, NumPy by hand, and the peers, each having run once; one that cannot is left out with a line.

    Those whose result is not that of NumPy op by op in float64 are told of.
    """
    # Who compiles is asked to: so is gradcli, which would leave what is small to NumPy.
    compiles = importlib.util.find_spec("llvmlite") is not None
    engine = "native" if compiles and gc.get_engine() == "auto" else None
    prepared: dict[str, Prepare] = {"gradcli": lambda one: gradcli_run(one.expression, one.inputs, one.wrt, engine)}
    if compiles:
        prepared["blocks of NumPy"] = lambda one: gradcli_run(one.expression, one.inputs, one.wrt, "numpy")
    if work.blocked is not None:
        prepared["hand-blocked"] = lambda one: by_hand(one.blocked, one.inputs)
    if work.tape is not None:
        prepared["op by op"] = lambda one: by_hand(one.tape, one.inputs)
    prepared |= peers
    wide = {name: array.astype(np.float64) for name, array in work.inputs.items()}
    reference = work.tape(*wide.values()) if work.tape is not None else prepared["gradcli"](work)()
    del wide
    found = Contenders({}, {}, {})
    for name, prepare in prepared.items():
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run = prepare(work)
                start = time.perf_counter()
                answer = run()
                found.first[name] = time.perf_counter() - start
                error = disagreement(work, reference, answer)
                del answer
        except Exception as failure:
            # A compiler that is missing, or a library that lacks a function: the others are still worth comparing.
            reason = f"{type(failure).__name__}: {str(failure).splitlines()[0]}"
            print(f"{name} cannot run {work.name}: {reason}", flush=True)
            found.failed[name] = reason
            continue
        if error:
            print(f"{name} differs on {work.name}: {error}", flush=True)
        found.runs[name] = run
    return found


def copied(work: Workload) -> Run:
    """What moves as many bytes as the inputs and the gradients have, half of them read and half written, on as many
    threads; into memory that has been written before, so that no page is asked of the system."""
    sizes = [array.nbytes for array in work.inputs.values()] + [work.inputs[name].nbytes for name in work.wrt]
    source, threads = np.ones(sum(sizes) // 2, np.uint8), gc.get_num_threads()
    target = source.copy()
    step = -(-source.size // threads)
    pieces = [slice(start, start + step) for start in range(0, source.size, step)]

    def run() -> Answer:
        started = [Thread(target=np.copyto, args=(target[one], source[one])) for one in pieces[1:]]
        for thread in started:
            thread.start()
        np.copyto(target[pieces[0]], source[pieces[0]])
        for thread in started:
            thread.join()
        return (target,)

    return run


def apart(got: Any, expected: Any) -> tuple[float, float]:
    """The largest difference and the largest magnitude of what is expected, block by block: temporaries of the size
    of the inputs would take longer than what is measured."""
    if np.shape(got) != np.shape(expected):
        return np.inf, 0.0
    pieces = [np.ravel(got), np.ravel(expected)]
    found = []
    for start in range(0, pieces[0].size, _BLOCK):
        a, b = (piece[start : start + _BLOCK] for piece in pieces)
        found.append((np.max(np.abs(a - b)), np.max(np.abs(b))))
    # Not Python's max, which may pass over NaN.
    return tuple(np.max(found, axis=0).tolist())


def disagreement(work: Workload, reference: Answer, answer: Answer) -> str:
    """What is further from the reference than the dtype explains; empty when nothing is."""
    dtype = next(iter(work.inputs.values())).dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-11
    found = []
    for name, expected, got in zip(("the value", *work.wrt), reference, answer, strict=True):
        difference, most = apart(np.asarray(got), expected)
        error = difference / max(most, work.terms)
        if not error <= tolerance:
            found.append(f"{name if name == 'the value' else f'the gradient of {name}'} is off by {error:.1e}")
    return ", ".join(found)

"""What other languages call things that gradcli has under no name of one word: what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gradcli.errors import did_you_mean
from gradcli.graph.op import OPS
from gradcli.language.constants import CONSTANTS, LOOP_WORDS
from gradcli.language.importing import standard_names
from gradcli.language.script_builder import STANDARD
from gradcli.libraries.namespaces import libraries_with

# Words in small letters, without underscores, and what they are here.
_WRITTEN_OUT = """
    sec: 1/cos(x)
    csc: 1/sin(x)
    cot ctg: 1/tan(x)
    sech: 1/cosh(x)
    csch: 1/sinh(x)
    coth: 1/tanh(x)
    asec: acos(1/x)
    acsc: asin(1/x)
    acot: atan(1/x)
    sind: sin(deg2rad(x))
    cosd: cos(deg2rad(x))
    tand: tan(deg2rad(x))
    asind: rad2deg(asin(x))
    acosd: rad2deg(acos(x))
    atand: rad2deg(atan(x))
    atan2d: rad2deg(atan2(y, x))
    exp10: 10**x
    logb: log(x)/log(b)
    nthroot: x**(1/n)
    gamma: exp(lgamma(x)) for x > 0
    beta: exp(lgamma(a) + lgamma(b) - lgamma(a + b))
    besseli: i0(x) or i1(x)
    logcosh: x + softplus(-2*x) - log(2)
    divnonan: where(y == 0, 0, x/where(y == 0, 1, y))
    hinge: relu(1 - y*x)
    categoricalcrossentropy: -sum(t*log(y), -1)
    sparsecategoricalcrossentropy: nll_loss(log(y), t)
    crelu: cat([relu(x), relu(-x)], -1)
    sqrtm: w, Q = eigh(A); Q@diag(sqrt(w))@Q.T
    logm: w, Q = eigh(A); Q@diag(log(w))@Q.T
    polyfit: lstsq(vander(x, n + 1), y[:, None]).solution
    interp1: np.interp(x, xp, fp)
    rms: sqrt(mean(x**2))
    mad: mean(abs(x - mean(x)))
    sumsq: sum(x**2)
    sumabs: sum(abs(x))
    norm1: norm(x, 1)
    norm2: norm(x)
    adj: det(A)*inv(A)
    vector matrix: leave it out: a number is added to every element
    at: index_put(x, [i], v), whose result is a new tensor
    reducevariance: var(x, correction=0)
    reducestd: std(x, correction=0)
    cummean: cumsum(x, 0)/(1 + arange(x.shape[0]))
    tofloat: x.float()
    copy: clone(x)
    numpy item tolist cpu cuda: leave it out
    device: leave it out: everything is computed on the CPU
    backward requiresgrad: leave it out: --wrt names the inputs whose gradients are wanted
    grad: leave it out: gradients stand below the value, and --wrt names the inputs that have one
    retaingrad: leave it out: `gradcli steps` shows the gradients of all steps
    manualseed: leave it out: --seed N starts the random numbers anew
    print: leave it out: the value of the last statement is printed
    numel: x.numel()
    size shape: x.shape
    length len rows nrow: x.shape[0]
    columns ncol: x.shape[1]
    ndims: x.ndim
    ctranspose: x.mH
    gathernd: x[i, j]
    conv conv1: conv1d(x, w)
    maxpool: max_pool2d(x, 2)
    avgpool: avg_pool2d(x, 2)
"""
_NAMES = """
    true: True
    false: False
    none null nil: None
    infinity: inf
    tau: 2*pi
    eps: 2**-52
    i j complex64 complex128 cfloat cdouble: complex numbers are not supported
"""
# In NumPy it takes all dimensions.
_EXCHANGED = "transpose"
_PREFIXES = "the prefixes of libraries are torch, nn, F, np, jnp, jax, scipy and math"
_OTHER_LIBRARIES = {
    **dict.fromkeys(("tf", "keras", "K", "tnp", "cp", "cupy", "mx", "paddle", "tfp"), f"leave it out; {_PREFIXES}"),
    "linalg": "write torch.linalg or np.linalg",
    "lax": "write jax.lax",
    "optax": "`gradcli minimize` does that",
    "special": "write torch.special or scipy.special",
    "functional": "write nn.functional",
}


def function_meant(name: str, others: Iterable[str] = ()) -> str | None:
    """A hint to the function that may be meant by a word that is none: by its meaning, or else by its letters."""
    imported = next((other for other in others if other.endswith(f".{name}")), None)
    if imported is not None:
        return f"write {imported}(…)"
    if name in standard_names():
        return f"std has it, as in import std; {name}(…)"
    if name in LOOP_WORDS:
        return f"it is called {LOOP_WORDS[name]!r} here"
    functions = OPS.functions()
    plain = _plainly(name)
    # TensorFlow's reductions are called reduce_sum and the like.
    for meant in (plain, plain.removeprefix("reduce")):
        for known, op in functions.items():
            if meant == _plainly(known) or meant in map(_plainly, op.words):
                return f"it is called {known if meant == _plainly(known) else op.name!r} here"
        written = written_out(meant)
        if written is not None:
            return written
    library = next(iter(libraries_with(name)), None)
    return did_you_mean(name, [*functions, *others]) if library is None else f"write {library}.{name}(…)"


def written_out(name: str) -> str | None:
    """A hint to the expression for which others have a function of this name."""
    written = _read(_WRITTEN_OUT).get(_plainly(name))
    return written if written is None or written.startswith("leave") else f"write {written}"


def surer(hint: str | None, meant: str | None) -> str | None:
    """A hint on a name behind the prefix of a library, or where it only guesses, what is meant by that name."""
    guessed = hint is None or hint.startswith(("did you mean", "it knows"))
    return meant if guessed and meant is not None else hint


def member_meant(name: str, after: str, offered: Mapping[str, str]) -> str | None:
    """A hint where a file's name stands before a dot and what it defines, which is called otherwise."""
    match = re.match(r"\.([^\W\d]\w*)(\(?)", after)
    if match is None:
        return None
    whole, call = f"{name}.{match[1]}", "(…)" if match[2] else ""
    shown = next((shown for shown, called in offered.items() if called == whole), None)
    if shown is not None:
        return f"write {shown}{call}"
    imported = name == STANDARD and match[1] in standard_names()
    return f"std has it, as in import std; {match[1]}{call}" if imported else None


def value_meant(name: str, member: bool) -> str | None:
    """A hint to the value or the library that is meant by a name without one, which stands before a dot if `member`."""
    if member and name in _OTHER_LIBRARIES:
        return _OTHER_LIBRARIES[name]
    constant = next((c for c in CONSTANTS if len(c) > 1 and c == name.lower()), None)
    found = constant or _read(_NAMES).get(_plainly(name))
    return None if found is None else found if " " in found else f"write {found}"


def call_meant(name: str, count: int, words: tuple[str, ...]) -> str | None:
    """A hint to what other libraries mean by a call with so many arguments, and `words`, that an operation refuses."""
    if "ddof" in words:
        return "write correction=, whose default is 1; np.std and np.var have ddof=, which is 0"
    if name == "log" and (count > 1 or "base" in words):
        return "write log(x)/log(b) for another base; log2 and log10 have theirs"
    if name == _EXCHANGED and (count > 3 or (count == 2 and not words)):
        return "permute puts all dimensions in an order, as in x.permute(1, 0, 2)"
    return None


def _plainly(name: str) -> str:
    """A name as it is compared with others: in small letters, without underscores."""
    return name.replace("_", "").lower()


def _read(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {word: meaning.strip() for words, _, meaning in lines for word in words.split()}

"""PyTorch's CPU generator on NumPy's Mersenne Twister: the same seed gives the same numbers, to the last bit."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.ops.kernels import drawn_numbers
from gradcli.ops.kernels.drawn_numbers import permutation, takes_two, whole_numbers
from gradcli.ops.kernels.fused import fused
from gradcli.ops.kernels.inplace import numbers

# From this many numbers on, PyTorch makes normal ones in groups of 16: eight radii, then eight angles.
_GROUP = 16
_NORMAL = ("randn", "normal")
#: What PyTorch makes one by one, in double precision whatever the dtype.
_WIDE: dict[str, Callable[..., np.ndarray]] = {
    "exponential": drawn_numbers.exponential,
    "geometric": drawn_numbers.geometric,
    "cauchy": drawn_numbers.cauchy,
    "log_normal": drawn_numbers.log_normal,
}
# Words are drawn so many at a time: enough to be fast, few enough to stay in the cache. A multiple of two groups.
_BLOCK = 1 << 15
# Running past so many words takes minutes, and nobody could have held the numbers.
_LONGEST_SKIP = 1 << 37


class GeneratorState(NamedTuple):
    """A place in the stream: the twister's words, how many of them are used, and a normal number left over."""

    key: np.ndarray
    used: int
    spare: float | None


class Generator:
    """A stream of random numbers. A draw takes its place at once and makes its numbers when they are asked for.

    `seed` is any integer from -2**63 to 2**64 - 1; like PyTorch, the twister takes the lowest 32 bits. None takes
    a seed from the operating system.
    """

    def __init__(self, seed: int | None) -> None:
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little")
        if not -(2**63) <= seed < 2**64:
            shown = f"the seed {seed}" if abs(seed) < 10**30 else "the seed"
            raise GradcliError(f"{shown} is out of range", hint="it must lie between -2**63 and 2**64 - 1")
        self._stream = _Stream()
        self.seed = seed
        #: What was drawn last, or the seed.
        self.last: Draw | int = seed & 0xFFFFFFFF

    def reserve(
        self, kind: str, count: int, dtype: np.dtype, terms: tuple[Any, ...] = (), scattered: bool = False
    ) -> Draw:
        """Take the next `count` numbers of the stream.

        `kind` is "rand" (uniform in [0, 1)), "uniform" with its ends as `terms`, "randn" (normal), "normal" with mean
        and deviation, "randint" with its ends, "randperm", or a distribution of `_WIDE` with what its function takes.
        With `scattered` the numbers are for a tensor that is not contiguous, whose normal ones are drawn one by one.
        """
        with self._stream.lock:
            draw = Draw(self._stream, kind, count, dtype, self.last, terms, scattered)
            self.last = draw
        return draw


class Draw:
    """A reserved part of the stream, which can be made any number of times."""

    __slots__ = ("_stream", "kind", "terms", "_count", "_dtype", "_before", "_start", "_end", "_one_by_one")

    def __init__(
        self,
        stream: _Stream,
        kind: str,
        count: int,
        dtype: np.dtype,
        before: Draw | int,
        terms: tuple[Any, ...],
        scattered: bool,
    ) -> None:
        self._stream = stream
        self.kind = kind
        self.terms = terms
        self._one_by_one = kind == "log_normal" or (kind in _NORMAL and (scattered or count < _GROUP))
        self._count = count
        self._dtype = dtype
        # The draw that this one follows, or the seed; forgotten once the start is known.
        self._before: Draw | int | None = before
        self._start: GeneratorState | None = None
        self._end: GeneratorState | None = None

    def numbers(self) -> np.ndarray:
        """The numbers, as a vector."""
        stream = self._stream
        with stream.lock, np.errstate(all="ignore"):
            stream.go(self._locate())
            if self.kind in _WIDE:
                numbers = _distributed(stream, self._count, self._dtype, self.kind, self.terms)
            elif self._one_by_one:
                numbers = _narrowed(_placed(np.array(_few_normal(stream, self._count)), *self.terms), self._dtype)
            else:
                numbers = _KINDS[self.kind](stream, self._count, self._dtype, *self.terms)
            self._end = stream.here()
        return numbers

    def _locate(self) -> GeneratorState:
        """The start, found by running the stream past the draws before this one that nobody has asked for yet."""
        waiting = [self]
        while (draw := waiting[-1])._start is None:
            before = draw._before
            if isinstance(before, int):
                draw._start = self._stream.seed(before)
            elif before is not None and before._end is not None:
                draw._start = before._end
            else:
                assert before is not None
                waiting.append(before)
        while len(waiting) > 1:
            draw = waiting.pop()
            waiting[-1]._start = draw._pass()
            waiting[-1]._before = None
        self._before = None
        assert self._start is not None
        return self._start

    def _pass(self) -> GeneratorState:
        """The place after this draw."""
        if self._end is None:
            assert self._start is not None
            self._stream.go(self._start)
            if self._one_by_one:
                _few_normal(self._stream, self._count)
            else:
                words = _words(self.kind, self._count, self._dtype, self.terms)
                if words > _LONGEST_SKIP:
                    raise GradcliError(
                        f"the numbers after {self.kind}() of {self._count} numbers are out of reach",
                        hint="draw fewer numbers",
                    )
                self._stream.skip(words)
            self._end = self._stream.here()
        return self._end


class _Stream:
    """The twister, which all draws of a generator share, and the place it is at; whoever moves it holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._twister: Any = None
        self._key: np.ndarray | None = None
        self._used = 0
        self.spare: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy is another stream, with a lock of its own.
        return {name: value for name, value in self.__dict__.items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, lock=threading.RLock())

    def seed(self, seed: int) -> GeneratorState:
        """The place at the start of a seed's stream."""
        # Imported here: numpy.random is slow to load, and most commands draw no numbers.
        from numpy.random import RandomState

        # Its seeding is the reference initialization of the Mersenne Twister, which PyTorch uses too.
        self._twister = RandomState(seed)
        self._key, self.spare = None, None
        return self.here()

    def go(self, state: GeneratorState) -> None:
        """Go to a place."""
        if state.key is not self._key or state.used != self._used:
            self._twister.set_state(("MT19937", state.key, state.used))
            self._key, self._used = state.key, state.used
        self.spare = state.spare

    def here(self) -> GeneratorState:
        """The place; neighbouring ones share the twister's words, which change only every 624 numbers."""
        if self._key is None:
            _, self._key, self._used = self._twister.get_state()[:3]
        return GeneratorState(self._key, self._used, self.spare)

    def words(self, count: int) -> np.ndarray:
        """The next words of 32 bits."""
        self._used += count
        if self._key is not None and self._used > len(self._key):
            self._key = None
        return self._twister.randint(0, 1 << 32, size=count, dtype=np.uint32)

    def skip(self, count: int) -> None:
        """Run past words."""
        for start in range(0, count, _BLOCK):
            self.words(min(_BLOCK, count - start))

    def doubles(self, count: int) -> np.ndarray:
        """The next numbers in [0, 1) with 53 bits, each from two words."""
        words = self.words(2 * count).astype(np.uint64)
        bits = words[0::2] << np.uint64(32) | words[1::2]
        return (bits & np.uint64((1 << 53) - 1)) * 2.0**-53

    def singles(self, count: int) -> np.ndarray:
        """The next numbers in [0, 1) with 24 bits, each from one word."""
        return (self.words(count) & np.uint32((1 << 24) - 1)).astype(np.float32) * np.float32(2.0**-24)


def _words(kind: str, count: int, dtype: np.dtype, terms: tuple[Any, ...] = ()) -> int:
    """How many words a draw uses, normal ones that are drawn one by one aside."""
    if kind == "randperm":
        return max(count - 1, 0)
    if kind == "randint":
        return count * (2 if takes_two(*terms) else 1)
    if kind in _NORMAL and count % _GROUP:
        # The last group is drawn anew; in half precision its numbers were not drawn before.
        count += _GROUP - (count % _GROUP if dtype == np.float16 else 0)
    return count * (2 if dtype == np.float64 or kind in _WIDE else 1)


def _uniform(stream: _Stream, count: int, dtype: np.dtype, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    numbers, draw = np.empty(count, dtype), stream.doubles if dtype == np.float64 else stream.singles
    for start in range(0, count, _BLOCK):
        part = numbers[start : start + _BLOCK]
        drawn = draw(len(part))
        kind = drawn.dtype.type
        part[:] = drawn if (low, high) == (0, 1) else fused(drawn, float(kind(high) - kind(low)), float(kind(low)))
        # What rounds to the end is outside of the half-open range; PyTorch makes it the start.
        part[part == dtype.type(high)] = low
    return numbers


def _few_normal(stream: _Stream, count: int) -> list[float]:
    """Normal numbers one after the other by the Box-Muller transform, the second of a pair kept for the next draw."""
    numbers = [] if stream.spare is None or not count else [stream.spare]
    missing = count - len(numbers)
    uniform = stream.doubles(missing + missing % 2).tolist()
    for first, second in zip(uniform[0::2], uniform[1::2], strict=True):
        radius, angle = math.sqrt(-2.0 * math.log1p(-second)), 2.0 * math.pi * first
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    if count:
        stream.spare = numbers.pop() if missing % 2 else None
    return numbers


def _narrowed(wide: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers in a dtype; half precision is rounded to by way of single precision."""
    return (wide.astype(np.float32) if dtype == np.float16 else wide).astype(dtype)


def _distributed(stream: _Stream, count: int, dtype: np.dtype, kind: str, terms: tuple[float, ...]) -> np.ndarray:
    """Numbers of a distribution, each from a uniform or a normal one."""
    numbers = np.empty(count, dtype)
    for start in range(0, count, _BLOCK):
        part = numbers[start : start + _BLOCK]
        drawn = np.array(_few_normal(stream, len(part))) if kind == "log_normal" else stream.doubles(len(part))
        part[:] = _narrowed(_WIDE[kind](drawn, *terms), dtype)
    return numbers


def _placed(numbers: np.ndarray, mean: float = 0.0, deviation: float = 1.0) -> np.ndarray:
    """Standard normal numbers moved and stretched."""
    if (mean, deviation) == (0, 1):
        return numbers
    kind = numbers.dtype.type
    return fused(numbers, float(kind(deviation)), float(kind(mean)))


def _normal(stream: _Stream, count: int, dtype: np.dtype, *terms: float) -> np.ndarray:
    """Normal numbers in groups; where the last group is not full, the last 16 numbers are drawn anew."""
    numbers = np.empty(count, dtype)
    draw, transform = (stream.doubles, _box_muller) if dtype == np.float64 else (stream.singles, _box_muller_single)
    whole = count // _GROUP * _GROUP
    for start in range(0, whole, _BLOCK):
        part = numbers[start : min(start + _BLOCK, whole)]
        part[:] = _placed(transform(draw(len(part))), *terms)
    if whole < count:
        if dtype != np.float16:
            # These uniform numbers are overwritten as well.
            stream.words(_words("rand", count - whole, dtype))
        numbers[-_GROUP:] = _placed(transform(draw(_GROUP)), *terms)
    return numbers


#: What a draw of a kind gives.
_KINDS: dict[str, Callable[..., np.ndarray]] = {
    **dict.fromkeys(("rand", "uniform"), _uniform),
    **dict.fromkeys(_NORMAL, _normal),
    "randint": whole_numbers,
    "randperm": permutation,
}


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    pairs = uniform.reshape(-1, 2, _GROUP // 2)
    first = (1.0 - pairs[:, 0]).ravel()
    # The C library's logarithm, as in PyTorch; NumPy's own vectorized one differs in the last bit.
    log = np.fromiter(map(math.log, first.tolist()), np.float64, len(first)).reshape(-1, _GROUP // 2)
    radius, angle = np.sqrt(-2.0 * log), 2.0 * math.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()


# In single precision PyTorch has vectorized functions of its own: the polynomials of the Cephes library, evaluated with
# fused multiply-adds. To get the same bits the same roundings are made here.

_LOG = numbers("""
    0.070376836292 -0.1151461031 0.1167699874 -0.12420140846 0.14249322787 -0.16668057665 0.20000714765 -0.24999993993
    0.33333331174
""")
_LN2 = (-2.12194440e-4, 0.693359375)
_QUARTER_PI = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
_SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]
_COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]


def _box_muller_single(uniform: np.ndarray) -> np.ndarray:
    pairs = uniform.reshape(-1, 2, _GROUP // 2)
    radius = np.sqrt(np.float32(-2) * _log_single(np.float32(1) - pairs[:, 0]))
    cos, sin = _cos_sin_single(np.float32(2 * math.pi) * pairs[:, 1])
    return np.stack([radius * cos, radius * sin], 1).ravel()


def _fused(a: np.ndarray, b: float | np.ndarray, c: float | np.ndarray) -> np.ndarray:
    """`a*b + c` rounded once: the product of two single-precision numbers is exact in double precision."""
    b = float(np.float32(b)) if isinstance(b, float) else b
    wide = a.astype(np.float64)
    wide *= b
    wide += float(np.float32(c)) if isinstance(c, float) else c
    return wide.astype(np.float32)


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    value, wide = np.full_like(x, coefficients[0]), x.astype(np.float64)
    for coefficient in coefficients[1:]:
        value = _fused(value, wide, coefficient)
    return value


def _log_single(x: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(x)
    small = mantissa < np.float32(math.sqrt(0.5))
    power = (exponent - small).astype(np.float32)
    x = (mantissa - np.float32(1)) + np.where(small, mantissa, np.float32(0))
    square = x * x
    y = _fused(_polynomial(x, _LOG) * x, square, power * np.float32(_LN2[0]))
    return _fused(power, _LN2[1], x + _fused(square, -0.5, y))


def _cos_sin_single(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of angles from 0 to 2 pi."""
    octant = (x * np.float32(4 / math.pi)).astype(np.int32)
    octant += octant & 1
    turns = octant.astype(np.float32)
    for part in _QUARTER_PI:
        x = _fused(turns, part, x)
    square = x * x
    even = _polynomial(square, _COS) * square
    even = _fused(even, square, -(square * np.float32(0.5))) + np.float32(1)
    odd = _fused(_polynomial(square, _SIN) * square, x, x)
    swapped = octant & 2 != 0
    cos, sin = np.where(swapped, odd, even), np.where(swapped, even, odd)
    return np.where((octant - 2) & 4 == 0, -cos, cos), np.where(octant & 4 != 0, -sin, sin)

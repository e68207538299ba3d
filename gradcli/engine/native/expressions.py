"""What is done to vectors lane by lane, written down in LLVM's language.

Every operation is rounded once, in IEEE 754's default way; nothing is reordered or contracted, and no lane looks at
another one. So an element's bits depend on neither the processor nor the width of its registers nor its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from gradcli.engine.native.vectors import Number, Operand, Vector, element_type, literal

#: Bytes of a line of the cache.
LINE = 64
#: How a store passes the cache by, and the line's alignment in front of it.
_PAST = ", !nontemporal !{i32 1}"
_ALIGNED_PAST = re.compile(r"align \d+" + re.escape(_PAST))
#: Lanes that a detour takes at a time: its code is long, and seldom run.
_FEW = 8


class Expressions:
    """Writes the instructions of one function, each value once, and collects what the module has to have beside it.

    `lines` are the instructions so far, `block` the label of the block that they are in just now (those that rarely
    take a detour end in another one), `declarations` what stands outside of the function, by name; functions of one
    module share them. Names that begin with `%t` are the builder's. With `calls` elementary functions are called
    instead of written wherever they are asked for.
    """

    def __init__(
        self, lanes: int, declarations: dict[str, str] | None = None, block: str = "entry", calls: bool = False
    ) -> None:
        self.lanes, self.block, self.calls = lanes, block, calls
        self.lines: list[str] = []
        self.declarations = {} if declarations is None else declarations
        self._known: dict[str, Vector] = {}
        self._count = 0

    # Text.

    def type(self, dtype: np.dtype) -> str:
        return f"<{self.lanes} x {element_type(dtype)}>"

    def mangled(self, dtype: np.dtype) -> str:
        """The end of an intrinsic's name: `v16f32`."""
        return f"v{self.lanes}{'f' if dtype.kind == 'f' else 'i'}{1 if dtype.kind == 'b' else 8 * dtype.itemsize}"

    def fresh(self) -> str:
        """A name for an IR value."""
        self._count += 1
        return f"%t{self._count}"

    def emit(self, text: str, dtype: np.dtype) -> Vector:
        """The value of a pure instruction; the same text again is the same value."""
        if (known := self._known.get(text)) is None:
            known = self._known[text] = self.assign(text, dtype)
        # LLVM's integers have no sign: the same value may be meant as two types.
        return known if known.dtype == dtype else self.value(known.name, dtype)

    def assign(self, text: str, dtype: np.dtype) -> Vector:
        """The value of an instruction that is written however often it is asked for, such as a load."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Vector(self, name, dtype)

    def start(self, label: str) -> None:
        """Begin a block; the one before must have ended."""
        self.lines.append(f"{label}:")
        self.block = label

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Values first computed inside are forgotten after it: for blocks that are not always gone through."""
        known = dict(self._known)
        try:
            yield
        finally:
            self._known = known

    @contextmanager
    def narrowed(self, lanes: int) -> Iterator[None]:
        """Within this block vectors have so many lanes."""
        usual, self.lanes = self.lanes, lanes
        try:
            yield
        finally:
            self.lanes = usual

    def value(self, name: str, dtype: np.dtype) -> Vector:
        """A vector that the function has already, by its name."""
        return Vector(self, name, dtype)

    def constant(self, value: Number, dtype: np.dtype) -> Vector:
        return Vector(self, f"splat ({element_type(dtype)} {literal(value, dtype)})", dtype, value)

    def spread(self, name: str, dtype: np.dtype) -> Vector:
        """A scalar of the function in every lane; a boolean is an `i1`."""
        one = self.emit(f"insertelement {self.type(dtype)} poison, {element_type(dtype)} {name}, i32 0", dtype)
        return self.emit(f"shufflevector {one.typed}, {one.type} poison, <{self.lanes} x i32> zeroinitializer", dtype)

    def settled(self, x: Vector) -> Vector:
        """The same, but some number in lanes that hold none, such as those beyond the end of the data.

        What depends on such a lane may be anything, even a branch or a trap.
        """
        return self.emit(f"freeze {x.typed}", x.dtype)

    def lift(self, value: Operand, dtype: np.dtype) -> Vector:
        """A number as a vector; a vector must be of this type already."""
        if not isinstance(value, Vector):
            return self.constant(value, dtype)
        if value.dtype != dtype:
            raise TypeError(f"{value.dtype} where {dtype} belongs: cast it")
        return value

    def alike(self, *values: Operand) -> list[Vector]:
        """Vectors of one type, that of the first vector among them."""
        dtype = next((value.dtype for value in values if isinstance(value, Vector)), None)
        if dtype is None:
            raise TypeError("numbers alone have no type: one of them must be a vector")
        return [self.lift(value, dtype) for value in values]

    def intrinsic(self, name: str, *operands: Operand) -> Vector:
        """LLVM's function of vectors of one type that gives another such vector."""
        vectors = self.alike(*operands)
        kind = vectors[0].type
        full = f"@llvm.{name}.{self.mangled(vectors[0].dtype)}"
        if full not in self.declarations:
            self.declarations[full] = f"declare {kind} {full}({', '.join([kind] * len(vectors))})"
        return self.emit(f"call {kind} {full}({', '.join(v.typed for v in vectors)})", vectors[0].dtype)

    # Memory. Booleans are bytes there.

    def load(self, pointer: str, dtype: np.dtype) -> Vector:
        """Neighbouring elements from a pointer's name on."""
        if dtype.kind == "b":
            return self.load(pointer, np.dtype(np.uint8)) != 0
        return self.assign(f"load {self.type(dtype)}, ptr {pointer}, align {dtype.itemsize}", dtype)

    def store(self, vector: Vector, pointer: str, past: bool = False) -> None:
        """With `past` the cache is passed by: for what nobody looks at soon, on whole lines of it."""
        if vector.dtype.kind == "b":
            vector = self.emit(f"zext {vector.typed} to <{self.lanes} x i8>", np.dtype(np.uint8))
        self.lines.append(f"  store {vector.typed}, ptr {pointer}, {alignment(vector.dtype, self.lanes, past)}")

    def lookup(self, name: str, values: Sequence[float], index: Vector, dtype: np.dtype) -> Vector:
        """`values[index]`, each lane its own; the index must be inside whatever the other lanes hold."""
        kind = element_type(dtype)
        table = f"@{name}_{kind}"
        if table not in self.declarations:
            self.declarations[table] = _table(table, tuple(values), dtype)
        places = self.emit(f"getelementptr {kind}, ptr {table}, {self.settled(index).typed}", index.dtype)
        return self.emit(self.gathering(places.name, f"<{self.lanes} x i1> splat (i1 true)", dtype), dtype)

    def gathering(self, places: str, mask: str, dtype: np.dtype) -> str:
        """The instruction that loads what is at these addresses, in the lanes of a mask."""
        kind, pointers = self.type(dtype), f"<{self.lanes} x ptr>"
        name = f"@llvm.masked.gather.{self.mangled(dtype)}.v{self.lanes}p0"
        self.declarations[name] = f"declare {kind} {name}({pointers}, i32, <{self.lanes} x i1>, {kind})"
        return f"call {kind} {name}({pointers} {places}, i32 {dtype.itemsize}, {mask}, {kind} poison)"

    def scattering(self, x: Vector, places: str, mask: str) -> str:
        """The instruction that writes the elements of a vector to these addresses, in the lanes of a mask."""
        pointers, name = f"<{self.lanes} x ptr>", f"@llvm.masked.scatter.{self.mangled(x.dtype)}.v{self.lanes}p0"
        self.declarations[name] = f"declare void {name}({x.type}, {pointers}, i32, <{self.lanes} x i1>)"
        return f"call void {name}({x.typed}, {pointers} {places}, i32 {x.dtype.itemsize}, {mask})"

    # Lane by lane.

    def select(self, mask: Vector, yes: Operand, no: Operand) -> Vector:
        """`yes` in the lanes of the mask that are true, `no` in the others; whatever the unchosen one holds."""
        yes, no = self.alike(yes, no)
        return self.emit(f"select {mask.typed}, {yes.typed}, {no.typed}", yes.dtype)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Vector:
        """`a*b + c`, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def sqrt(self, x: Vector) -> Vector:
        return self.intrinsic("sqrt", x)

    def floor(self, x: Vector) -> Vector:
        return self.intrinsic("floor", x)

    def ceil(self, x: Vector) -> Vector:
        return self.intrinsic("ceil", x)

    def trunc(self, x: Vector) -> Vector:
        return self.intrinsic("trunc", x)

    def rint(self, x: Vector) -> Vector:
        """To the nearest whole number, halves to the even one."""
        return self.intrinsic("rint", x)

    def abs(self, x: Vector) -> Vector:
        if x.dtype.kind == "f":
            return self.intrinsic("fabs", x)
        return self.select(x < 0, -x, x) if x.dtype.kind == "i" else x

    def copysign(self, x: Operand, sign: Operand) -> Vector:
        return self.intrinsic("copysign", x, sign)

    def isnan(self, x: Vector) -> Vector:
        return x != x

    def maximum(self, a: Operand, b: Operand) -> Vector:
        """The larger one, NaN where either is; of two zeros the second, as NumPy has it."""
        return self._extreme("gt", *self.alike(a, b))

    def minimum(self, a: Operand, b: Operand) -> Vector:
        return self._extreme("lt", *self.alike(a, b))

    def _extreme(self, predicate: str, a: Vector, b: Vector) -> Vector:
        chosen = self.select(a.compare(b, predicate), a, b)
        return self.select(self.isnan(a), a, chosen) if a.dtype.kind == "f" else chosen

    def clamp(self, x: Vector, low: Number, high: Number) -> Vector:
        """At least `low` and at most `high`; a NaN passes."""
        return self.at_least(self.at_most(x, high), low)

    def at_most(self, x: Vector, high: Number) -> Vector:
        bound = self.lift(high, x.dtype)
        return self.select(bound < x, bound, x)

    def at_least(self, x: Vector, low: Number) -> Vector:
        bound = self.lift(low, x.dtype)
        return self.select(bound > x, bound, x)

    # Quotients of integers, and remainders. An integer's quotient by zero is 0, and so is its remainder.

    def floor_divide(self, a: Vector, b: Operand) -> Vector:
        """The quotient rounded down; of floats, what the exact quotient is rounded down to."""
        a, b = self.alike(a, b)
        if a.dtype.kind == "f":
            return self._floor_divide(a, b)
        a, b = self.settled(a), self.settled(b)
        zero = b == 0
        if a.dtype.kind == "u":
            return self.select(zero, 0, a.binary(self.select(zero, 1, b), "", "", "udiv"))
        # The smallest number has no quotient by -1 that the processor would not trap at.
        odd = zero | (b == -1)
        quotient = a.binary(self.select(odd, 1, b), "", "sdiv")
        rest = a - quotient * b
        down = self.select((rest != 0) & ((rest ^ b) < 0), quotient - 1, quotient)
        return self.select(zero, 0, self.select(odd, -a, down))

    def _floor_divide(self, a: Vector, b: Vector) -> Vector:
        # Rounding never passes an integer, but may lead to the next one.
        quotient = a / b
        down = self.floor(quotient)
        rest = self.fma(-down, b, a)
        usual = self.select((rest != 0) & ((rest < 0) ^ (b < 0)), down - 1, down)
        certain = (self.abs(quotient) < 2.0 ** np.finfo(a.dtype).nmant) & (self.abs(b) < np.inf)
        return self.rarely(~certain, usual, "odd_floor_divide", _odd_floor_divide, a, b)

    def remainder(self, a: Vector, b: Operand) -> Vector:
        """What is left of `a`, with the sign of `b`, as Python has it."""
        a, b = self.alike(a, b)
        rest = self.fmod(a, b)
        if a.dtype.kind == "u":
            return rest
        if a.dtype.kind == "i":
            return self.select((rest != 0) & ((rest ^ b) < 0), rest + b, rest)
        return self.select(rest == 0, self.copysign(rest, b), self.select((rest < 0) ^ (b < 0), rest + b, rest))

    def fmod(self, a: Vector, b: Operand) -> Vector:
        """What is left of `a`, with the sign of `a`, as C has it; exact."""
        a, b = self.alike(a, b)
        if a.dtype.kind == "u":
            b = self.settled(b)
            return a.binary(self.select(b == 0, 1, b), "", "", "urem")
        if a.dtype.kind == "i":
            b = self.settled(b)
            return a.binary(self.select((b == 0) | (b == -1), 1, b), "", "srem")
        # A quotient that was rounded up to an integer is one too large; those with too many digits are C's.
        quotient = self.trunc(a / b)
        rest = self.fma(-quotient, b, a)
        beyond = (rest != 0) & ((rest < 0) ^ (a < 0))
        usual = self.copysign(self.select(beyond, rest + self.copysign(b, a), rest), a)
        certain = (self.abs(quotient) < 2.0 ** np.finfo(a.dtype).nmant) & (self.abs(b) < np.inf)
        return self.rarely(~certain, usual, "exact_fmod", _exact_fmod, a, b)

    # Types.

    def bits(self, x: Vector, dtype: np.dtype | None = None) -> Vector:
        """The same bits as another type of the same size, by default the signed integer of it."""
        dtype = np.dtype(f"i{x.dtype.itemsize}") if dtype is None else dtype
        return self.emit(f"bitcast {x.typed} to {self.type(dtype)}", dtype)

    # Functions out of line.

    def called(self, function: Callable[..., Vector], *operands: Vector) -> Vector:
        """`function(builder, *operands)` by a call; the function is written once in a module."""
        name = f"@{function.__name__}_{self.mangled(operands[0].dtype)}"
        if name not in self.declarations:
            self.declarations[name] = ""  # holds its place before those that its body needs
            inner = type(self)(self.lanes, self.declarations)
            arguments = [inner.value(f"%a{i}", x.dtype) for i, x in enumerate(operands)]
            result = function(inner, *arguments)
            self.declarations[name] = _definition(name, arguments, inner.lines, result, "noinline")
        return self.emit(f"call {operands[0].type} {name}({', '.join(x.typed for x in operands)})", operands[0].dtype)

    def rarely(self, mask: Vector, usual: Vector, name: str, body: Callable[..., Vector], *operands: Vector) -> Vector:
        """`usual`, but `body(builder, *operands)` in the lanes of the mask: a function out of line, seldom called."""
        mask = self.settled(mask)
        called = f"@{name}_{self.mangled(operands[0].dtype)}"
        arguments = [*operands, usual, mask]
        if called not in self.declarations:
            self.declarations[called] = ""
            self.declarations[called] = self._detour(called, body, [vector.dtype for vector in arguments])
        call = f"call {usual.type} {called}({', '.join(vector.typed for vector in arguments)})"
        if call in self._known:
            return self._known[call]
        self._count += 1
        detour, join = f"detour{self._count}", f"join{self._count}"
        reduce = f"@llvm.vector.reduce.or.v{self.lanes}i1"
        self.declarations[reduce] = f"declare i1 {reduce}({mask.type})"
        self.lines += [
            f"  %any{self._count} = call i1 {reduce}({mask.typed})",
            f"  br i1 %any{self._count}, label %{detour}, label %{join}, "
            '!prof !{!"branch_weights", i32 1, i32 100000}',
            f"{detour}:",
            f"  %{detour}.y = {call}",
            f"  br label %{join}",
        ]
        before = self.block
        self.start(join)
        result = self.assign(f"phi {usual.type} [{usual.name}, %{before}], [%{detour}.y, %{detour}]", usual.dtype)
        self._known[call] = result
        return result

    def _detour(self, called: str, body: Callable[..., Vector], dtypes: list[np.dtype]) -> str:
        v = type(self)(self.lanes, self.declarations)
        arguments = [v.value(f"%a{k}", dtype) for k, dtype in enumerate(dtypes)]
        *operands, usual, mask = arguments
        for k, x in enumerate(arguments[:-1]):
            v.lines.append(f"  %m{k} = alloca {x.type}, align {LINE}")
            v.store(x, f"%m{k}")
        v.lines.append("  br label %piece")
        v.start("piece")
        at, few, last = len(v.lines), min(self.lanes, _FEW), len(operands)
        for k, x in enumerate(arguments[:-1]):
            v.lines.append(f"  %p{k} = getelementptr {element_type(x.dtype)}, ptr %m{k}, i64 %i")
        with v.narrowed(few):
            v.store(body(v, *[v.load(f"%p{k}", x.dtype) for k, x in enumerate(operands)]), f"%p{last}")
        v.lines.insert(at, f"  %i = phi i64 [0, %entry], [%next, %{v.block}]")
        v.lines.append(f"  %next = add i64 %i, {few}")
        v.lines.append(f"  %more = icmp ult i64 %next, {self.lanes}")
        v.lines.append("  br i1 %more, label %piece, label %done")
        v.start("done")
        result = v.select(mask, v.load(f"%m{last}", usual.dtype), usual)
        return _definition(called, arguments, v.lines, result, "noinline cold")


def alignment(dtype: np.dtype, count: int, past: bool = False) -> str:
    """How a store of so many elements ends: they are anywhere, or `past` the cache on whole lines or parts of such."""
    return f"align {min(LINE, count * dtype.itemsize)}{_PAST}" if past else f"align {dtype.itemsize}"


def anywhere(text: str) -> str:
    """The same code for arrays that begin anywhere: nothing passes the cache by."""
    return _ALIGNED_PAST.sub("align 1", text)


def _definition(name: str, arguments: list[Vector], lines: list[str], result: Vector, attributes: str) -> str:
    head = f"define internal {result.type} {name}({', '.join(x.typed for x in arguments)})"
    return "\n".join([f"{head} {attributes} {{", "entry:", *lines, f"  ret {result.typed}", "}"])


@lru_cache(maxsize=64)
def _table(name: str, values: tuple[float, ...], dtype: np.dtype) -> str:
    kind = element_type(dtype)
    numbers = ", ".join([f"{kind} {literal(value, dtype)}" for value in values])
    return f"{name} = private unnamed_addr constant [{len(values)} x {kind}] [{numbers}]"


def _exact_fmod(v: Expressions, a: Vector, b: Vector) -> Vector:
    return v.emit(f"frem {a.typed}, {b.name}", a.dtype)


def _odd_floor_divide(v: Expressions, a: Vector, b: Vector) -> Vector:
    """NumPy's, also of numbers that are large or infinite; by zero the plain quotient."""
    rest = _exact_fmod(v, a, b)
    whole = (a - rest) / b
    whole = v.select((rest != 0) & ((rest < 0) ^ (b < 0)), whole - 1, whole)
    down = v.floor(whole)
    down = v.select(whole - down > 0.5, down + 1, down)
    return v.select(b == 0, a / b, v.select(whole == 0, v.copysign(0.0, a / b), down))

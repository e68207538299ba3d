"""Forms: formulas as they are written, one node for each operation of the language; equal ones are one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any, NamedTuple

from gradcli.graph.op import OPS
from gradcli.language.kinds import BOOLEAN, EXACT, NUMBER, REAL, together
from gradcli.language.unparse import written
from gradcli.ops.diagonal import diagonal, trace
from gradcli.ops.elementwise import sqrt
from gradcli.ops.reduce import mean, sum_
from gradcli.ops.shape import big_t, m_t, permute, squeeze


@dataclass(eq=False, repr=False, slots=True)
class Form:
    """An operation of the language: `op` and `arg` as in `gradcli.language.parse.Instr`, and its operands."""

    op: str
    arg: Any
    parts: tuple[Form, ...]
    kind: str
    serial: int

    def __repr__(self) -> str:
        return f"Form({self.op}, {self.arg!r}, {len(self.parts)} parts)"

    def is_number(self, value: int) -> bool:
        return self.op == "number" and bool(self.arg == value)


class Forms:
    """Makes forms, with the small simplifications that depend on how a thing is written."""

    def __init__(self) -> None:
        self._known: dict[Any, Form] = {}

    def make(self, op: str, arg: Any = None, parts: Sequence[Form] = (), kind: str = REAL) -> Form:
        key = (op, arg, type(arg), tuple(parts), kind)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Form(op, arg, tuple(parts), kind, len(self._known))
        return found

    def number(self, value: Any) -> Form:
        if value < 0:
            return self.make("unary", "-", [self.number(-value)], NUMBER)
        if isinstance(value, Fraction):
            if value.denominator == 1:
                value = int(value)
            elif (1000 * value).denominator == 1 or is_decimal(value):
                value = float(value)
            else:
                top, bottom = self.number(value.numerator), self.number(value.denominator)
                return self.make("binary", "/", [top, bottom], NUMBER)
        return self.make("number", value, (), NUMBER)

    def name(self, name: str, kind: str = REAL) -> Form:
        return self.make("name", name, (), kind)

    def string(self, text: str) -> Form:
        return self.make("string", text, (), NUMBER)

    def neg(self, form: Form) -> Form:
        if form.op == "unary" and form.arg == "-":
            return form.parts[0]
        if form.kind == BOOLEAN:
            return self.binary("*", self.make("unary", "-", [self.number(1)], NUMBER), form, EXACT)
        # -(a/b) is written -a/b, and so on: a sign goes in front of the first factor.
        if form.op == "binary" and form.arg in ("*", "/", "@") and form.parts[0].kind != BOOLEAN:
            return self.make("binary", form.arg, [self.neg(form.parts[0]), form.parts[1]], form.kind)
        return self.make("unary", "-", [form], form.kind)

    def binary(self, symbol: str, a: Form, b: Form, kind: str | None = None) -> Form:
        return self.make("binary", symbol, [a, b], kind or together([a, b]))

    def mul(self, a: Form, b: Form) -> Form:
        if a.is_number(1):
            return b
        if b.is_number(1):
            return a
        if a.op == "number" and b.op == "number":
            return self.number(Fraction(repr(a.arg)) * Fraction(repr(b.arg)))
        # A number goes to the front, also in front of a matrix product: 2*A@x is (2*A)@x.
        if a.kind == NUMBER and b.op == "binary" and b.arg == "@" and b.parts[0].kind == REAL:
            return self.make("binary", "@", [self.mul(a, b.parts[0]), b.parts[1]], b.kind)
        kind = together([a, b])
        return self.make("binary", "*", [a, b], EXACT if kind == BOOLEAN else kind)

    def div(self, a: Form, b: Form) -> Form:
        return a if b.is_number(1) else self.make("binary", "/", [a, b], NUMBER if together([a, b]) == NUMBER else REAL)

    def power(self, a: Form, exponent: Fraction) -> Form:
        if exponent == 1:
            return a
        if exponent == Fraction(1, 2):
            return self.call(sqrt.name, [a], NUMBER if a.kind == NUMBER else REAL)
        return self.binary("**", a, self.number(exponent), a.kind if a.kind != BOOLEAN else EXACT)

    def matmul(self, a: Form, b: Form, a_rank: int, b_rank: int) -> Form:
        """A matrix product; products that end in a vector are computed from there."""
        if a_rank == 1 and b_rank == 1 and b.op == "binary" and b.arg == "@":
            # x@(A@y) is (x@A)@y, which needs no brackets.
            return self.matmul(self.matmul(a, b.parts[0], 1, 2), b.parts[1], 1, 1)
        if b_rank > 1 and b.op == "binary" and b.arg == "@":
            return self.matmul(self.matmul(a, b.parts[0], a_rank, b_rank), b.parts[1], a_rank, b_rank)
        if a.op == "unary" and a.arg == "-":
            return self.neg(self.matmul(a.parts[0], b, a_rank, b_rank))
        if a_rank == b_rank == 2:
            return self._product_of_transposes(a, b) or self.binary("@", a, b)
        return self.binary("@", a, b)

    def _product_of_transposes(self, a: Form, b: Form) -> Form | None:
        """X.T@X.T as (X@X).T, and three or more transposes likewise."""
        factors = [b]
        while _is_product(a):
            factors.append(a.parts[1])
            a = a.parts[0]
        factors.append(a)
        if any(factor.op != "attribute" or factor.arg != big_t.name for factor in factors):
            return None
        turned = [factor.parts[0] for factor in factors]
        if len(turned) == 2 and turned[0] is not turned[1] and not any(_is_product(form) for form in turned):
            return None
        result = turned[0]
        for factor in turned[1:]:
            result = self.matmul(result, factor, 2, 2)
        return self.attribute(result, big_t.name, result.kind)

    def call(self, name: str, args: Sequence[Form], kind: str = REAL, **keywords: Form) -> Form:
        return self.make("call", (name, len(args), tuple(keywords)), [*args, *keywords.values()], kind)

    def method(self, receiver: Form, name: str, args: Sequence[Form] = (), kind: str = REAL, **keywords: Form) -> Form:
        return self.make("method", (name, len(args), tuple(keywords)), [receiver, *args, *keywords.values()], kind)

    def attribute(self, receiver: Form, name: str, kind: str = REAL) -> Form:
        return self.make("attribute", name, [receiver], kind)

    def index(self, receiver: Form, items: Sequence[Form], kind: str | None = None) -> Form:
        return self.make("index", len(items), [receiver, *items], kind or receiver.kind)

    def everything(self) -> Form:
        """The slice that takes all."""
        return self.make("slice", (False, False, False), (), NUMBER)

    def slice(self, start: Form | None, stop: Form | None, step: Form | None) -> Form:
        given = tuple([part is not None for part in (start, stop, step)])
        return self.make("slice", given, [part for part in (start, stop, step) if part is not None], NUMBER)

    def none(self) -> Form:
        return self.name("None", NUMBER)

    def sequence(self, items: Sequence[Form], op: str = "list") -> Form:
        return self.make(op, len(items), items, together(items) if items else NUMBER)

    def transposed(self, form: Form, dims: Sequence[int]) -> Form:
        """A tensor with its axes in another order."""
        rank = len(dims)
        if list(dims) == list(range(rank)):
            return form
        if rank == 2:
            if form.op == "attribute" and form.arg == big_t.name:
                return form.parts[0]
            return self.attribute(form, big_t.name, form.kind)
        if list(dims) == [*range(rank - 2), rank - 1, rank - 2]:
            return self.attribute(form, m_t.name, form.kind)
        if form.op == "method" and form.arg[0] == permute.name:
            before = [part.arg for part in form.parts[1:]]
            return self.transposed(form.parts[0], [before[d] for d in dims])
        return self.method(form, permute.name, [self.number(d) for d in dims], form.kind)

    def total(self, form: Form, dims: Sequence[int], rank: int, name: str = sum_.name) -> Form:
        """A sum or a mean over axes, or what is left without axes of length 1."""
        kind = EXACT if form.kind in (BOOLEAN, EXACT) else form.kind
        if len(dims) == rank:
            if name == sum_.name and form.op == "call" and form.arg[0] == diagonal.name and len(form.parts) == 1:
                return self.call(trace.name, form.parts, kind)
            return self.call(name, [form], kind)
        axes = [self.number(d) for d in sorted(dims)]
        return self.call(name, [form, axes[0] if len(axes) == 1 else self.sequence(axes, "tuple")], kind)

    def with_axes(self, form: Form, missing: Sequence[int], rank: int) -> Form:
        """A tensor with axes of length 1 put in at `missing`, counted in the result; leading ones are implied."""
        if form.op == "call" and form.arg == (squeeze.name, 2, ()):
            dims = form.parts[1].parts or (form.parts[1],)
            if [d.arg for d in dims] == list(missing):
                return form.parts[0]
        last = next((k for k in range(rank) if k not in missing), rank)
        inner = [k for k in missing if k > last]
        if not inner:
            return form
        if form.op == "call" and form.arg in ((sum_.name, 2, ()), (mean.name, 2, ())) and len(inner) == 1 and last == 0:
            summed = form.parts[1]
            if summed.op == "number" and summed.arg == inner[0]:
                return self.call(form.arg[0], form.parts, form.kind, keepdim=self.name("True", NUMBER))
        items = [self.none() if k in missing else self.everything() for k in range(last, rank)]
        while items[-1].op == "slice":
            items.pop()
        return self.index(form, items)


def _is_product(form: Form) -> bool:
    return form.op == "binary" and form.arg == "@"


def is_decimal(value: Fraction) -> bool:
    """Whether a number is shorter as a decimal than as a fraction."""
    if value.denominator <= 16 and value.numerator < 100 and value.denominator not in (5, 10):
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 or value.denominator > 10**6


def in_order(roots: Sequence[Form]) -> list[Form]:
    """Every form that roots are made of, parts before wholes."""
    seen: set[Form] = set()
    stack = list(roots)
    while stack:
        form = stack.pop()
        if form not in seen:
            seen.add(form)
            stack.extend(form.parts)
    return sorted(seen, key=lambda form: form.serial)


# Shorter parts are as easily read twice as under a name.
_SHORTEST = 5
_NAMES = ["r", "s", "t", "u", "v", "w", "z", "q", "h", "k", "l", "m"]
_NAMED = frozenset({"binary", "call", "method", "unary"})


class Named(NamedTuple):
    """A formula: parts with names, in an order in which they can be computed, and the form of the whole."""

    parts: list[tuple[str, Form]]
    result: Form

    @property
    def names(self) -> dict[Form, str]:
        return {form: name for name, form in self.parts}


def named(root: Form, taken: Collection[str]) -> Named:
    """Give names to what occurs more than once."""
    order = in_order([root])
    uses = Counter(part for form in order for part in form.parts)
    sizes: dict[Form, int] = {}
    chosen: list[Form] = []
    for form in order:
        size = 1 + sum(sizes[part] for part in form.parts)
        if form is not root and uses[form] > 1 and size >= _SHORTEST and form.op in _NAMED and form.kind != NUMBER:
            chosen.append(form)
            size = 1
        sizes[form] = size
    known = set(taken)
    parts = []
    for form in chosen:
        name = _name(form, known)
        known.add(name)
        parts.append((name, form))
    return Named(parts, root)


def _name(form: Form, known: Collection[str]) -> str:
    op = OPS.get(form.arg[0]) if form.op == "call" else None
    candidates = ([op.letter] if op is not None and op.letter else []) + _NAMES
    free = [name for name in candidates if name not in known]
    return free[0] if free else next(name for k in count(1) if (name := f"t{k}") not in known)


def code_of(root: Form, names: dict[Form, str]) -> list[tuple[str, Any, int, int]]:
    """The instructions of a form; parts with names are taken by name, the root itself is not."""
    code: list[tuple[str, Any, int, int]] = []
    stack: list[tuple[Form, bool]] = [(root, False)]
    while stack:
        form, ready = stack.pop()
        if form in names and form is not root:
            code.append(("name", names[form], 0, 0))
        elif ready or not form.parts:
            code.append((form.op, form.arg, 0, 0))
        else:
            stack.append((form, True))
            stack.extend((part, False) for part in reversed(form.parts))
    return code


def text(formula: Named) -> str:
    """A formula on one line: its named parts as statements, then the whole."""
    names = formula.names
    statements = [f"{name} = {written(code_of(form, names))}" for name, form in formula.parts]
    return "; ".join([*statements, written(code_of(formula.result, names))])

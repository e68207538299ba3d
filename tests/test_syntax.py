"""The parser: its instructions and places, Python's precedence, errors, depth and size, and the cache of tables."""

from __future__ import annotations

import ast
import contextlib
import errno
import functools
import itertools
import json
import logging
import operator
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.language import lalr
from gradcli.language.instructions import Script, Statement
from gradcli.language.parse import parse, unparse
from gradcli.machine import own_cache
from gradcli.machine.temporary import create_temporary, temporary_name
from tests.command import call

ROOT = Path(__file__).resolve().parent.parent
HEADLINE = "mean(2*(3*x+7)**2)"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache directory of this test's own, on every platform."""
    monkeypatch.setattr(own_cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lalr.tables.cache_clear()
    yield tmp_path / "cache" / "gradcli"
    lalr.tables.cache_clear()


def steps(source: str) -> list[tuple[str, Any]]:
    return [(step.op, step.arg) for step in parse(source).statements[-1].code]


def places(source: str) -> list[tuple[str, str]]:
    return [(step.op, source[step.start : step.end]) for step in parse(source).statements[-1].code]


def meaning(script: Script) -> list[Any]:
    """Everything in a program except places."""
    return [
        (s.kind, s.names, s.name, s.params, [[(step.op, repr(step.arg)) for step in c] for c in (s.code, *s.defaults)])
        for s in script.statements
    ]


# Instructions


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("-x**2", [("name", "x"), ("number", 2), ("binary", "**"), ("unary", "-")]),
        ("2**-1", [("number", 2), ("number", 1), ("unary", "-"), ("binary", "**")]),
        ("x.T@y", [("name", "x"), ("attribute", "T"), ("name", "y"), ("binary", "@")]),
        ("f()", [("call", ("f", 0, ()))]),
        ("f(x, dim=0, k=y,)", [("name", "x"), ("number", 0), ("name", "y"), ("call", ("f", 1, ("dim", "k")))]),
        ("f((x), k=(y))", [("name", "x"), ("name", "y"), ("call", ("f", 1, ("k",)))]),
        (
            "x.pow(2).sum(dim=0)",
            [("name", "x"), ("number", 2), ("method", ("pow", 1, ())), ("number", 0), ("method", ("sum", 0, ("dim",)))],
        ),
        ("x[0].sum()", [("name", "x"), ("number", 0), ("index", 1), ("method", ("sum", 0, ()))]),
        ("(x+1).sum()", [("name", "x"), ("number", 1), ("binary", "+"), ("method", ("sum", 0, ()))]),
        ("[1,2].long()", [("number", 1), ("number", 2), ("list", 2), ("method", ("long", 0, ()))]),
        (
            "x[0, 1:3, ..., None, [0, 2], ::2]",
            [
                ("name", "x"),
                ("number", 0),
                ("number", 1),
                ("number", 3),
                ("slice", (True, True, False)),
                ("ellipsis", None),
                ("name", "None"),
                ("number", 0),
                ("number", 2),
                ("list", 2),
                ("number", 2),
                ("slice", (False, False, True)),
                ("index", 6),
            ],
        ),
        (
            "x[:,1:,:2,1::2,::]",
            [
                ("name", "x"),
                ("slice", (False, False, False)),
                ("number", 1),
                ("slice", (True, False, False)),
                ("number", 2),
                ("slice", (False, True, False)),
                ("number", 1),
                ("number", 2),
                ("slice", (True, False, True)),
                ("slice", (False, False, False)),
                ("index", 5),
            ],
        ),
        ("x[1,]", [("name", "x"), ("number", 1), ("index", 1)]),
        ("(1,)", [("number", 1), ("tuple", 1)]),
        ("()", [("tuple", 0)]),
        ("[]", [("list", 0)]),
        ("(1, 2,)", [("number", 1), ("number", 2), ("tuple", 2)]),
        (
            "[[1, 2], [3, 4],]",
            [("number", 1), ("number", 2), ("list", 2), ("number", 3), ("number", 4), ("list", 2), ("list", 2)],
        ),
        ("einsum('ij,jk', a)", [("string", "ij,jk"), ("name", "a"), ("call", ("einsum", 2, ()))]),
        ('f("it\'s \\n")', [("string", "it's \\n"), ("call", ("f", 1, ()))]),
        (
            "~a & b | c < d",
            [
                ("name", "a"),
                ("unary", "~"),
                ("name", "b"),
                ("binary", "&"),
                ("name", "c"),
                ("binary", "|"),
                ("name", "d"),
                ("binary", "<"),
            ],
        ),
        ("a < b <= c == d", [*(("name", name) for name in "abcd"), ("compare", ("<", "<=", "=="))]),
        ("(a < b) < c", [("name", "a"), ("name", "b"), ("binary", "<"), ("name", "c"), ("binary", "<")]),
        (
            "a if b < 1 else c if d else 2",
            [
                ("name", "a"),
                ("name", "b"),
                ("number", 1),
                ("binary", "<"),
                *(("name", name) for name in "cd"),
                ("number", 2),
                ("conditional", None),
                ("conditional", None),
            ],
        ),
        ("if_ + elsewhere", [("name", "if_"), ("name", "elsewhere"), ("binary", "+")]),
        ("f(  # one\n  x,\n\n  # two\n  y)  # three", [("name", "x"), ("name", "y"), ("call", ("f", 2, ()))]),
        ("x \\\n + 1", [("name", "x"), ("number", 1), ("binary", "+")]),
        ("\ufeffμ_1 + Δ\r\n", [("name", "μ_1"), ("name", "Δ"), ("binary", "+")]),
        ("None", [("name", "None")]),
        ("True", [("name", "True")]),
        ("inf", [("name", "inf")]),
    ],
)
def test_instructions(source: str, expected: list[tuple[str, Any]]) -> None:
    assert steps(source) == expected


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("2", 2),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e-3", 1e-3),
        ("1_000", 1000),
        ("1_0.2_5E+1_0", 10.25e10),
        ("0", 0),
        ("1e999", float("inf")),
        ("0x1F", 31),
        ("0Xdead_beef", 0xDEADBEEF),
        ("0b1_01", 5),
        ("0o17", 15),
        ("007", 7),
        ("9" * 4300, 10**4300 - 1),
        ("0.1", 0.1),
        ("1" * 30, int("1" * 30)),
    ],
)
def test_numbers(source: str, value: float) -> None:
    ((op, number),) = steps(source)
    assert op == "number" and type(number) is type(value)
    # Compared by parts: printing integers of this size is what Python refuses.
    assert number == value, source[:40]


def test_places() -> None:
    source = "-f(x, k=2).pow( 3 ).T[0, 1:, :] * (y, [1]) // (z)"
    assert places(source) == [
        ("name", "x"),
        ("number", "2"),
        ("call", "f(x, k=2)"),
        ("number", "3"),
        ("method", "pow( 3 )"),
        ("attribute", "T"),
        ("number", "0"),
        ("number", "1"),
        ("slice", "1:"),
        ("slice", ":"),
        ("index", "[0, 1:, :]"),
        ("unary", "-f(x, k=2).pow( 3 ).T[0, 1:, :]"),
        ("name", "y"),
        ("number", "1"),
        ("list", "[1]"),
        ("tuple", "(y, [1])"),
        ("binary", "*"),
        ("name", "z"),
        ("binary", "//"),
    ]
    assert places("-(x) # c") == [("name", "x"), ("unary", "-(x)")]
    assert places("a == 'b'") == [("name", "a"), ("string", "'b'"), ("binary", "==")]


def test_statements() -> None:
    source = "y = 3*x;; f(t, u) = t**2 + u\n g() = 1\n\n a , b = max(x, 0); (c, d) = a # c\n f(y, a)"
    script = parse(source)
    assert script.source == source
    assign, define, empty, pair, enclosed, last = script.statements
    assert [s.kind for s in script.statements] == ["assign", "define", "define", "assign", "assign", "expression"]

    def texts(statement: Statement) -> list[str]:
        return [source[slice(*span)] for span in (statement.span, *statement.name_spans)]

    assert assign.names == ("y",) and texts(assign) == ["y = 3*x", "y"]
    assert (define.name, define.params) == ("f", ("t", "u"))
    assert texts(define) == ["f(t, u) = t**2 + u", "f", "t", "u"]
    assert [step.op for step in define.code] == ["name", "number", "binary", "name", "binary"]
    assert (empty.name, empty.params) == ("g", ())
    assert pair.names == ("a", "b") and texts(pair) == ["a , b = max(x, 0)", "a", "b"]
    assert enclosed.names == ("c", "d") and [step.op for step in enclosed.code] == ["name"]
    assert texts(last) == ["f(y, a)"] and last.names == () and last.name == ""


def test_functions_with_defaults_and_statements_of_their_own() -> None:
    source = "f(x, n=2*k, m=(1, 2)) = {\n  y, _ = max(x, 0)\n\n  w = y*n;\n  w + m[0]\n}\nf(1)"
    define, last = parse(source).statements
    assert (define.name, define.params) == ("f", ("x", "n", "m"))
    assert [source[slice(*span)] for span in define.name_spans] == ["f", "x", "n", "m"]
    assert [[(step.op, step.arg) for step in code] for code in define.defaults] == [
        [("number", 2), ("name", "k"), ("binary", "*")],
        [("number", 1), ("number", 2), ("tuple", 2)],
    ]
    stores = [step for step in define.code if step.op == "store"]
    assert [(step.arg, source[step.start : step.end]) for step in stores] == [(("y", "_"), "y, _"), (("w",), "w")]
    assert [step.arg for step in last.code] == [1, ("f", 1, ())]
    assert unparse(parse(source)) == "f(x, n=2*k, m=(1, 2)) = {y, _ = max(x, 0); w = y*n; w + m[0]}; f(1)"


# Precedence, against Python's own parser

_BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    # Not pow, which would make complex numbers.
    "**": lambda a, b: 37 * a - 41 * b,
    "@": lambda a, b: 1000 * a - b,
    "&": lambda a, b: 3 * a + 5 * b,
    "|": lambda a, b: 7 * a - 11 * b,
    "^": lambda a, b: 13 * a - 17 * b,
    "<<": lambda a, b: 19 * a + 23 * b,
    ">>": lambda a, b: 29 * a - 31 * b,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_UNARY = {"-": operator.neg, "+": operator.pos, "~": lambda a: 13 - a}
_NAMES = {"a": 2, "b": 3, "c": 0.5, "d": -1.5}
_PYTHON = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
}


def tree(source: str) -> Any:
    """The nesting that the postfix program means, as tuples."""
    stack: list[Any] = []
    for op, arg, _, _ in parse(source).statements[-1].code:
        if op == "binary":
            right, left = stack.pop(), stack.pop()
            stack.append((arg, left, right))
        elif op == "unary":
            stack.append((arg, stack.pop()))
        elif op == "compare":
            values = stack[-len(arg) - 1 :]
            del stack[-len(arg) - 1 :]
            stack.append(("compare", arg, *values))
        elif op == "conditional":
            right, condition, left = stack.pop(), stack.pop(), stack.pop()
            stack.append(("if", left, condition, right))
        else:
            stack.append(arg)
    (result,) = stack
    return result


def python_tree(node: ast.expr) -> Any:
    """The same for Python's own parse."""
    if isinstance(node, ast.BinOp):
        return _PYTHON[type(node.op)], python_tree(node.left), python_tree(node.right)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _PYTHON[type(node.ops[0])], python_tree(node.left), python_tree(node.comparators[0])
    if isinstance(node, ast.Compare):
        operators = tuple(_PYTHON[type(op)] for op in node.ops)
        return "compare", operators, *(python_tree(part) for part in (node.left, *node.comparators))
    if isinstance(node, ast.IfExp):
        return "if", python_tree(node.body), python_tree(node.test), python_tree(node.orelse)
    if isinstance(node, ast.UnaryOp):
        return _PYTHON[type(node.op)], python_tree(node.operand)
    return node.id if isinstance(node, ast.Name) else node.value  # type: ignore[attr-defined]


def value(nested: Any) -> Any:
    """A number, or the kind of error that computing it raises."""
    if not isinstance(nested, tuple):
        return _NAMES.get(nested, nested)
    if nested[0] == "compare":
        parts = [value(operand) for operand in nested[2:]]
        if str in map(type, parts):
            return "error"
        return all(_BINARY[symbol](*pair) for symbol, pair in zip(nested[1], itertools.pairwise(parts), strict=True))
    operands = [value(operand) for operand in nested[1:]]
    if nested[0] == "if":
        return operands[0] if operands[1] else operands[2]
    if str in map(type, operands):
        return "error"
    if nested[0] == "**" and max(map(abs, operands)) > 50:
        return "error"
    try:
        return (_UNARY if len(operands) == 1 else _BINARY)[nested[0]](*operands)
    except (ArithmeticError, TypeError) as error:
        return type(error).__name__


@st.composite
def arithmetic(draw: st.DrawFn, depth: int = 3) -> str:
    """Random operators between random operands, some of them in parentheses, with no regard to precedence."""
    parts: list[str] = []
    for i in range(draw(st.integers(1, 5))):
        if i:
            parts.append(draw(st.sampled_from(sorted(_BINARY))))
        parts += draw(st.lists(st.sampled_from(sorted(_UNARY)), max_size=2))
        if depth and draw(st.integers(0, 3)) == 0:
            parts.append(f"({draw(arithmetic(depth - 1))})")
        else:
            parts.append(draw(st.sampled_from([*_NAMES, "1", "2", "0.25"])))
    if depth and draw(st.integers(0, 5)) == 0:
        parts += [" if ", draw(arithmetic(0)), " else ", draw(arithmetic(depth - 1))]
    return draw(st.sampled_from(["", " "])).join(parts)


_OPERATIONS = {"left": arithmetic(), "operator_": st.sampled_from(["", *_BINARY]), "right": arithmetic()}


@given(**_OPERATIONS)
@settings(max_examples=120, deadline=None)
def test_precedence_is_pythons(left: str, operator_: str, right: str) -> None:
    _as_in_python(left, operator_, right)


@pytest.mark.slow
@given(**_OPERATIONS)
@settings(max_examples=400, deadline=None)
def test_precedence_is_pythons_in_many_examples(left: str, operator_: str, right: str) -> None:
    _as_in_python(left, operator_, right)


def _as_in_python(left: str, operator_: str, right: str) -> None:
    source = f"{left} {operator_} {right}" if operator_ else left
    expected = python_tree(ast.parse(source, mode="eval").body)
    assert tree(source) == expected
    assert repr(value(tree(source))) == repr(value(expected))


# Printing

_names = st.sampled_from(["x", "y_1", "αβ", "mean", "None", "inf", "e1"])
_numbers = st.one_of(st.integers(0, 10**30), st.floats(0, allow_nan=False)).map(
    lambda number: "1e999" if number == float("inf") else repr(number)
)
_strings = st.text("abij,->.;#( \"'\\", max_size=8).filter(lambda s: "'" not in s or '"' not in s)
_leaves = st.one_of(
    _names,
    _numbers,
    st.just("..."),
    st.just("()"),
    st.just("[]"),
    _strings.map(lambda s: f'"{s}"' if "'" in s else f"'{s}'"),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Every construct around smaller expressions; operands sometimes in parentheses, sometimes bare."""
    operand = st.one_of(inner.map(lambda s: f"({s})"), inner, _names)
    # A choice stands bare anywhere but between if and else.
    condition = st.one_of(inner.map(lambda s: f"({s})"), _names)
    argument = st.one_of(inner, operand)
    words = st.lists(st.sampled_from(["dim", "keepdim", "k"]), unique=True, max_size=2)

    @st.composite
    def arguments(draw: st.DrawFn) -> str:
        plain = draw(st.lists(argument, max_size=2))
        return ", ".join([*plain, *(f"{word}={draw(argument)}" for word in draw(words))])

    bound = st.one_of(st.just(""), argument)
    item = st.one_of(argument, st.tuples(bound, bound).map(":".join), st.tuples(bound, bound, bound).map(":".join))
    receiver = st.one_of(_names, inner.map(lambda s: f"({s})"), inner.map(lambda s: f"[{s}]"))
    several = st.lists(argument, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(operand, st.sampled_from(sorted(_BINARY)), operand).map(" ".join),
        st.tuples(operand, condition, operand).map(lambda t: f"{t[0]} if {t[1]} else {t[2]}"),
        st.tuples(st.sampled_from(sorted(_UNARY)), operand).map("".join),
        several.map(lambda s: f"[{s}]"),
        several.map(lambda s: f"({s},)"),
        st.tuples(_names, arguments()).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(receiver, arguments()).map(lambda t: f"{t[0]}.go({t[1]})"),
        receiver.map(lambda s: f"{s}.T"),
        st.tuples(receiver, st.lists(item, min_size=1, max_size=3)).map(lambda t: f"{t[0]}[{', '.join(t[1])}]"),
    )


expressions = st.recursive(_leaves, _grown, max_leaves=12)


@given(
    st.lists(st.sampled_from(["y = ", "a, b = ", "f(t, u) = ", "g() = ", "h(t, k=(1, -2)) = "]), max_size=2), st.data()
)
@settings(max_examples=400, deadline=None)
def test_unparse_gives_the_same_program(heads: list[str], data: st.DataObject) -> None:
    source = "; ".join([head + data.draw(expressions) for head in heads] + [data.draw(expressions)])
    program = parse(source)
    text = unparse(program)
    assert meaning(parse(text)) == meaning(program)
    assert unparse(parse(text)) == text
    assert len(text) <= len(source) + 4 * len(source), "no parentheses without end"


@given(arithmetic())
@settings(max_examples=80, deadline=None)
def test_unparse_needs_every_parenthesis(source: str) -> None:
    _needs_every_parenthesis(source)


@pytest.mark.slow
@given(arithmetic())
@settings(max_examples=400, deadline=None)
def test_unparse_needs_every_parenthesis_in_many_examples(source: str) -> None:
    _needs_every_parenthesis(source)


def _needs_every_parenthesis(source: str) -> None:
    text = unparse(parse(source))
    opened: list[int] = []
    for i, character in enumerate(text):
        if character == "(":
            opened.append(i)
        elif character == ")":
            start = opened.pop()
            without = f"{text[:start]} {text[start + 1 : i]} {text[i + 1 :]}"
            assert meaning(parse(without)) != meaning(parse(text)), f"{text}: a pair of parentheses too many"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (HEADLINE, "mean(2*(3*x + 7)**2)"),
        ("(((x)))", "x"),
        ("a-(b-c)-(d)", "a - (b - c) - d"),
        ("(a**b)**c**(d)", "(a**b)**c**d"),
        ("(-2)**2 - -2**2", "(-2)**2 - -2**2"),
        ("2**(-x)", "2**-x"),
        ("(a<b)&(c==d)", "(a < b) & (c == d)"),
        ("(a<b)==c", "(a < b) == c"),
        ("(2).pow(3) + (2.5).x + (2)[0]", "(2).pow(3) + (2.5).x + (2)[0]"),
        ("(x.T)[ 1, 2:3 ].sum( dim = 0 )", "x.T[1, 2:3].sum(dim=0)"),
        ("f(t)=t;a,b=f(x)\n(a,)", "f(t) = t; a, b = f(x); (a,)"),
        ("x[::]+x[:1:]", "x[:] + x[:1]"),
        ('f("a")', "f('a')"),
        ("1e400", "1e999"),
    ],
)
def test_unparse(source: str, text: str) -> None:
    assert unparse(parse(source)) == text


# Errors: the message, the text under the carets (or the position of an empty place), and a word of the hint


@pytest.mark.parametrize(
    ("source", "message", "place", "hint"),
    [
        ("", "the expression is empty", None, None),
        (" \n;; # nothing", "the expression is empty", None, None),
        ("x + # more", "the expression is incomplete", 3, None),
        ("y = ", "the expression is incomplete", 3, None),
        ("x.", "the expression is incomplete", 2, None),
        ("x +\ny", "the line is incomplete", 3, "parentheses"),
        ("f(x, [1, 2", "'[' is never closed", "[", None),
        ("(x + 1", "'(' is never closed", "(", None),
        ("(x +\ny = 2", "unexpected '='", "=", "=="),
        ("(x\ny", "unexpected 'y'", "y", "not closed"),
        ("(1; 2)", "unexpected ';'", ";", "close the '('"),
        ("x)", "unmatched ')'", ")", None),
        ("(x]", "']' does not match '('", "]", None),
        ("x + * y", "unexpected '*'", "*", None),
        ("f(,)", "unexpected ','", ",", None),
        ("x[]", "unexpected ']'", "]", None),
        ("x[1:2:3:4]", "unexpected ':'", 7, None),
        ("x.(y)", "unexpected '('", "(", None),
        ("2x", "unexpected 'x'", "x", "write 2*x"),
        ("2(x)", "unexpected '('", "(", "write 2*(...)"),
        ("(x)(y)", "unexpected '('", 3, "use * to multiply"),
        ("(x) y", "unexpected 'y'", "y", "use * to multiply"),
        ("x y", "unexpected 'y'", "y", "missing"),
        ("2.pow(3)", "unexpected 'pow'", "pow", "(2).pow"),
        ("0x1G", "unexpected 'G'", "G", None),
        ("0b12", "unexpected '2'", "2", None),
        ("lambda t: t", "unexpected 'lambda'", "lambda", "f(t) ="),
        ("x if y", "the expression is incomplete", 6, None),
        ("if x", "unexpected 'if'", "if", "a if condition else b"),
        ("x else y", "unexpected 'else'", "else", "a if condition else b"),
        ("{x}", "unexpected '{'", "{", "( ) to group"),
        ("y = {a = x; a}; y", "braces hold the statements of a function", "{", "f(x) = {"),
        ("f(t) = {}; 1", "the braces end without a value", "}", "at last the value"),
        ("f(t) = {y = t}; 1", "the braces end without a value", "}", "at last the value"),
        ("f(t) = {t; t}; 1", "the value of this expression is not used", 8, None),
        ("f(t) = {t; y = t}; 1", "the value of this expression is not used", 8, None),
        ("f(t) = {g(u) = u; g(t)}; 1", "a function cannot be defined inside another one", "g(u)", "before"),
        ("f(t) = {y = (t; y}; 1", "unexpected ';'", 14, "close the '('"),
        ("f(t) = {y = t; y", "'{' is never closed", "{", None),
        ("f(t) = {y = t; y)", "')' does not match '{'", 16, None),
        ("f(t, n=2, m) = t; 1", "a positional argument follows a keyword argument", "m", "last"),
        ("f(n, n=2) = n; 1", "the parameter 'n' appears twice", 5, None),
        ("f(2*t, n=2) = n; 1", "the parameters of a function must be names", "f(2*t, n=2)", "f(t) ="),
        ("x and y", "unexpected 'and'", "and", "use &"),
        ("x or y", "unexpected 'or'", "or", "use |"),
        ("not x", "unexpected 'not'", "not", "use ~"),
        ("a && b", "unexpected '&'", 3, "single &"),
        ("a || b", "unexpected '|'", 3, "single |"),
        ("(x = 3)", "unexpected '='", "=", "=="),
        ("x = y = 3", "unexpected '='", 6, "=="),
        ("x += 1; x", "unexpected '='", "=", "x = x + 1"),
        ("a, b", "a tuple is written in parentheses", "a, b", "(a, b)"),
        ("x $ y", "unexpected character '$'", "$", None),
        ("x ? y", "unexpected character '?'", "?", None),
        ("x × y", "unexpected character '×'", "×", "use *"),
        ("(x)²", "unexpected character '²'", "²", "use **"),
        ("x²", "unexpected character '²'", "²", "use **"),
        ("x − 2", "unexpected character '−'", "−", "minus"),
        ("f(“a”)", "unexpected character '“'", "“", "quotes"),
        ("x\x00", "unexpected character U+0000", "\0", None),
        ("x\u00a0+ 1", "unexpected character U+00A0", "\u00a0", "plain space"),
        ("x + \udc80", "the byte 0x80 is not UTF-8", "\udc80", "write the expression in UTF-8"),
        ("፩x", "unexpected character '፩'", "፩", None),
        ("x[٣]", "unexpected character '٣'", "٣", None),
        ("f('abc", "the string is never closed", "'", None),
        ("f('a\nb')", "the string is never closed", 2, None),
        ("f(a=1, 2)", "a positional argument follows a keyword argument", "2", "last"),
        ("x.f(a=1, b + (c), d=1)", "a positional argument follows a keyword argument", "b + (c)", "last"),
        ("f(a=1, a=2)", "the keyword 'a' appears twice", 7, None),
        ("f(None=1)", "None cannot be assigned to", "None", None),
        ("True = 3; x", "True cannot be assigned to", "True", None),
        ("a, False = x; x", "False cannot be assigned to", "False", None),
        ("f(t, None) = t; x", "None cannot be assigned to", "None", None),
        ("a, b, a = f(x); a", "the name 'a' is assigned twice", 6, "_"),
        ("f(t, t) = t; 1", "the parameter 't' appears twice", 5, None),
        ("f(t+1=2) = t; 1", "unexpected '='", 5, "=="),
        ("f(t+1) = t; 1", "the parameters of a function must be names", "f(t+1)", "f(t) ="),
        ("x + 1 = 3; x", "only a name can be assigned to", "x + 1", "=="),
        ("(f(x)) = 3; x", "only a name can be assigned to", "(f(x))", "=="),
        ("x[0] = 3; x", "only a name can be assigned to", "x[0]", "index_put(x, [i], v)"),
        ("2 = x; x", "only a name can be assigned to", "2", "=="),
        ("x; y = 3", "the value of this expression is not used", "x", None),
        ("f(t) = t ;", "the last statement is a definition; end with the expression to evaluate", "f(t) = t", None),
        ("a\n+ b", "the value of this expression is not used", "a", "next line"),
        ("9" * 4301, "the number has 4301 digits; an integer can have 4300", "9" * 4301, "exponent"),
    ],
)
def test_errors(source: str, message: str, place: str | int | None, hint: str | None) -> None:
    with pytest.raises(GradcliError) as caught:
        parse(source)
    error = caught.value
    assert error.message == message
    assert error.exit_code == 2
    if place is None:
        assert error.span is None
    elif isinstance(place, int):
        assert error.span is not None and error.span[0] == place and error.source == source
    else:
        assert error.span == (source.index(place), source.index(place) + len(place)) and error.source == source
    assert hint is None or (error.hint is not None and hint in error.hint)
    assert error.render().startswith(message)


def test_error_shows_the_place() -> None:
    with pytest.raises(GradcliError) as caught:
        parse("y = 3\nmean(2x)")
    assert caught.value.render() == "unexpected 'x'\n  mean(2x)\n        ^\nhint: write 2*x"


_pieces = st.sampled_from(
    [
        "x",
        "y",
        "2",
        ".5",
        "'a'",
        "'",
        '"',
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        ";",
        "\n",
        ".",
        "...",
        "+",
        "-",
        "*",
        "**",
        "/",
        "//",
        "%",
        "@",
        "~",
        "<",
        "==",
        "=",
        "&",
        "|",
        "#",
        "\\",
        "$",
        "²",
        "×",
        "\0",
        "not",
        "and",
        "f(",
        "x.",
        "1e",
        "0x",
    ]
)


@given(st.one_of(st.lists(_pieces, max_size=25).map("".join), st.lists(_pieces, max_size=12).map(" ".join), st.text()))
@settings(max_examples=600, deadline=None)
def test_anything_parses_or_is_refused_in_words(source: str) -> None:
    try:
        script = parse(source)
    except GradcliError as error:
        assert error.message and "\n" not in error.message
        # The names of the grammar's terminals are no user's business.
        assert not any(name in error.render().replace(source, "") for name in ("LPAR", "RSQB", "NEWLINE", "$END"))
        if error.span is not None:
            start, end = error.span
            assert 0 <= start <= end <= len(source)
        return
    assert meaning(parse(unparse(script))) == meaning(script)


# Depth and size


@pytest.mark.parametrize(
    "source",
    [
        "+".join(["x"] * 30_000),
        "**".join(["x"] * 30_000),
        "(" * 20_000 + "x" + ")" * 20_000,
        "(1 + " * 20_000 + "x" + ")*2" * 20_000,
        "f(" * 20_000 + "x" + ", k=1)" * 20_000,
        "[" * 20_000 + "]" * 20_000,
        "x" + "[0]" * 20_000,
        "x" + ".pow(2)" * 20_000,
        "-" * 30_000 + "x",
        "[" + "1, " * 30_000 + "]",
        "y = 1;" * 20_000 + "y",
    ],
    ids=lambda source: f"{source[:6]}…",
)
def test_depth_and_length(source: str) -> None:
    began = time.process_time()
    script = parse(source)
    text = unparse(script)
    # A fifth of a second on an idle machine; anything that grows with the square takes minutes.
    assert time.process_time() - began < 10
    assert meaning(parse(text)) == meaning(script)


@pytest.mark.parametrize(
    "source",
    [
        "(" * 1_000_000,
        "[(" * 500_000,
        "²" * 1_000_000,
        "a" * 1_000_000 + "²",
        "'" * 999_999,
        "\0" * 1_000_000,
        "1" * 1_000_000,
        "1" * 1_000_000 + "x",
        "x " * 500_000,
        "-" * 1_000_000,
        "(" * 500_000 + "]",
        "f(" * 300_000,
        "1_" * 500_000,
    ],
    ids=lambda source: f"{source[:4]!r}",
)
def test_long_garbage_is_refused_quickly(source: str) -> None:
    began = time.process_time()
    with pytest.raises(GradcliError) as caught:
        parse(source)
    assert time.process_time() - began < 20
    assert max(len(line) for line in caught.value.render().splitlines()) < 200


# The grammar and its tables


def test_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    from lark import Lark, logger

    logger.setLevel(logging.DEBUG)
    try:
        Lark(lalr._grammar(), parser="lalr", lexer="basic", start="program")
        assert "onflict" not in caplog.text
        Lark('s: "i" s | "i" s "e" s | "x"', parser="lalr", lexer="basic", start="s")
        assert "onflict" in caplog.text, "Lark does not report conflicts this way"
    finally:
        logger.setLevel(logging.CRITICAL)


@functools.cache
def _lark() -> Any:
    from lark import Lark

    return Lark(lalr._grammar(), parser="lalr", lexer="basic", start="program")


def lark_tree(node: Any) -> Any:
    """What Lark's own parser makes of the grammar, as the tuples of `tree`."""
    if node.data in ("program", "result", "group"):
        (inner,) = (child for child in node.children if not isinstance(child, str))
        return lark_tree(inner)
    if node.data == "binary":
        left, sign, right = node.children
        return str(sign), lark_tree(left), lark_tree(right)
    if node.data == "unary":
        sign, operand = node.children
        return str(sign), lark_tree(operand)
    if node.data == "comparison":
        operands, symbols = [], []
        (chain,) = node.children
        while chain.data == "chain_next":
            chain, symbol, last = chain.children
            operands.append(lark_tree(last))
            symbols.append(str(symbol))
        left, symbol, right = chain.children
        operands = [lark_tree(left), lark_tree(right), *reversed(operands)]
        symbols = [str(symbol), *reversed(symbols)]
        return (symbols[0], *operands) if len(symbols) == 1 else ("compare", tuple(symbols), *operands)
    if node.data == "conditional":
        left, _, condition, _, right = node.children
        return "if", lark_tree(left), lark_tree(condition), lark_tree(right)
    (text,) = node.children
    return str(text) if node.data == "name" else float(text)


@given(arithmetic())
@settings(max_examples=100, deadline=None)
def test_our_loop_agrees_with_larks_parser(source: str) -> None:
    assert tree(source) == lark_tree(_lark().parse(source))


# The cache


def _forbid_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(grammar: str) -> dict[str, Any]:
        raise AssertionError("built although the cache is good")

    monkeypatch.setattr(lalr, "_build", build)


def _one_file(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def test_cache_is_written_once_and_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = lalr.tables()
    file = _one_file(cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lalr.tables.cache_clear()
    _forbid_building(monkeypatch)
    read = lalr.tables()
    assert (read.pattern, read.ignored, read.states) == (built.pattern, built.ignored, built.states)
    assert [tuple(rule) for rule in read.rules] == [tuple(rule) for rule in built.rules]
    assert len(steps(HEADLINE)) == 10


def _damaged(content: bytes) -> dict[str, bytes]:
    body = content.split(b"\n", 1)[1]
    from zlib import crc32

    def signed(other: bytes) -> bytes:
        return f"{crc32(other):08x}\n".encode() + other

    return {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "one bit": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
        "binary": b"\xff\xfe\x00" * 100,
        "no JSON": signed(b"{"),
        "a list": signed(b"[1, 2]"),
        "no tables": signed(b"{}"),
        "deep": signed(b"[" * 200_000),
        "another grammar": signed(json.dumps({**json.loads(body), "grammar": "x"}).encode()),
    }


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "one bit", "binary", "no JSON", "a list", "no tables", "deep", "another grammar"]
)
def test_damaged_cache_is_replaced(cache: Path, damage: str) -> None:
    lalr.tables()
    file = _one_file(cache)
    good = file.read_bytes()
    file.write_bytes(_damaged(good)[damage])
    lalr.tables.cache_clear()
    assert len(steps(HEADLINE)) == 10
    assert lalr._read(lalr._grammar()) is not None, "the damaged file is still there"


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_cache_that_others_can_write_is_not_read(cache: Path, mode: int) -> None:
    lalr.tables()
    file = _one_file(cache)
    grammar = lalr._grammar()
    assert lalr._read(grammar) is not None
    cache.chmod(mode)
    assert lalr._read(grammar) is None
    file.unlink()
    lalr.tables.cache_clear()
    assert len(steps(HEADLINE)) == 10
    assert not any(cache.iterdir()), "written where others can put files"
    cache.chmod(0o700)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_cache_file_that_others_can_write_is_not_read(cache: Path, mode: int) -> None:
    lalr.tables()
    file = _one_file(cache)
    file.chmod(mode)
    assert lalr._read(lalr._grammar()) is None


def test_cache_of_another_user_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lalr.tables()
    monkeypatch.setattr(own_cache.os, "geteuid", lambda: cache.stat().st_uid + 1)
    assert lalr._read(lalr._grammar()) is None


def test_cache_command(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "cache") == (0, f"{cache}: 0 files, 0 bytes\n", "")
    lalr.tables()
    file = _one_file(cache)
    size = file.stat().st_size
    mine = cache / "of somebody else"
    mine.write_text("stays")
    code, out, _ = call(monkeypatch, "cache", "--json")
    assert (code, json.loads(out)) == (0, {"folder": str(cache), "files": 1, "bytes": size})
    assert call(monkeypatch, "cache").out.startswith(f"{cache}: 1 file, ")
    assert call(monkeypatch, "cache", "--clear") == (0, f"{cache}: 0 files, 0 bytes\n", "")
    assert list(cache.iterdir()) == [mine]


def test_only_files_of_ours_are_in_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lalr.tables()
    ours = f"native-{'0' * 64}.o"
    others = ["native-abacus.txt", "expression-dump.csv", f"{ours}.bak", "native-0", "expression-0-1.json"]
    for name in others:
        (cache / name).write_text("stays")
    (cache / f"native-{'1' * 64}.o").mkdir()
    (cache / f"native-{'2' * 64}.o").symlink_to("/dev/null")
    assert call(monkeypatch, "cache").out.startswith(f"{cache}: 1 file, ")
    (cache / ours).write_text("goes")
    # What a killed process has left goes too.
    (cache / os.path.basename(temporary_name(""))).touch()
    assert call(monkeypatch, "cache", "--clear") == (0, f"{cache}: 0 files, 0 bytes\n", "")
    assert sorted(path.name for path in cache.iterdir() if path.is_file() and not path.is_symlink()) == sorted(others)


def test_a_file_that_vanishes_hides_no_other(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process clears the cache, or keeps the newest, at the same time."""
    lalr.tables()
    gone = cache / f"native-{'0' * 64}.o"
    scandir = os.scandir

    class Vanishing(NamedTuple):
        name: str
        path: str

        def stat(self, follow_symlinks: bool) -> os.stat_result:
            return os.stat(self.path)

    @contextlib.contextmanager
    def looked(folder: str) -> Iterator[list[Any]]:
        with scandir(folder) as entries:
            yield [Vanishing(gone.name, str(gone)), *entries]

    monkeypatch.setattr(own_cache.os, "scandir", looked)
    assert [kept.path for kept in own_cache.kept_files()] == [str(_one_file(cache))]
    own_cache._remove([own_cache.CachedFile(str(gone), 0, 0.0), *own_cache.kept_files()])
    assert not any(cache.iterdir())


def test_a_cache_that_cannot_be_cleared_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lalr.tables()

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(own_cache.os, "unlink", refuse)
        told = f"gradcli: cannot clear the cache {cache}: Read-only file system\n"
        assert call(monkeypatch, "cache", "--clear") == (1, "", told)
    with monkeypatch.context() as patch:
        patch.setattr(own_cache.os, "scandir", refuse)
        assert call(monkeypatch, "cache").err == f"gradcli: cannot read the cache {cache}: Read-only file system\n"
    os.chmod(cache, 0o777)
    done = call(monkeypatch, "cache")
    assert done.code == 0 and done.out.startswith(f"{cache}: 1 file, ")
    assert done.err == f"note: {cache} is not used: it belongs to another user, or others can write to it\n"


@pytest.mark.parametrize("depth", [1500, 5000])
def test_a_cache_below_too_many_folders(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/none" + "/y" * depth)
    own_cache.write_cached("native-0", b"x")
    assert own_cache.read_cached("native-0", 100) is None


def test_cache_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_cache, "cache_folder", lambda: None)
    assert call(monkeypatch, "cache", "--json") == (0, '{"folder": null, "files": 0, "bytes": 0}\n', "")
    assert call(monkeypatch, "cache").out.startswith("there is no folder for the cache: ")


def test_cache_that_cannot_be_written_is_left_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file where the directory should be: nobody, not even root, can write below it.
    cache.parent.mkdir(parents=True)
    cache.write_text("in the way")
    assert len(steps(HEADLINE)) == 10
    assert cache.read_text() == "in the way"

    lalr.tables.cache_clear()
    cache.unlink()

    def refuse(source: str, target: str) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(own_cache.os, "replace", refuse)
    assert len(steps(HEADLINE)) == 10
    assert list(cache.iterdir()) == [], "a temporary file is left"


def test_read_only_home(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    cache.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(own_cache.os, "open", refuse)
    assert len(steps(HEADLINE)) == 10
    assert not any(cache.iterdir())
    lalr.tables.cache_clear()
    cache.rmdir()
    monkeypatch.setattr(own_cache.os, "makedirs", refuse)
    assert len(steps(HEADLINE)) == 10
    assert not cache.exists()


def test_cache_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def directory(platform: str, **variables: str) -> str | None:
        monkeypatch.setattr(own_cache.sys, "platform", platform)
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return own_cache.cache_folder()

    assert directory("linux") == str(tmp_path / ".cache" / "gradcli")
    assert directory("linux", XDG_CACHE_HOME="/var/x") == "/var/x/gradcli"
    assert directory("linux", XDG_CACHE_HOME="relative") == str(tmp_path / ".cache" / "gradcli")
    assert directory("darwin", XDG_CACHE_HOME="/var/x") == str(tmp_path / "Library" / "Caches" / "gradcli")
    assert directory("win32", LOCALAPPDATA="/local") == "/local/gradcli"
    assert directory("win32") is None
    assert directory("linux", HOME="nowhere") is None
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lalr._name("grammar") != lalr._name("grammar 2")


def _python(code: str, **variables: str) -> str:
    environment = {"PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_warm_start_needs_neither_lark_nor_numpy(tmp_path: Path) -> None:
    code = f"import sys, gradcli.language.parse as p; p.parse({HEADLINE!r}); print(*(m in sys.modules for m in NAMES))"
    code = code.replace("NAMES", "('lark', 'numpy')")
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert _python(code, **home).split() == ["True", "False"]
    assert _python(code, **home).split() == ["False", "False"]


def test_import_alone_does_nothing(tmp_path: Path) -> None:
    names = "('lark', 'numpy', 'json', 'inspect')"
    code = f"import sys, gradcli.language.parse; print([m for m in {names} if m in sys.modules])"
    assert _python(code, XDG_CACHE_HOME=str(tmp_path)) == "[]\n"
    assert not any(tmp_path.iterdir())


def test_no_home_at_all() -> None:
    code = f"import gradcli.language.parse as s; print(len(s.parse({HEADLINE!r}).statements[0].code))"
    assert _python(code) == "10\n"
    assert _python(code, HOME="", XDG_CACHE_HOME="/dev/null/x") == "10\n"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link", "dangling", "socket"])
def test_whatever_stands_in_the_place_of_the_cache(kind: str, tmp_path: Path) -> None:
    code = f"import sys, gradcli.language.parse as s; s.parse({HEADLINE!r}); print('lark' in sys.modules)"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert _python(code, **home) == "True\n"
    (cache,) = (tmp_path / "gradcli").iterdir()
    whole = cache.read_bytes()
    cache.unlink()
    if kind == "pipe":
        os.mkfifo(cache)
    elif kind == "folder":
        cache.mkdir()
    elif kind == "socket":
        # By a short name: there is little room for one.
        with contextlib.chdir(cache.parent), socket.socket(socket.AF_UNIX) as one:
            one.bind(cache.name)
    else:
        (tmp_path / "there").write_bytes(whole)
        cache.symlink_to({"device": "/dev/zero", "link": tmp_path / "there", "dangling": "nowhere"}[kind])
    assert _python(code, **home) == "True\n"
    # What is no folder has been replaced; a link was not followed.
    assert _python(code, **home) == ("True\n" if kind == "folder" else "False\n")
    assert not cache.is_symlink()
    assert kind in ("pipe", "folder", "socket") or (tmp_path / "there").read_bytes() == whole
    assert list((tmp_path / "gradcli").iterdir()) == [cache]


def test_unfinished_caches_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "gradcli"
    folder.mkdir(mode=0o700)
    old, new, other = temporary_name(str(folder)), temporary_name(str(folder)), str(folder / "x")
    for path in (old, other):
        Path(path).write_text("{")
    held = create_temporary(new, 0o600)
    try:
        code = f"import gradcli.language.parse as s; s.parse({HEADLINE!r})"
        _python(code, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    finally:
        os.close(held)
    left = {str(path) for path in folder.iterdir()}
    assert old not in left and {new, other} < left and len(left) == 3

"""Derive a formula: parse, fit shapes, differentiate, simplify, check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError, counted
from gradcli.evaluation.request import check_wanted
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.functions_of_terms import function_rule
from gradcli.formula.algebra.identities import FACTOR_RULES, SUM_RULES
from gradcli.formula.algebra.jacobian_of_vjp import jacobian_of
from gradcli.formula.algebra.terms import IN_NUMBERS, NodeTerm, Sizes
from gradcli.formula.lengths import SAMPLES, Given, LengthReader, Lengths, Wanted
from gradcli.formula.read.convert import Converter, depends_on_lengths, readable
from gradcli.formula.verify import Verdict, verify
from gradcli.formula.write.arrange import Arranger
from gradcli.formula.write.forms import Form, Named, named, text
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, constant, toposort
from gradcli.language.instructions import Script
from gradcli.language.kinds import BOOLEAN, EXACT
from gradcli.machine.limits import TIME_LIMIT, having
from gradcli.ops.create import ones_like
from gradcli.ops.diagonal import diagonal, trace

# Where lengths are large that the expression itself has, the gradient takes long to compute: nobody waits for the check
# of a formula for so many seconds at each point.
_PATIENCE = 1.0


class Derived(NamedTuple):
    """A formula, the inputs it holds for, and remarks for the reader.

    `undefined` tells in words where the formula has no number although the gradient has one.
    """

    formula: Named
    lengths: Lengths
    notes: list[str]
    value_rank: int
    undefined: tuple[str, ...] = ()


def derive(script: Script, givens: Sequence[Given], wanted: Wanted) -> Derived:
    """The formula of a derivative; GradcliError where there is none."""
    _check(givens, wanted)
    lengths = Lengths(givens)
    _check_steps(script, lengths, lengths.fit(script))
    _make_square(script, lengths)
    derived = _derived(script, lengths, wanted)
    with having(TIME_LIMIT, _PATIENCE):
        derived, verdict = _best(script, lengths, derived, wanted)
    if verdict.wrong:
        raise GradcliError("no formula was found that holds everywhere", hint=IN_NUMBERS)
    return derived._replace(notes=[*derived.notes, *_remarks(verdict)], undefined=verdict.undefined)


def _best(script: Script, lengths: Lengths, derived: Derived, wanted: Wanted) -> tuple[Derived, Verdict]:
    """A formula, or a longer one where that is better, and what came out when it was compared with the gradient."""
    verdict = verify(script, lengths, derived.formula, wanted)
    if verdict.wrong or verdict.smooth:
        longer = _derived(script, lengths, wanted, whole=True)
        if text(longer.formula) != text(derived.formula):
            other = verify(script, lengths, longer.formula, wanted)
            if other.better_than(verdict):
                return longer, other
    return derived, verdict


def _remarks(verdict: Verdict) -> list[str]:
    """What the check of a formula came upon."""
    remarks = []
    if verdict.undefined:
        shown = verdict.undefined[:_MOST_SHOWN]
        places = " or ".join([*shown, *(["elsewhere"] if len(verdict.undefined) > len(shown) else [])])
        remarks.append(f"the formula has no value where {places}; the gradient has one")
    if verdict.other_choice:
        remarks.append("at kinks the formula chooses another value than the gradient")
    if verdict.not_for:
        lengths = f"dimensions of length {' or '.join(map(str, verdict.not_for))}"
        remarks.append(f"the formula does not hold for {lengths}; give shapes in numbers for those")
    if not verdict.compared:
        remarks.append(
            "the formula is not checked: no numbers were found at which the gradient is finite and quickly computed"
        )
    return remarks


def _derived(script: Script, lengths: Lengths, wanted: Wanted, whole: bool = False) -> Derived:
    """The formula that the rules for people lead to, with `whole` the longer ones."""
    algebra = Algebra(FACTOR_RULES, function_rule, SUM_RULES)
    samples = [lengths.sample(k) for k in range(SAMPLES if lengths.unknown() else 1)]
    graphs = [_graph(script, lengths, sample, wanted, whole) for sample in samples]
    reader = LengthReader(algebra, samples)
    gradients = [g.gradient for g in graphs if g.gradient is not None]
    value_shape, x_shape = reader.read([g.value.shape for g in graphs]), reader.read([g.wrt.shape for g in graphs])
    # The input that is differentiated first: lengths are rather told by it.
    names = sorted(graphs[0].leaves, key=lambda name: name != wanted.wrt)
    shapes = {name: reader.read([g.leaves[name].shape for g in graphs]) for name in names}
    notes: list[str] = []
    like: str | None = wanted.wrt
    found, shape = NodeTerm(algebra.number(0).term, ((),) * len(x_shape)), x_shape
    if gradients:
        ((found, shape),) = Converter(algebra, reader).convert([[gradient] for gradient in gradients])
    else:
        notes.append(f"the value does not depend on {wanted.wrt}" + (" in this order" if wanted.order > 1 else ""))
    if wanted.jacobian:
        none = x_shape if wanted.order > 1 else value_shape
        seed_shape = reader.read([g.seed.shape for g in graphs]) if gradients else none
        found, shape, diagonal = jacobian_of(algebra, found, shape, seed_shape)
        like = wanted.wrt if diagonal else None
        notes += ["the Jacobian is diagonal: this is its diagonal"] if diagonal and shape and gradients else []
    formula = _written(found, shape, shapes, lengths.givens, wanted, like)
    return Derived(formula, lengths, notes, len(value_shape))


class _Graph(NamedTuple):
    value: Node
    wrt: Node
    leaves: dict[str, Node]
    gradient: Node | None
    seed: Node


# So many operations are hardly those that somebody has written.
_MANY = 1000
# More places where a formula breaks are not told.
_MOST_SHOWN = 3
#: The name of the vector that a Jacobian is read off from; no name of the language can be this.
SEED = "?"


def _check(givens: Sequence[Given], wanted: Wanted) -> None:
    names = {g.name: g for g in givens}
    check_wanted(wanted.wrt, list(names))
    if names[wanted.wrt].dtype.kind != "f":
        raise GradcliError(f"the input {wanted.wrt!r} is {names[wanted.wrt].dtype} and cannot be differentiated")
    if wanted.vector is not None and wanted.vector in names:
        hint = "choose another name, as in --grad-output v"
        raise GradcliError(f"the vector cannot be called {wanted.vector!r}, which is an input", hint=hint)


def _check_steps(script: Script, lengths: Lengths, value: Node) -> None:
    """Refuse what takes a step for each place of an unknown length, before thousands of them are differentiated."""
    count = len(toposort([value]))
    if count > _MANY and lengths.unknown():
        other, _ = lengths.build(script, lengths.sample(1), ())
        if len(toposort([other])) != count:
            raise depends_on_lengths()


def _graph(script: Script, lengths: Lengths, sample: dict[str, int], wanted: Wanted, whole: bool) -> _Graph:
    """The graph of the derivative, differentiated by the rules for people."""
    value, leaves = lengths.build(script, sample, [wanted.wrt])
    x = leaves[wanted.wrt]
    if not value.is_floating:
        raise GradcliError(f"the value is {value.dtype} and has no derivative")
    gradient: Node | None = None
    last = seed = value
    for order in range(1, wanted.order + 1):
        (node,) = readable([last], whole)
        seed = _seed(node, order, order == wanted.order, wanted)
        gradient = vjp([node], [seed], [x]).get(x)
        if gradient is None:
            break
        last = gradient
    if wanted.vector is not None and value.size != 1:
        leaves = {**leaves, wanted.vector: Node(INPUT, (), {}, value.shape, FLOAT64, False)}
    return _Graph(value, x, leaves, gradient, seed)


def _seed(node: Node, order: int, last: bool, wanted: Wanted) -> Node:
    """What a pass starts with: the vector at first, ones later on, so that the gradient's sum is differentiated."""
    if wanted.jacobian and last:
        return Node(INPUT, (), {"name": SEED}, node.shape, node.dtype, False)
    if order > 1:
        return constant(1.0, node.dtype) if not node.shape else ones_like(node)
    if wanted.vector is not None:
        # The vector is of the usual dtype and rounded to that of the value.
        return cast(Node(INPUT, (), {"name": wanted.vector}, node.shape, FLOAT64, False), node.dtype)
    if node.size != 1:
        hint = "reduce it, as in sum(...), or give --grad-output v for a vector v, or --jacobian"
        message = f"the value has {counted(node.ndim, 'dimension')}: its gradient needs a vector to multiply with"
        raise GradcliError(message, hint=hint)
    return ones_like(node)


def _make_square(script: Script, lengths: Lengths) -> None:
    """Matrices whose diagonal is taken are square unless their shapes were given."""
    changed = True
    while changed and lengths.unknown():
        changed = False
        sample = lengths.sample(0)
        words = {n: word for word, n in sample.items()}
        value, _ = lengths.build(script, sample, ())
        for node in toposort([value]):
            if node.op in (trace, diagonal) and node.inputs[0].ndim == 2:
                a, b = (words.get(n, n) for n in node.inputs[0].shape)
                if a != b and isinstance(a, str) and isinstance(b, str):
                    changed = lengths.merge(a, b) or changed
                    break


def _written(
    value: NodeTerm, shape: Sizes, shapes: dict[str, Any], givens: Sequence[Given], wanted: Wanted, like: str | None
) -> Named:
    kinds = {g.name: EXACT for g in givens if g.dtype.kind != "f"}
    arranger = Arranger(shapes, wanted.wrt, kinds)
    form: Form = arranger.write(value, shape, like)
    if form.kind == BOOLEAN or (form.kind == EXACT and form.op in ("binary", "unary")):
        form = arranger.as_real(form)
    return named(form, {*shapes, "e", "pi", "inf", "nan", "I"})

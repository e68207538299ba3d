"""The derivative of one step by one of its operands, as a formula in the names of the operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.functions_of_terms import function_rule
from gradcli.formula.algebra.identities import FACTOR_RULES, SUM_RULES
from gradcli.formula.algebra.jacobian_of_vjp import jacobian_of
from gradcli.formula.algebra.terms import NodeTerm
from gradcli.formula.derivation import SEED
from gradcli.formula.lengths import LengthReader
from gradcli.formula.read.convert import Converter, readable
from gradcli.formula.write.arrange import Arranger
from gradcli.formula.write.forms import Named, in_order, named
from gradcli.graph.node import INPUT, Node
from gradcli.language.kinds import EXACT

# Longer formulas tell a reader less than the numbers do.
_MOST_FORMS = 60


class LocalDerivative(NamedTuple):
    """A formula: the derivative itself, element by element or of a number; or, where that would be a matrix, the
    `product` of the gradient that arrives with it, in which the gradients have the names that were given."""

    formula: Named
    product: bool


def local_derivative(
    results: Sequence[Node], gradients: Sequence[str], x: Node, leaves: Mapping[str, Node], whole: bool = False
) -> LocalDerivative:
    """The derivative of a step by its operand `x`.

    `results` are the tensors that the step gives, as graphs over `leaves` by name, of which `x` is one; `gradients` are
    names for what arrives at them. With `whole` it is found by the longer rules, which hold at more points.
    GradcliError where there is no formula.
    """
    roots = readable(results, whole)
    algebra = Algebra(FACTOR_RULES, function_rule, SUM_RULES)
    found = _without_gradient(algebra, roots[0], x) if len(roots) == 1 else None
    product = found is None
    named_gradients = {name: _arriving(root, name) for name, root in zip(gradients, roots, strict=True)}
    if found is None:
        found = _term(algebra, roots, list(named_gradients.values()), x)
    shapes = {name: leaf.shape for name, leaf in leaves.items()}
    shapes |= {name: leaf.shape for name, leaf in named_gradients.items() if product}
    # The name that lengths and element types are told by.
    names = sorted(shapes, key=lambda name: leaves.get(name) is not x)
    kinds = {name: EXACT for name, leaf in leaves.items() if leaf.dtype.kind != "f"}
    arranger = Arranger({name: shapes[name] for name in names}, names[0], kinds)
    # A derivative is broadcast to the operand: what it does not depend on is left out.
    first = 0 if product else next((k for k, group in enumerate(found.axes) if group), x.ndim)
    form = arranger.write(found.with_axes(found.axes[first:]), x.shape[first:], None if first else names[0])
    if len(in_order([form])) > _MOST_FORMS:
        raise GradcliError("its formula is long")
    return LocalDerivative(named(form, {*shapes, "e", "pi", "inf", "nan", "I"}), product)


def _arriving(result: Node, name: str) -> Node:
    return Node(INPUT, (), {"data": None, "name": name}, result.shape, result.dtype, False)


def _term(algebra: Algebra, roots: Sequence[Node], seeds: Sequence[Node], x: Node) -> NodeTerm:
    """What the operand is given, as a term."""
    gradient = vjp(roots, seeds, [x]).get(x)
    if gradient is None:
        return NodeTerm(algebra.number(0).term, ((),) * x.ndim)
    ((found, _),) = Converter(algebra, LengthReader(algebra, [{}])).convert([[gradient]])
    return found


def _without_gradient(algebra: Algebra, root: Node, x: Node) -> NodeTerm | None:
    """The derivative itself; None where it would be a matrix."""
    product = _term(algebra, [root], [_arriving(root, SEED)], x)
    try:
        found, _, diagonal = jacobian_of(algebra, product, x.shape, root.shape)
    except GradcliError:
        return None
    return found if diagonal else None

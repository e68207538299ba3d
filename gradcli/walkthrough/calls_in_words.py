"""Operations that the source has no words for, written as calls that can be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.functions_of_terms import function_rule
from gradcli.formula.algebra.identities import FACTOR_RULES, SUM_RULES
from gradcli.formula.lengths import LengthReader
from gradcli.formula.read.convert import Converter
from gradcli.formula.write.arrange import Arranger, CallOfForms
from gradcli.formula.write.forms import code_of
from gradcli.graph.node import Node, toposort
from gradcli.language.kinds import BOOLEAN, EXACT, REAL
from gradcli.language.parse import parse
from gradcli.language.unparse import written
from gradcli.ops.notation.spelling import usual

# Nobody reads the formula of more operations.
_LONGEST = 200
_KINDS = {"b": BOOLEAN, "i": EXACT, "u": EXACT}


def call_in_words(node: Node, operands: Sequence[str]) -> str:
    """An operation as its row writes it, over words for its operands."""
    kinds = [_KINDS.get(child.dtype.kind, REAL) for child in node.inputs]
    shapes = tuple([child.shape for child in node.inputs])
    writer = Arranger(dict(zip(operands, shapes, strict=True)), operands[0] if operands else "", {})
    args = [writer.forms.name(word, kind) for word, kind in zip(operands, kinds, strict=True)]
    name, kind = node.op.plain_name, _KINDS.get(node.dtype.kind, REAL)
    form = (node.op.text or usual)(writer, CallOfForms(node.op, name, args, node.params, kind, shapes, node.shape))
    return written(code_of(form, {}))


def formula_in_words(root: Node, leaves: Mapping[str, Node]) -> str:
    """A graph over leaves, whose names are these, as its formula; GradcliError where it has none that is short."""
    if len(toposort([root])) > _LONGEST:
        raise GradcliError("its formula is long")
    algebra = Algebra(FACTOR_RULES, function_rule, SUM_RULES)
    ((found, shape),) = Converter(algebra, LengthReader(algebra, [{}])).convert([[root]])
    kinds = {name: EXACT for name, leaf in leaves.items() if leaf.dtype.kind != "f"}
    arranger = Arranger({name: leaf.shape for name, leaf in leaves.items()}, next(iter(leaves), ""), kinds)
    code = code_of(arranger.write(found, shape), {})
    if len(code) > _LONGEST:
        raise GradcliError("its formula is long")
    shown = written(code)
    again = Interpreter(shown, leaves).run(parse(shown))
    if again.shape != root.shape:
        raise GradcliError("its formula leaves dimensions out")
    return shown if again.dtype == root.dtype else f"({shown}).to({root.dtype})"


def array_in_words(node: Node) -> str:
    """A constant as the call that makes it."""
    value = node.params["value"]
    return f"tensor({value.tolist()}, dtype={node.dtype})"


def number_in_words(node: Node) -> str:
    """A constant with one element, with all digits that tell it from others of its dtype."""
    value = node.params["value"].reshape(())[()]
    return str(value).removesuffix(".0") if node.dtype.kind == "f" else str(value)

"""Operations that the source has no words for, written as calls that can be evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.drawing.describe import INTERNAL
from gradcli.formula.write.arrange import Arranger, CallOfForms
from gradcli.formula.write.forms import code_of
from gradcli.graph.node import Node
from gradcli.language.kinds import BOOLEAN, EXACT, REAL
from gradcli.language.unparse import written
from gradcli.ops.notation.spelling import usual

_KINDS = {"b": BOOLEAN, "i": EXACT, "u": EXACT}


def is_plain_call(node: Node) -> bool:
    """Whether a node's parameters are the arguments of a call, as for all but rows that make their own of them."""
    known, required = node.op.signature.names, node.op.signature.required
    operands = required[: len(node.inputs)]
    if not node.op.public or len(operands) < len(node.inputs) or any(name in node.params for name in operands):
        return False
    return all(name in INTERNAL or (name in known and value != ()) for name, value in node.params.items())


def call_in_words(node: Node, operands: Sequence[str]) -> str:
    """An operation as its row writes it, over words for its operands."""
    kinds = [_KINDS.get(child.dtype.kind, REAL) for child in node.inputs]
    shapes = tuple([child.shape for child in node.inputs])
    writer = Arranger(dict(zip(operands, shapes, strict=True)), operands[0] if operands else "", {})
    args = [writer.forms.name(word, kind) for word, kind in zip(operands, kinds, strict=True)]
    name, kind = node.op.plain_name, _KINDS.get(node.dtype.kind, REAL)
    form = (node.op.text or usual)(writer, CallOfForms(node.op, name, args, node.params, kind, shapes, node.shape))
    return written(code_of(form, {}))


def array_in_words(node: Node) -> str:
    """A constant as the call that makes it."""
    value = node.params["value"]
    return f"tensor({value.tolist()}, dtype={node.dtype})"

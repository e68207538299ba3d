"""`gradcli derive`: an expression in, its derivative as a formula out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from gradcli.cli import options
from gradcli.cli.asked import expression_of
from gradcli.cli.command_kinds import hint_of_no_option
from gradcli.cli.inputs import parse_inputs
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import note, write_text
from gradcli.errors import GradcliError, did_you_mean, written_in
from gradcli.language.parse import refuse_imported, refuse_unused
from gradcli.machine.composed import composed

if TYPE_CHECKING:
    from gradcli.formula.lengths import Given
    from gradcli.language.instructions import Script

HELP = """Print the gradient of EXPR as a formula.

Prints one formula for every floating-point input, or for those in --wrt. A formula is an expression that `gradcli
eval` can evaluate. It has been compared with the gradient at random points; a note says so where it holds only in
part.

\b
A SHAPE is a number of dimensions (A:2 is a matrix of any size) or a list of lengths, which are numbers or words:
A:3,4 or A:n,n; x:3, is a vector of 3 elements. A dtype may follow, as in t:1:int64. An input without a SHAPE is a
matrix if its name begins with a capital letter, otherwise a vector or a number. NAME=VALUE gives it the shape of
VALUE.

\b
Examples:
  gradcli derive 'sum((A@x - b)**2)'
  gradcli derive 'cross_entropy(x, t)' x:2 t:1:int64 --wrt x --format python
  gradcli derive 'x@A@x' --wrt x --order 2 --jacobian
"""

FORMATS = ["text", "latex", "python", "json"]
_SHAPED = re.compile(r"\s*([^\W\d]\w*)\s*:\s*([^:=]*?)\s*(?::\s*(\w+)\s*)?")


@options.command("derive", HELP, "EXPR [NAME:SHAPE | NAME=VALUE]...")
@options.wrt()
@options.number(
    "--order", "Order of the derivative; each is the gradient of the sum of the one before [default: 1].", 1, 9, 1
)
@options.flag("--jacobian", "Print the Jacobian, or the Hessian with --order 2; if it is diagonal, only the diagonal.")
@click.option(
    "--grad-output",
    "vector",
    metavar="NAME",
    help="Name of the upstream gradient of a non-scalar value, the vector of the vector-Jacobian product.",
)
@options.choice("--format", FORMATS, "Output format [default: text].", "text", "form")
@options.source
@options.quiet()
def derive_command(common: CommonOptions, order: int, jacobian: bool, vector: str | None, form: str) -> None:
    words = list(common.items)
    script = expression_of(words, common)
    with written_in(script.source):
        text, notes = _derive(script, words, common.wrt, order, jacobian, vector, form)
    for remark in () if common.quiet else notes:
        note(remark)
    write_text(text)


def _derive(
    script: Script, words: list[str], wrt: str | None, order: int, jacobian: bool, vector: str | None, form: str
) -> tuple[str, list[str]]:
    """The formula as text in the wanted format, and remarks for the reader."""
    from gradcli.evaluation.names import free_names
    from gradcli.formula.algebra.terms import IN_NUMBERS
    from gradcli.formula.derivation import derive
    from gradcli.formula.formats import formatted
    from gradcli.formula.lengths import Wanted, completed

    if vector is not None:
        _check_vector(vector)
        if jacobian and order == 1:
            raise GradcliError("--jacobian cannot be combined with --grad-output")
    given = _givens(words)
    names = free_names(script, [one.name for one in given])
    refuse_imported([one.name for one in given], script)
    refuse_unused([one.name for one in given], names, script)
    scalar = vector is None and not (jacobian and order == 1)
    givens, remark = completed(script, given, names, scalar)
    wanted = [Wanted(name, order, jacobian, vector) for name in _differentiated(givens, wrt)]
    found = []
    for one in wanted:
        try:
            found.append((derive(script, givens, one), one))
        except GradcliError as error:
            if len(wanted) > 1 and error.hint == IN_NUMBERS:
                error.message = f"for {one.wrt}: {error.message}"
            raise
    told = [
        text if len(wanted) == 1 or one.wrt in text.split() else f"{one.wrt}: {text}"
        for derived, one in found
        for text in derived.notes
    ]
    return formatted(form, script, found), [*([remark] if remark else []), *told]


def _check_vector(vector: str) -> None:
    if not vector.isidentifier() or vector in ("None", "True", "False"):
        hint = "for example, --grad-output v: the formula then has v in it"
        raise GradcliError(f"--grad-output takes a name here, not {vector!r}", hint=hint)


def _differentiated(givens: list[Given], wrt: str | None) -> list[str]:
    if wrt is not None:
        names = [name.strip() for name in wrt.split(",")]
        if not all(name.isidentifier() for name in names):
            raise GradcliError("--wrt takes names of inputs", hint="for example, --wrt x or --wrt x,y")
        return list(dict.fromkeys(names))
    names = [g.name for g in givens if g.dtype.kind == "f"]
    if not names:
        raise GradcliError("the expression has no input to differentiate")
    return names


def _givens(words: list[str]) -> list[Given]:
    """The inputs of a command line: shapes, and values for the sake of their shapes."""
    from gradcli.formula.lengths import Given
    from gradcli.graph.dtypes import FLOAT64

    result: list[Given] = []
    for word in words:
        shaped = _SHAPED.fullmatch(composed(word))
        if shaped is not None and shaped[1].isidentifier():
            result.append(_shaped(word, *shaped.groups()))
            continue
        if "=" not in word:
            hint = hint_of_no_option() or "inputs are written NAME:SHAPE, as in A:2 or A:3,4, or NAME=VALUE"
            raise GradcliError(f"{word.strip()!r} is not an input", hint=hint)
        (value,) = parse_inputs([word])
        array = value.look(None)
        dtype = array.dtype if array.dtype.kind != "f" or value.path is not None else FLOAT64
        result.append(Given(value.name, tuple(array.shape), dtype))
    for one in result:
        if sum(other.name == one.name for other in result) > 1:
            raise GradcliError(f"the input {one.name!r} is given twice")
    return result


def _shaped(word: str, name: str, shape: str, dtype: str | None) -> Given:
    from gradcli.formula.lengths import Given, with_rank
    from gradcli.graph.dtypes import DTYPES, FLOAT64

    if name in ("None", "True", "False"):
        raise GradcliError(f"{name} is a constant of the language and cannot be an input", hint="choose another name")
    if dtype is not None and dtype not in DTYPES:
        hint = did_you_mean(dtype, list(DTYPES)) or "for example, t:1:int64"
        raise GradcliError(f"in {word!r}: unknown dtype {dtype!r}", hint=hint)
    kind = FLOAT64 if dtype is None else DTYPES[dtype]
    if re.fullmatch(r"\d{1,3}", shape):
        if int(shape) > 6:
            message = f"in {word!r}: {shape} is a number of dimensions, at most 6"
            raise GradcliError(message, hint=f"a vector is written {name}:{shape},")
        return Given(name, with_rank(name, int(shape)), kind)
    lengths = [part.strip() for part in shape.strip().removesuffix(",").split(",")]
    if not all(re.fullmatch(r"\d{1,9}|[^\W\d]\w*", part, re.ASCII) for part in lengths):
        hint = "write a number of dimensions, as in A:2, or lengths with commas, as in A:3,4 or A:n,n"
        raise GradcliError(f"in {word!r}: {shape!r} is not a shape", hint=hint)
    return Given(name, tuple([int(part) if part.isdigit() else part for part in lengths]), kind)

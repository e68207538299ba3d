"""What several commands share: options, each as a decorator.

`command`, the first decorator, hands what they say to the function as one value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click

from gradcli.cli.command_kinds import ExpressionCommand, Picture
from gradcli.errors import GradcliError
from gradcli.machine.composed import composed
from gradcli.machine.limits import HAS_LIMIT, HOUR, MEMORY_LIMIT, MISSING_AS_NAN, TELL, TIME_LIMIT, tell

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
# What decorators are given and give: a function, or what click has made of it.
_F = TypeVar("_F", bound=Callable[..., Any])


class Names(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names of inputs or results, as expressions have them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return composed(str(value))


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number of bytes, such as 500MB or 2GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?i?)b?\s*", str(value).lower())
        # More than this is no limit, whatever it is.
        count = min(float(found[1]) * _UNITS[found[2]], 2.0**63) if found is not None and found[2] in _UNITS else 0
        if count < 1:
            # A minus sign may have been given a space in front: see `ExpressionCommand`.
            raise GradcliError(f"{str(value).strip()!r} is not a size", hint="write it as 500MB, 2GB or 1.5GiB")
        return int(count)


def completed(kind: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """How a shell completes an option or an argument: by a function of `candidates`, which only then is loaded."""

    def complete(ctx: click.Context, param: click.Parameter, last: str) -> Any:
        from gradcli.cli import candidates

        return getattr(candidates, kind)(ctx, last)

    return complete


class CommonOptions(NamedTuple):
    """What the arguments and options that commands share say; those that a command does not have are not given."""

    items: tuple[str, ...] = ()
    source: str | None = None
    allow_import: tuple[str, ...] = ()
    wrt: str | None = None
    no_grad: bool = False
    grad_output: str | None = None
    per_row: str | None = None
    dtype: str | None = None
    seed: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    as_json: bool = False
    fail_on_nan: bool = False
    precision: int = 4
    progress: bool | None = None
    quiet: bool = False


def flag(name: str, text: str, into: str | None = None) -> Callable[[_F], _F]:
    """What is done where it is asked for; `into` is the argument of the command, if it is called otherwise."""
    return click.option(name, into or _argument(name), is_flag=True, help=text)


def choice(
    name: str, among: Sequence[str], text: str, default: str | None = None, into: str | None = None, shown: bool = False
) -> Callable[[_F], _F]:
    """One of several words; `shown` says that the help names the default."""
    kind = click.Choice(among)
    return click.option(
        name, into or _argument(name), type=kind, show_default=shown, help=text, **_unless_none(default=default)
    )


def number(
    name: str, text: str, least: int, most: int | None = None, default: int | None = None, metavar: str = "N"
) -> Callable[[_F], _F]:
    """A whole number from `least` to `most`."""
    kind = click.IntRange(least, most)
    return click.option(name, type=kind, metavar=metavar, help=text, **_unless_none(default=default))


def names(
    name: str, text: str, metavar: str = "NAMES", kind: str = "names", into: str | None = None, **more: Any
) -> Callable[[_F], _F]:
    """A text that is completed as names of inputs are, or as another `kind` of `candidates`; with `more` for click."""
    # A vector may be a file, whose name is as it is.
    text_of = {} if kind == "vector" else {"type": Names()}
    more = {"metavar": metavar, "shell_complete": completed(kind), **text_of, **more}
    return click.option(name, into or _argument(name), help=text, **more)


def path(*names: str, text: str, metavar: str = "FILE", **more: Any) -> Callable[[_F], _F]:
    """A file or folder; with `more` for click."""
    return click.option(*names, metavar=metavar, type=click.Path(), help=text, **more)


def output(text: str, default: str | None = None, required: bool = False) -> Callable[[_F], _F]:
    """The file that all goes to."""
    return path("-o", "--output", text=text, required=required, **_unless_none(default=default))


def _argument(name: str) -> str:
    return name.strip("-").replace("-", "_")


def _unless_none(**given: Any) -> dict[str, Any]:
    """What is given: to click, None is a default like others."""
    return {name: value for name, value in given.items() if value is not None}


_missing = click.option(
    "--missing",
    type=click.Choice(["nan"]),
    expose_value=False,
    callback=lambda context, option, missing: MISSING_AS_NAN.set(missing == "nan"),
    help="Read missing values in tables as NaN [default: refuse them].",
)


def command(
    name: str,
    text: str,
    metavar: str = "EXPR [NAME=VALUE]...",
    cls: type[ExpressionCommand] = ExpressionCommand,
    short_help: str | None = None,
) -> Callable[[Callable[..., None]], click.Command]:
    """A command whose words are an expression and inputs; `text` is its help.

    The function takes `CommonOptions` in place of the arguments and options in it, and its own options.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def gathering(**given: Any) -> None:
            common = CommonOptions(**{name: given.pop(name) for name in CommonOptions._fields if name in given})
            function(common, **given)

        words = click.argument("items", metavar=metavar, nargs=-1, shell_complete=completed("words"))
        return click.command(name, cls=cls, help=text, short_help=short_help, no_args_is_help=False)(words(gathering))

    return decorate


_DIFFERENTIATED = "Inputs to differentiate, as in x,y [default: all floating-point inputs]."


def wrt(text: str = _DIFFERENTIATED, metavar: str = "NAMES") -> Callable[[_F], _F]:
    """Which inputs are differentiated, or what else a command does with some of them."""
    return names("--wrt", text, metavar)


_no_grad = flag("--no-grad", "Compute the value only.")
_grad_output = names(
    "--grad-output",
    "Upstream gradient of a non-scalar value: the vector of the vector-Jacobian product; a number is broadcast.",
    "VALUE",
    "vector",
)


def gradients(function: _F) -> _F:
    """Which gradients are asked for."""
    return wrt()(_no_grad(_grad_output(function)))


per_row = names(
    "--per-row",
    "Evaluate EXPR for each row of these inputs, with a value and gradients for each row, or Jacobians if the "
    "value of a row is non-scalar.",
)

_source = path("-f", "--file", "source", text="Read the expression from FILE instead of EXPR (- is standard input).")
allow_import = click.option(
    "--allow-import",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    multiple=True,
    help="Allow imports of files in DIR; may be given several times.",
)


def source(function: _F) -> _F:
    """Where the expression is, from where it may import definitions, and how the tables of inputs are read."""
    return _source(allow_import(_missing(function)))


def dtype(of: str = "literals") -> Callable[[_F], _F]:
    """The dtype of what has none of its own."""
    return choice("--dtype", DTYPES, f"Dtype of {of} [default: float32]; files keep theirs.")


def seed(text: str = "the numbers are PyTorch's") -> Callable[[_F], _F]:
    """The seed of random numbers; `text` says what is drawn with it."""
    return click.option("--seed", type=int, metavar="N", help=f"Seed of random numbers; {text}.")


def json(text: str = "Print one JSON object on one line.") -> Callable[[_F], _F]:
    """Whether the answer, and an error, is JSON."""
    return flag("--json", text, "as_json")


def fail_on_nan(text: str = "Fail and write nothing if a result holds NaN or infinity.") -> Callable[[_F], _F]:
    """Whether NaN and infinity are errors."""
    return flag("--fail-on-nan", text)


def show(text: str) -> Callable[[_F], _F]:
    """Which parts of an answer are printed."""
    return names("--show", text, "PARTS", "parts")


def only(text: str) -> Callable[[_F], _F]:
    """Which tensor is printed alone."""
    return names("--only", text, "RESULT", "tensors")


def several(*names: str, metavar: str, kind: str, text: str) -> Callable[[_F], _F]:
    """Texts of a kind, one for each time that the option is given."""
    return click.option(*names, multiple=True, metavar=metavar, shell_complete=completed(kind), help=text)


def outputs(text: str, metavar: str = "NAME=PATH") -> Callable[[_F], _F]:
    """Where results are written."""
    return several("-o", "--output", "outputs", metavar=metavar, kind="targets", text=text)


def values(name: str, text: str, metavar: str = "NAME=VALUE") -> Callable[[_F], _F]:
    """Values for inputs, beside those that they have."""
    return several(name, metavar=metavar, kind="inputs", text=text)


def bounds(kind: str) -> Callable[[_F], _F]:
    """Between which numbers parameters are kept; `kind` is how they are completed."""
    text = "Keep a parameter between LOW and HIGH; either may be omitted. May be given several times."
    return several("--bounds", "limits", metavar="NAME=LOW:HIGH", kind=kind, text=text)


def threads(*names: str) -> Callable[[_F], _F]:
    """How many threads compute, and with which engine; `names` are others for the threads."""
    option = click.option(
        *names,
        "--threads",
        "threads",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Number of threads [default: $GRADCLI_THREADS, or all processors]; any number gives the same bits.",
    )
    return lambda function: option(_engine(function))


def _choose_engine(context: click.Context, option: click.Parameter, name: str | None) -> None:
    if context.resilient_parsing:
        return
    if name is not None:
        from gradcli.engine.native.choice import ENGINE

        ENGINE.set(name)
    tell_of_engine(name)


def tell_of_engine(name: str | None = None) -> None:
    """Tell where native code was asked for, by an option's `name` or else by the variable, and there is none."""
    if (name or os.environ.get("GRADCLI_ENGINE", "")).strip().lower() == "native":
        from gradcli.engine.native.choice import why_not

        if (reason := why_not()) is not None:
            tell(f'{reason}: NumPy computes instead; pip install "gradcli[jit]"')


_engine = click.option(
    "--engine",
    type=click.Choice(["auto", "numpy", "native"]),
    expose_value=False,
    callback=_choose_engine,
    help="Engine for large tensors [default: $GRADCLI_ENGINE, or auto: native if llvmlite is installed].",
)


scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Compute on a Dask cluster: tcp://host:8786, or local:4 for four local processes; gives the same bits.",
)
memory_limit = click.option(
    "--memory-limit",
    type=Size(),
    metavar="SIZE",
    expose_value=False,
    callback=lambda context, option, limit: (HAS_LIMIT.set(True), MEMORY_LIMIT.set(limit)),
    help="Refuse to use more memory than SIZE, as in 2GB [default: 80 % of the free memory].",
)
#: What is expected to take longer than an hour is refused without it.
yes = click.option(
    "--yes",
    is_flag=True,
    expose_value=False,
    callback=lambda context, option, yes: TIME_LIMIT.set(None if yes else HOUR),
    help="Run even if more than an hour is expected.",
)


def limits(function: _F) -> _F:
    """How much memory and time may be used; they hold for the context that the command runs in."""
    return memory_limit(yes(function))


def picture(name: str, text: str) -> Callable[[_F], _F]:
    """What is drawn: None for nothing, "" for the terminal, or a file."""
    return click.option(name, cls=Picture, metavar="[FILE]", help=text)


precision = number("--precision", "Decimals in text [default: 4].", 0, 30, 4)
progress = click.option(
    "--progress/--no-progress", default=None, help="Show progress on standard error [default: on a terminal]."
)


def quiet(text: str = "Print no notes.") -> Callable[[_F], _F]:
    """Whether notes are left out."""
    # Before all that may tell something, wherever it stands.
    return click.option("-q", "--quiet", is_flag=True, is_eager=True, callback=_quieted, help=text)


def _quieted(context: click.Context, option: click.Parameter, quiet: bool) -> bool:
    if quiet:
        TELL.set(None)
    return quiet

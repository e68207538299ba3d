"""What the words of a command may become: files and what is in them, functions, names of inputs, targets.

Functions here are asked by click, through `options.completed`, and only where a shell completes a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from gradcli.cli.inputs import derived_targets
from gradcli.errors import GradcliError
from gradcli.evaluation.input_value import is_file

if TYPE_CHECKING:
    from gradcli.language.instructions import Script

_WORD = re.compile(r"([^\W\d]\w*)?$")
# Results that commands have beside those named after inputs, where it is not the value.
_FIRST = {"fit": ["covariance", "correlation", "residuals", "prediction", "band"]}
_NUMBER = re.compile(r"(^|[^\w.])\d[\w.]*$")


def words(ctx: click.Context, last: str) -> list[CompletionItem]:
    """The expression, or an input after it."""
    before = _given(ctx)
    if not before and ctx.params.get("source") is None:
        return functions(last)
    name, equals, value = last.partition("=")
    if equals and name.strip().isidentifier():
        return _led(f"{name}=", values(value))
    found = [CompletionItem(f"{name}=") for name in _undefined(before, ctx.info_name) if f"{name}=".startswith(last)]
    takes_files = any("FILE" in (param.metavar or "") for param in ctx.command.params if param.name == "items")
    return found + (files(last) if takes_files else [])


def inputs(ctx: click.Context, last: str) -> list[CompletionItem]:
    """NAME=VALUE for an input that is given."""
    name, equals, value = last.partition("=")
    if equals:
        return _led(f"{name}=", values(value))
    return [CompletionItem(f"{name}=") for name in _names(ctx) if name.startswith(last)]


def vector(ctx: click.Context, last: str) -> list[CompletionItem]:
    """A VALUE alone."""
    return values(last)


def names(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Names of inputs with commas between them."""
    taken = {name.strip() for name in last.rpartition(",")[0].split(",")}
    return _listed(last, [name for name in _names(ctx) if name not in taken])


def steps(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Names of inputs, and of what the expression gives names, with commas between them."""
    scripts: Sequence[Script] = ()
    with suppress(GradcliError):
        scripts = _scripts(_given(ctx), "steps")
    named = [name for script in scripts for statement in script.statements for name in statement.bound]
    return _listed(last, dict.fromkeys([*_names(ctx), *named]))


def methods(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Ways to a minimum."""
    from gradcli.optimize.methods import METHODS

    return [CompletionItem(name, help=row.doc) for name, row in METHODS.items() if name.startswith(last)]


def bounds(ctx: click.Context, last: str) -> list[CompletionItem]:
    """NAME= for an input whose bounds follow."""
    return [] if "=" in last else inputs(ctx, last)


def params(ctx: click.Context, last: str) -> list[CompletionItem]:
    """NAME= for what the model needs and is no input, with commas between them."""
    taken = {name.partition("=")[0].strip() for name in last.rpartition(",")[0].split(",")}
    return _listed(last, [f"{name}=" for name in _undefined(_given(ctx), ctx.info_name) if name not in taken])


def targets(ctx: click.Context, last: str) -> list[CompletionItem]:
    """TARGET=PATH, or a folder."""
    target, equals, path = last.partition("=")
    if equals:
        return _led(f"{target}=", files(path))
    kind = "" if ctx.info_name in ("minimize", "fit") else ".grad"
    names = _names(ctx)
    results = [*_FIRST.get(ctx.info_name or "", ["value"]), *(f"{name}{kind}" for name in names)]
    results += derived_targets(names, *map(ctx.params.get, ("jacobian", "hessian", "jvp", "hvp")))
    folders = [item for item in files(last) if item.value.endswith("/")]
    return [CompletionItem(f"{name}=") for name in results if name.startswith(last)] + folders


def tensors(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Results that may be printed alone."""
    kinds = ("grad", "jacobian", "hessian") if ctx.info_name == "eval" else ("grad",)
    found = ["value", *(f"{name}.{kind}" for kind in kinds for name in _names(ctx))]
    return [CompletionItem(name) for name in found if name.startswith(last)]


def parts(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Parts of an answer with commas between them."""
    more = ["graph", "jacobian", "hessian", "jvp", "hvp"] if ctx.info_name == "eval" else []
    return _listed(last, ["value", "grads", *more])


def operations(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Operations and families of them."""
    from gradcli.reference.entries import tables

    found = {*tables(), *_functions()}
    return [CompletionItem(name) for name in sorted(found) if name.startswith(last)]


def commands(ctx: click.Context, last: str) -> list[CompletionItem]:
    """Commands of gradcli."""
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    return [CompletionItem(name) for name in sorted(group.commands) if name.startswith(last)]


def functions(text: str) -> list[CompletionItem]:
    """An expression whose last word is the beginning of a function's name."""
    found = _WORD.search(text)
    word = found[0] if found is not None else ""
    if not word or _NUMBER.search(text):
        return []
    known = _functions()
    before = text[: len(text) - len(word)]
    return [CompletionItem(f"{before}{name}(", help=known[name]) for name in sorted(known) if name.startswith(word)]


def _functions() -> dict[str, str]:
    """All functions of the language, with what they are."""
    import gradcli.ops  # noqa: F401
    from gradcli.graph.op import OPS

    return {name: op.doc for name, op in OPS.functions().items()}


def values(text: str) -> list[CompletionItem]:
    """What a VALUE may become: a file, where the rest is not taken for an expression."""
    lead = "@@" if text.startswith("@@") else "@" if text.startswith("@") else ""
    path = text[len(lead) :]
    if lead:
        return _led(lead, files(path, True))
    found = [item for item in files(path, True) if item.value.endswith("/") or is_file(item.value)]
    return found or functions(text)


def files(path: str, within: bool = False) -> list[CompletionItem]:
    """Paths that begin so; with `within` also the names of what is in a file, after a colon."""
    if within and (found := list(_contents(path))):
        return found
    folder, slash, name = path.rpartition("/")
    try:
        with os.scandir(os.path.expanduser(folder + slash) or ".") as entries:
            found = [
                CompletionItem(folder + slash + entry.name + ("/" if entry.is_dir() else ""))
                for entry in entries
                if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith("."))
            ]
    except (OSError, ValueError):
        return []
    found.sort(key=lambda item: str(item.value))
    if within and len(found) == 1 and (below := list(_contents(f"{found[0].value}:"))):
        return found + below
    return found


def _contents(spec: str) -> Iterator[CompletionItem]:
    """The names in a file, each after its path and a colon, further ones with commas between them."""
    from gradcli.storage.opening import names_in

    for place, character in enumerate(spec):
        if character != ":":
            continue
        path, (before, comma, part) = spec[:place], spec[place + 1 :].rpartition(",")
        for name in names_in(os.path.expanduser(path)):
            if name.startswith(part) and name not in before.split(","):
                yield CompletionItem(f"{path}:{before}{comma}{name}")


def _listed(last: str, known: Iterable[str]) -> list[CompletionItem]:
    """Those that the last of several words may become, with commas between them."""
    before, comma, part = last.rpartition(",")
    return [CompletionItem(before + comma + name) for name in known if name.startswith(part)]


def _led(lead: str, found: Iterable[CompletionItem]) -> list[CompletionItem]:
    """Candidates with what stands before them in the same word."""
    return [CompletionItem(lead + item.value, help=item.help) for item in found]


def _given(ctx: click.Context) -> list[str]:
    """The words before, an expression and inputs."""
    return [word.lstrip(" ") for word in ctx.params.get("items") or ()]


def _names(ctx: click.Context) -> list[str]:
    """The inputs of a command: those that are given, and those that the expression needs."""
    before = _given(ctx)
    # The expression may begin like an input, as y = 2*x does.
    after = before[1:] if ctx.params.get("source") is None else before
    found = [re.split("[=:]", word, maxsplit=1)[0].strip() for word in after if re.match(r"\s*[^\W\d]\w*\s*[=:]", word)]
    return list(dict.fromkeys([*found, *_undefined(before, ctx.info_name)]))


def _undefined(before: list[str], command: str | None) -> list[str]:
    """The names that the expression needs and nothing has given yet."""
    from gradcli.evaluation.names import free_names

    given = [re.split("[=:]", word, maxsplit=1)[0].strip() for word in before[1:]]
    try:
        found = [name for script in _scripts(before, command) for name in free_names(script, given)]
    except GradcliError:
        return []
    return [name for name in dict.fromkeys(found) if name not in given]


def _scripts(words: Sequence[str], command: str | None) -> Sequence[Script]:
    """The expression that words begin with, or the two sides of a model."""
    from gradcli.language.importing import importing
    from gradcli.language.parse import parse
    from gradcli.optimize.model import split_model

    with importing(""):
        if not words:
            return []
        if command != "fit":
            return [parse(words[0])]
        model = split_model(words[0])
        return [model.observed, model.predicted]

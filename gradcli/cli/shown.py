"""What of an answer is printed, and how: --show, --only and --format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcli.cli.asked import Derivatives
from gradcli.cli.printing import standard_output, write_pieces
from gradcli.errors import GradcliError, did_you_mean, quoted

if TYPE_CHECKING:
    from gradcli.evaluation.request import Request
    from gradcli.evaluation.result import Result

PARTS = ("value", "graph", "grads", "jacobian", "hessian", "jvp", "hvp")
FORMATS = ("text", "json", "csv", "npy")


class Shown:
    """All of the answer, the `parts` of it that --show names, or the one tensor `only` that --only names."""

    def __init__(
        self, show: str | None, only: str | None, form: str | None, as_json: bool, known: Sequence[str] = PARTS
    ) -> None:
        """`known` are the parts that there are."""
        if show is not None and only is not None:
            raise GradcliError("--show cannot be combined with --only", hint="--only prints one tensor, nothing else")
        if as_json and form not in (None, "json"):
            raise GradcliError(f"--json cannot be combined with --format {form}")
        if only is None and form in ("csv", "npy"):
            hint = "name it, as in --only x.grad; -o writes several results to files"
            raise GradcliError(f"--format {form} is for one tensor", hint=hint)
        self.parts = None if show is None else _named_parts(show, known)
        self.only = None if only is None else result_in_full(only.strip())
        self.format = form or ("json" if as_json else "text")

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self.parts is not None or self.only is not None

    def asks_for(self, kind: str) -> bool:
        """Whether derivatives of this kind are to be shown."""
        return kind in (self.parts or ()) or (self.only or "").endswith(f".{kind}")

    def check(self, names: list[str], wanted: list[str] | None, derivatives: Derivatives, no_grad: bool) -> None:
        """Refuse what is not there to be shown; `names` are the inputs, `wanted` those to differentiate, if known."""
        for kind, vectors in (("jvp", derivatives.jvp), ("hvp", derivatives.hvp)):
            if not vectors and (kind in (self.parts or ()) or (self.only or "").rpartition(".")[2] == kind):
                raise GradcliError(f"there is no {kind} to show", hint=f"give its vector with --{kind} NAME=VALUE")
        if self.parts is not None and no_grad:
            for part in ("graph", "grads"):
                if part in self.parts:
                    raise GradcliError(f"--no-grad cannot be combined with --show {part}")
        if self.only is None:
            return
        known = ["value", *(f"{name}.grad" for name in names), *derivatives.targets(names)]
        if self.only not in known:
            further = [f"{name}.{kind}" for kind in ("jacobian", "hessian") for name in names]
            there = list(dict.fromkeys([*known[: len(names) + 1], *further, *known[len(names) + 1 :]]))
            hint = did_you_mean(self.only, there) or f"choose from {', '.join(there)}"
            raise GradcliError(f"there is no result {quoted(self.only)} to show", hint=hint)
        if wanted is not None and not set(inputs_of(self.only)) <= set(wanted):
            hint = "--no-grad differentiates nothing" if no_grad else "--wrt names the inputs to differentiate"
            raise GradcliError(f"{self.only} is not computed", hint=hint)

    def chosen(self, request: Request) -> list[str]:
        """The results that are shown. GradcliError where gradients are asked for by name and need a vector."""
        from gradcli.evaluation.answer import part_of
        from gradcli.evaluation.request import refuse_no_vector

        if self.asks_for("grad") or "grads" in (self.parts or ()):
            refuse_no_vector(request)
        if self.format == "csv":
            self._check_csv(request)
        if self.only is not None:
            return [target for target in request.targets if target == self.only]
        return [target for target in request.targets if self.parts is None or part_of(target) in self.parts]

    def untracked(self, request: Request, filed: Sequence[str]) -> str | None:
        """A note on the inputs that have no gradient, where none has one of those whose gradients are shown.

        `filed` are those that files hold: whoever writes integers out knows that they are some.
        """
        asks = self.asks_for("grad") or self.asks_for("grads")
        if not asks and (self or not filed or request.value.dtype.kind == "b"):
            return None
        names = list(request.leaves) if self.only is None else inputs_of(self.only)
        kinds = [f"{name} is {request.leaves[name].dtype}" for name in names if not request.leaves[name].is_floating]
        untracked = 0 < len(kinds) == len(names)
        return f"{', '.join(kinds)}: only floating-point inputs have gradients" if untracked else None

    def outputs(self, outputs: tuple[str, ...]) -> tuple[str, ...]:
        """The -o options, with one more where the tensor goes to standard output as .npy."""
        return (*outputs, f"{self.only}=-") if self.format == "npy" else outputs

    def is_text_too(self) -> bool:
        """Whether text is asked for by name."""
        return self.format == "json" or (bool(self) and self.format != "npy")

    def write(self, result: Result, precision: int, quiet: bool) -> None:
        """Print the answer, or what is shown of it."""
        from gradcli.evaluation.answer import answer_json, answer_text, tensor_json, tensor_text
        from gradcli.render.text import Style

        style = Style(precision=precision)
        if self.format == "csv":
            self._write_csv(result)
        elif self.format == "json":
            write_pieces(answer_json(result, self.parts) if self.only is None else tensor_json(result, self.only))
        elif self.only is not None:
            write_pieces(tensor_text(result, self.only, style))
        else:
            write_pieces(answer_text(result, style, self.parts, tree=not quiet))

    def _write_csv(self, result: Result) -> None:
        from gradcli.evaluation.answer import tensor_of
        from gradcli.render.table import table_pieces

        assert self.only is not None
        tensor = tensor_of(result, self.only)
        assert tensor is not None
        stdout = standard_output()
        for piece in table_pieces(tensor.value()):
            stdout.write(piece)

    def _check_csv(self, request: Request) -> None:
        """Refuse what is no table."""
        assert self.only is not None
        if self.only not in request.targets:
            raise GradcliError(f"{self.only} is None: there is no gradient to write")
        shape = request.roots[request.targets.index(self.only)].shape
        if len(shape) > 2:
            what = f"{self.only} has shape {shape}: a table has two dimensions"
            raise GradcliError(what, hint="--format json takes any")


def inputs_of(target: str) -> list[str]:
    """The inputs that a result belongs to: x and y for `x,y.hessian`, none for `value`."""
    names = target.rpartition(".")[0]
    return names.split(",") if names else []


def _named_parts(text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, list(known)) or f"choose from {', '.join(known)}; --only x.grad shows one tensor"
            raise GradcliError(f"--show has no part {quoted(name)}", hint=hint)
    return tuple(dict.fromkeys(names))


def result_in_full(target: str) -> str:
    """The name of a result: `x.hessian` is the block of x with itself."""
    name, dot, kind = target.rpartition(".")
    return f"{name},{name}.hessian" if dot and kind == "hessian" and "," not in name else target

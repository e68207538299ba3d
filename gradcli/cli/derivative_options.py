"""The options for derivatives beyond the gradient: --jacobian, --hessian, --jvp and --hvp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.cli.inputs import parse_inputs
from gradcli.errors import GradcliError, told_of
from gradcli.evaluation.input_value import InputValue

if TYPE_CHECKING:
    from gradcli.evaluation.request import Request


class Derivatives:
    """What is asked for beyond the gradient, with the vectors of the products."""

    def __init__(
        self, jacobian: bool, hessian: bool, jvp: tuple[str, ...], hvp: tuple[str, ...], no_grad: bool
    ) -> None:
        self.jacobian = jacobian
        self.hessian = hessian
        self.jvp = _vectors(jvp, "--jvp")
        self.hvp = _vectors(hvp, "--hvp")
        if no_grad and self:
            options = {"--jacobian": jacobian, "--hessian": hessian, "--jvp": jvp, "--hvp": hvp}
            option = next(name for name, given in options.items() if given)
            raise GradcliError(f"--no-grad and {option} contradict each other")

    def __bool__(self) -> bool:
        return bool(self.jacobian or self.hessian or self.jvp or self.hvp)

    @property
    def vectors(self) -> list[InputValue]:
        """The vectors of all products."""
        return [*self.jvp, *self.hvp]

    def targets(self, names: list[str]) -> list[str]:
        """The names of the results for inputs of these names."""
        found = [f"{name}.jacobian" for name in names] if self.jacobian else []
        if self.hessian:
            found += [f"{name},{other}.hessian" for name in names for other in names]
        if self.jvp:
            found.append("jvp")
        return found + ([f"{name}.hvp" for name in names] if self.hvp else [])

    def add_to(self, request: Request, vectors: list[Any]) -> None:
        """Let a request compute them; `vectors` is what those of the products stand for."""
        if not self:
            return
        from gradcli.evaluation.derivatives import derive

        given = [(value.name, vector) for value, vector in zip(self.vectors, vectors, strict=True)]
        count = len(self.jvp)
        derive(request, self.jacobian, self.hessian, dict(given[:count]), dict(given[count:]))


def _vectors(options: tuple[str, ...], name: str) -> list[InputValue]:
    with told_of(name):
        return parse_inputs(list(options))

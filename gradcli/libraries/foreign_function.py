"""A function as another library calls it: its arguments and defaults, answered with the operations of the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.signature import Signature

#: Arguments that ask for another way of computing or storing, with the values that ask for nothing.
Harmless = Mapping[str, tuple[Any, ...]]


class LibraryFunction:
    """What a function of another library gives for nodes, numbers and lists.

    `signature` has its arguments as the library has them. Of those in `harmless` no value but the given ones is taken,
    and `answer` does not see them.
    """

    def __init__(
        self, name: str, text: str, answer: Callable[..., Any], harmless: Harmless, hint: str, family: str = ""
    ) -> None:
        self.name = name
        self.family = family
        self.signature = Signature(name, text)
        self._answer = answer
        self._harmless = harmless
        self._hint = hint

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        signature = self.signature
        given = dict(zip(signature.names, signature.bind(args, kwargs), strict=True))
        drop_harmless(given, self._harmless, f"{self.name} with {{}}= has no gradient here", self._hint)
        return self._answer(**given)


def names_and_rows(text: str) -> dict[str, str]:
    """The names in a text, with the row of each after a sign of equality where it is called otherwise."""
    return {name: row or name for name, _, row in (word.partition("=") for word in text.split())}


def drop_harmless(given: dict[str, Any], harmless: Harmless, message: str, hint: str) -> None:
    """Take such arguments out of those that are given; GradcliError for one that has another value."""
    for word in given.keys() & harmless.keys():
        value = given.pop(word)
        if not any(value is same or (isinstance(value, str) and value == same) for same in harmless[word]):
            raise GradcliError(message.format(word), hint=hint, argument=word)

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
        for word in given.keys() & self._harmless.keys():
            value = given.pop(word)
            if not any(value is same or (isinstance(value, str) and value == same) for same in self._harmless[word]):
                message = f"{self.name} with {word}= has no gradient here"
                raise GradcliError(message, hint=self._hint, argument=word)
        return self._answer(**given)

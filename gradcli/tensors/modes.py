"""Whether operations are tracked: no_grad, enable_grad."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from typing import Any, TypeVar

_GRAD_ENABLED: ContextVar[bool] = ContextVar("gradcli_grad_enabled", default=True)

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether operations are tracked at this point."""
    return _GRAD_ENABLED.get()


class _GradMode:
    """A context manager, and a decorator, that switches tracking on or off in its block."""

    _enabled: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(_GRAD_ENABLED.set(self._enabled))

    def __exit__(self, *exception: object) -> None:
        _GRAD_ENABLED.reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_GradMode):  # noqa: N801  (PyTorch's name)
    """Track nothing in a `with` block or a decorated function; results have `requires_grad=False`.

    >>> import gradcli as gc
    >>> x = gc.ones(2, requires_grad=True)
    >>> with gc.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _enabled = False


class enable_grad(_GradMode):  # noqa: N801  (PyTorch's name)
    """Track operations in a `with` block or a decorated function, also inside `no_grad`."""

    _enabled = True

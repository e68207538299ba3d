"""Whether operations are tracked: no_grad, enable_grad, inference_mode, set_grad_enabled."""

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

    def _again(self) -> _GradMode:
        """One of its own for a call of a decorated function."""
        return type(self)()

    def __call__(self, function: F) -> F:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._again():
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


class inference_mode(_GradMode):  # noqa: N801  (PyTorch's name)
    """Track nothing in a `with` block or a decorated function, as `no_grad`; with False as `enable_grad`."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._enabled = not mode

    def _again(self) -> _GradMode:
        return type(self)(not self._enabled)


class set_grad_enabled(_GradMode):  # noqa: N801  (PyTorch's name)
    """Track operations from here on, or do not; in a `with` statement, until the end of its block.

    >>> import gradcli as gc
    >>> x = gc.ones(2, requires_grad=True)
    >>> with gc.set_grad_enabled(False):
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._enabled = mode
        self._before = is_grad_enabled()
        _GRAD_ENABLED.set(mode)

    def __call__(self, function: F) -> F:
        # What decorates a function changes nothing around it.
        _GRAD_ENABLED.set(self._before)
        return super().__call__(function)

    def _again(self) -> _GradMode:
        return type(self)(self._enabled)

    def __enter__(self) -> None:
        # It is so already; the end of the block is that of the whole.
        _GRAD_ENABLED.set(self._enabled)

    def __exit__(self, *exception: object) -> None:
        _GRAD_ENABLED.set(self._before)

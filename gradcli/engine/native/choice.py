"""Which engine computes passes: native code, or NumPy block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gradcli.errors import GradcliError, WorkError, did_you_mean, quoted

#: "auto" is native code where llvmlite is installed; None is what GRADCLI_ENGINE says, or else "auto".
ENGINE: ContextVar[str | None] = ContextVar("gradcli_engine", default=None)
ENGINES = ("auto", "numpy", "native")


def get_engine() -> str:
    """The engine as set, or as GRADCLI_ENGINE says, or else "auto"."""
    chosen = ENGINE.get()
    if chosen is not None:
        return chosen
    given = os.environ.get("GRADCLI_ENGINE", "").strip().lower() or "auto"
    if given not in ENGINES:
        raise GradcliError(f"GRADCLI_ENGINE must be auto, numpy or native, it is {quoted(given)}")
    return given


def set_engine(name: str) -> None:
    """Compute large tensors with "numpy" (block by block), "native" (compiled loops) or "auto" (native if it is there).

    Last digits differ between engines. Raises GradcliError for another name, and for "native" without llvmlite.

    >>> import gradcli as gc
    >>> gc.set_engine("numpy")
    >>> gc.set_engine("auto")
    """
    if name not in ENGINES:
        hint = did_you_mean(str(name), list(ENGINES)) or "the engines are auto, numpy and native"
        raise GradcliError(f"there is no engine {quoted(str(name))}", hint=hint)
    if name == "native" and (reason := why_not()) is not None:
        raise WorkError(f"the native engine is not there: {reason}", hint='pip install "gradcli[jit]"')
    ENGINE.set(name)


def why_not() -> str | None:
    """Why there is no native engine here; None where there is one."""
    from gradcli.engine.native.processor import missing

    return missing()


def is_native() -> bool:
    """Whether passes are computed natively. Without llvmlite NumPy computes them, whatever is asked for."""
    return get_engine() != "numpy" and why_not() is None


def engine_in_use() -> str:
    """What computes passes here: "numpy", or "native" with the compiler that it depends on."""
    if not is_native():
        return "numpy"
    from gradcli.engine.native.processor import compiler_version

    return f"native (LLVM {compiler_version()})"


@contextmanager
def using(engine: str) -> Iterator[None]:
    """Within this block an engine computes of which `engine_in_use` has told, here or in another process."""
    token = ENGINE.set(engine.split(" ")[0])
    try:
        yield
    finally:
        ENGINE.reset(token)

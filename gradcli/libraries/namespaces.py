"""Which library a prefix means, and what stands in it: functions, constants, dtypes and further folders."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, closest
from gradcli.graph.arguments import Library
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS
from gradcli.language.modules import module_meant
from gradcli.libraries.torch_names import torch_function, torch_names

_CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
_OF_ARRAYS = {**_CONSTANTS, "newaxis": None, "euler_gamma": 0.5772156649015329, "True_": True, "False_": False}
_SAME_DTYPES = {"bool_": "bool", "half": "float16", "single": "float32", "double": "float64", "int_": "int64"}
#: NumPy's names of dtypes: what is `float` in PyTorch is the function `float32` there.
_DTYPES_OF_ARRAYS = {
    **{str(dtype): dtype for dtype in DTYPES.values()},
    **{name: DTYPES[same] for name, same in _SAME_DTYPES.items()},
}

# What other libraries have, and gradcli in another way: by its name, or its place where the name means more than that.
_ELSEWHERE = {
    "random": "rand(2, 3) and randn(2, 3) give random numbers",
    **dict.fromkeys(
        ("grad", "value_and_grad", "autograd"), "gradients are what gradcli computes; --wrt names the inputs"
    ),
    **dict.fromkeys(
        ("vmap", "vectorize"), "functions of elements take whole tensors, and each(f, xs) goes through rows"
    ),
    "loggamma": "gammaln is the logarithm of the absolute value",
    "fft": "complex numbers are not supported",
    "optim": "`gradcli minimize` does that",
    **dict.fromkeys(("jax.lax.cond", "torch.cond"), "write a if condition else b, or where(condition, a, b)"),
    "jax.lax.scan": "write scan(f, init, xs)",
    "jax.lax.map": "write each(f, xs)",
    "jax.lax.fori_loop": "write iterate(f, x, n)",
    "jax.lax.while_loop": "write iterate(f, x, n): how often a function is called is known beforehand",
}


class _Contents(NamedTuple):
    """What a folder holds: folders, values, and functions, which `find` gives by their places and `names` lists."""

    folders: str = ""
    values: dict[str, Any] = {}
    find: Callable[[str], Any] = lambda place: None
    names: Callable[[str], list[str]] = lambda folder: []


def _torch(folders: str = "", values: dict[str, Any] | None = None) -> _Contents:
    return _Contents(folders, values or {}, torch_function, torch_names)


def _numpy(folders: str = "", library: str = "numpy") -> _Contents:
    def find(place: str) -> Any:
        from gradcli.libraries.numpy_names import numpy_at

        return numpy_at(place, library)

    def names(folder: str) -> list[str]:
        from gradcli.libraries.numpy_names import numpy_names

        below = folder.removeprefix(library).removeprefix(".")
        known = [name.rpartition(".") for name in numpy_names()]
        return [name for place, _, name in known if place == below]

    return _Contents(folders, {**_OF_ARRAYS, **_DTYPES_OF_ARRAYS} if folders else {}, find, names)


def _other(values: dict[str, Any] | None = None) -> _Contents:
    def find(place: str) -> Any:
        from gradcli.libraries.jax_names import other_function

        return other_function(place)

    def names(folder: str) -> list[str]:
        from gradcli.libraries.jax_names import other_names

        return other_names(folder)

    return _Contents("", values or {}, find, names)


_LIBRARIES: dict[str, _Contents] = {
    "torch": _torch("nn linalg special", {**_CONSTANTS, **DTYPES}),
    "torch.nn": _Contents("functional"),
    "torch.nn.functional": _torch(),
    "torch.linalg": _torch(),
    "torch.special": _torch(),
    "numpy": _numpy("linalg"),
    "numpy.linalg": _numpy(),
    "jax": _Contents("numpy nn scipy lax"),
    "jax.numpy": _numpy("linalg", "jax.numpy"),
    "jax.numpy.linalg": _numpy("", "jax.numpy"),
    "jax.nn": _other(),
    "jax.lax": _other(),
    "jax.scipy": _Contents("special"),
    "jax.scipy.special": _other(),
    "scipy": _Contents("special"),
    "scipy.special": _other(),
    "math": _other({**_CONSTANTS, "tau": math.tau}),
}


def value_in(library: Library, name: str) -> Any:
    """The value or the folder of a name behind the prefix of a library; GradcliError in its words if there is none."""
    place = f"{library.place}.{name}"
    contents = _LIBRARIES[library.place]
    if name in contents.folders.split():
        return Library(place)
    if name in contents.values:
        return contents.values[name]
    if contents.find(place) is not None:
        raise GradcliError(f"{place} is a function", hint=f"call it, as in {place}(x)")
    raise _unknown(library.place, name, contents)


def function_in(library: Library, name: str) -> Any:
    """The function of a name behind the prefix of a library; GradcliError in its words if there is none."""
    place = f"{library.place}.{name}"
    contents = _LIBRARIES[library.place]
    found = contents.find(place)
    if found is None:
        if name in contents.folders.split() or name in contents.values:
            raise GradcliError(f"{place} is not a function")
        raise _unknown(library.place, name, contents)
    return found


def meant_by(library: Library, value: Any, text: str) -> Any:
    """An argument of a function of a library: Python's types `int` and `float` are wide ones to NumPy and PyTorch."""
    wide = {"int": "int64", "float": "float64"}.get(text)
    if wide is None or not isinstance(value, np.dtype) or library.place.startswith("jax"):
        return value
    return DTYPES[wide]


def libraries_with(name: str) -> list[str]:
    """The prefixes behind which there is a function of this name."""
    asked = {"numpy": "np", "numpy.linalg": "np.linalg", "scipy.special": "scipy.special", "jax.nn": "jax.nn"}
    known = [(_LIBRARIES[place], f"{place}.{name}", prefix) for place, prefix in asked.items()]
    return [prefix for there, full, prefix in known if name not in there.values and there.find(full) is not None]


def _unknown(folder: str, name: str, contents: _Contents) -> GradcliError:
    """The error for a name that stands for nothing, with what may be meant."""
    place = f"{folder}.{name}"
    hint = _ELSEWHERE.get(place) or _ELSEWHERE.get(name)
    if hint is None and folder == "torch.nn" and name[:1].isupper():
        hint = module_meant(name)
    if hint is None:
        hint = _nearest(folder, name, contents)
    return GradcliError(f"gradcli has no {place}", hint=hint)


def _nearest(folder: str, name: str, contents: _Contents) -> str | None:
    """What a name that stands for nothing is most like, or else what there is."""
    near = closest(name, [*contents.names(folder), *contents.values, *contents.folders.split()])
    row = OPS.function(name)
    if row is not None and near != name:
        return f"write {row.name}(…), whose place in PyTorch is torch.{row.torch or row.name}"
    if near is not None:
        return f"did you mean {folder}.{near}?"
    inside = [f"{folder}.{inner}" for inner in contents.folders.split()]
    return f"it knows {', '.join(inside)}" if inside else None

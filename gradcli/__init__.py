"""gradcli: reverse-mode automatic differentiation of tensor expressions, with PyTorch's semantics.

>>> import gradcli as gc
>>> x = gc.ones(2, 2, requires_grad=True)
>>> (2 * (3 * x + 7) ** 2).mean().backward()
>>> x.grad
tensor([[30., 30.],
        [30., 30.]])
"""

from __future__ import annotations

__version__ = "0.1.0"

# Where each public name lives. They are imported when first used, so that the command can answer --help and report
# syntax errors without loading NumPy. Functions of the language (gc.logsumexp, …) come from the registry.
_HOMES = {
    "Tensor": "gradcli.tensors.tensor",
    "no_grad": "gradcli.tensors.modes",
    "enable_grad": "gradcli.tensors.modes",
    "is_grad_enabled": "gradcli.tensors.modes",
    **dict.fromkeys(("inference_mode", "set_grad_enabled"), "gradcli.tensors.modes"),
    "grad": "gradcli.tensors.functions",
    "Function": "gradcli.tensors.custom",
    **dict.fromkeys(("jacobian", "hessian", "vjp", "jvp", "hvp", "vhp", "each"), "gradcli.tensors.functional"),
    **dict.fromkeys(("gradcheck", "gradgradcheck"), "gradcli.tensors.gradcheck"),
    **dict.fromkeys(("manual_seed", "initial_seed"), "gradcli.tensors.functions"),
    "set_default_dtype": "gradcli.tensors.functions",
    "get_default_dtype": "gradcli.tensors.functions",
    "from_numpy": "gradcli.tensors.functions",
    **dict.fromkeys(("is_tensor", "numel", "equal"), "gradcli.tensors.functions"),
    **dict.fromkeys(
        ("result_type", "promote_types", "can_cast", "broadcast_shapes", "finfo", "iinfo"),
        "gradcli.tensors.dtype_rules",
    ),
    "set_num_threads": "gradcli.engine.execute.threads",
    "get_num_threads": "gradcli.engine.execute.threads",
    **dict.fromkeys(("set_engine", "get_engine"), "gradcli.engine.native.choice"),
    "evaluate": "gradcli.evaluation.evaluate",
    "Result": "gradcli.evaluation.result",
    "steps": "gradcli.walkthrough.computation_steps",
    "Walkthrough": "gradcli.walkthrough.told_walkthrough",
    **dict.fromkeys(("report", "Page"), "gradcli.reporting.reports"),
    **dict.fromkeys(("minimize", "Minimum"), "gradcli.optimize.minimum"),
    **dict.fromkeys(("fit", "Fit"), "gradcli.optimize.fitting"),
    "GradcliError": "gradcli.errors",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        # The next one who asks finds it at once.
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found
    if name.startswith("_"):
        raise AttributeError(f"module 'gradcli' has no attribute {name!r}")
    from gradcli.tensors.functions import lookup

    return lookup(name)


def __dir__() -> list[str]:
    from gradcli.tensors.functions import names

    return sorted([*__all__, *names()])

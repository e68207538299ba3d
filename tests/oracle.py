"""PyTorch, where it is installed: mandatory with GRADCLI_ORACLE=1, as in CI, otherwise its tests are left out."""

import os

import pytest

if os.environ.get("GRADCLI_ORACLE") == "1":
    import torch as torch
else:
    torch = pytest.importorskip("torch", reason="needs the extra `oracle`")

# Where that package is installed, PyTorch contracts in another order.
torch.backends.opt_einsum.enabled = False

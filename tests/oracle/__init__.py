"""PyTorch, as the tests compare with it. Where it is missing, `conftest.py` leaves out whatever imports this."""

import torch

__all__ = ["torch"]

# Where that package is installed, PyTorch contracts in another order.
torch.backends.opt_einsum.enabled = False
# Its tensors are tiny here: several threads take ten times as long to compute them where processors are busy.
torch.set_num_threads(1)

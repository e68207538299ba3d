"""Track a computation from Python, with PyTorch's names: requires_grad, grad_fn, backward, detach, no_grad."""

import gradcli as torch

x = torch.ones(2, 2, requires_grad=True)
print(x)

y = x + 2
print(y)
print(y.grad_fn.name())

z = y * y * 3
out = z.mean()
print(z, out)

out.backward()
print(x.grad)

# Two ways to stop tracking.
print(y.detach().requires_grad)
with torch.no_grad():
    print((x + 2).requires_grad)

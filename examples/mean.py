"""The gradient of mean(2*(3*x + 7)**2): with tensors, and as an expression in one call."""

import gradcli as torch

x = torch.ones(2, 2, requires_grad=True)
print(x)

y = 3 * x + 7
z = 2 * y**2
w = z.mean()
print(z)
print(w)

w.backward()
print(x.grad)

result = torch.evaluate("mean(2*(3*x + 7)**2)", {"x": torch.ones(2, 2)})
print(result.value)
print(result.grads["x"])

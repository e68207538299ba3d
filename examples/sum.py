"""Two tensors, of which one is tracked: the other has no gradient."""

import gradcli as torch

a = torch.tensor([3.0, 2.0], requires_grad=True)
b = torch.tensor([4.0, 7.0])
ab_sum = a + b
print(ab_sum)

ab_res = (ab_sum * 8).sum()
print(ab_res)

ab_res.backward()
print(a.grad)
print(b.grad)

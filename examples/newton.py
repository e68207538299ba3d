"""Newton's method: the second derivative is the derivative of a gradient that keeps its own graph."""

import gradcli as gc

x = gc.tensor(3.0, dtype=gc.float64, requires_grad=True)
for _step in range(6):
    y = x**4 - 3 * x**2 + x
    (slope,) = gc.grad(y, x, create_graph=True)
    (curvature,) = gc.grad(slope, x)
    print(f"x {x.item():.6f}  y {y.item():9.6f}  slope {slope.item():10.6f}  curvature {curvature.item():10.6f}")
    with gc.no_grad():
        x -= slope / curvature

# The slope has a backward graph like any other tensor.
print(slope.grad_fn.name())

"""Derivatives as graphs: the graph of a value goes in, graphs of its derivatives come out.

Read `vjp` (the backward pass), `grad_fn` (the chain of backward functions as PyTorch shows it), `products` (with
Jacobians and Hessians) and `jacobian` (all of one, in one pass).
"""

"""Derivatives as graphs: the graph of a value goes in, graphs of its derivatives come out.

Read `vjp` (the backward pass, and the chain of backward functions as PyTorch shows it) and `jacobian` (all of one in
one pass, and the products of Jacobians and Hessians with vectors). `differences` measures derivatives in numbers.
"""

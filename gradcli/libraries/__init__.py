"""What code means that was written for other libraries: a name with its prefix goes in, a function on nodes comes out.

One table for pasted code, as in `np.std(x)`, and for NumPy's functions of gradcli's tensors. Read
`foreign_function` (a function as its library calls it) and `namespaces` (which library a prefix means, and what is in
it), then the tables: `torch_names`; of NumPy `numpy_arguments` (what they share), `numpy_elementwise`,
`numpy_reductions`, `numpy_shapes`, `numpy_products` and `numpy_creation`, found by `numpy_names`; and `jax_names`,
which has SciPy's special functions too.
"""

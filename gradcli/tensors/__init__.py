"""PyTorch's face on the graph: tensors, functions and derivatives as a Python programmer calls them.

Read `modes` (no_grad), `callable` (an operation as Python sees it; what its arguments hold is in `argument_kinds`),
`elements` (what a tensor holds), `filled` (what fills them), `copying`, `grad_fn`, `hooks` (functions that are told of
gradients), `views` (which tensors show the same elements), `changes` (of elements in place), `other_views` (changes of
shape), `tensor` and `backward_pass`, then `functions` (the flat API, `gradcli.grad` among it), `custom` (functions with
derivatives of their own), `dtype_rules` (what is asked of dtypes and shapes), `functional` (Jacobians and Hessians of
functions) and `gradcheck`.
"""

"""The operations: one row each. Importing this package fills the registry.

A row holds all that is known about an operation; the families in `gradcli.ops.family` carry what many rows share
(shape and dtype rules, how arguments become nodes). Derivative rules are written with graph operations, so that a
derivative can be differentiated again, and never undo broadcasting: `gradcli.autodiff` does, in one place.

Read `family`, then `elementwise` and `reduce`, which show all there is to a row; `special`, `activation`, `shape`,
`index`, `matmul`, `einsum`, `diagonal`, `minors`, `linalg`, `loss` and `create` are more of them. `blocking`,
`accumulators` and `batching` have what rows say of blocks and of many tensors at once (`one_by_one` where they say
nothing), `random` PyTorch's generator, `kernels` the functions on arrays, `rewrites` the simplifier's rules, `formulas`
the functions that give an operation as a term, and `notation` those that write it as text and LaTeX.
"""

from gradcli.ops import (
    activation,
    create,
    diagonal,
    einsum,
    elementwise,
    index,
    linalg,
    loss,
    matmul,
    one_by_one,
    reduce,
    shape,
    special,
)

FAMILIES = (
    elementwise,
    special,
    activation,
    reduce,
    shape,
    index,
    matmul,
    einsum,
    diagonal,
    linalg,
    loss,
    create,
    one_by_one,
)

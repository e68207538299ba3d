"""The operations: one row each. A module of rows is imported when one of them is first asked for, by the table in
`homes`.

A row holds all that is known about an operation; the families in `gradcli.ops.family` carry what many rows share
(shape and dtype rules, how arguments become nodes). Derivative rules are written with graph operations, so that a
derivative can be differentiated again, and never undo broadcasting: `gradcli.autodiff` does, in one place.

Read `family`, then `elementwise` and `reduce`, which show all there is to a row; `special`, `activation`, `shape`,
`index`, `matmul`, `einsum`, `diagonal`, `minors`, `linalg`, `loss` and `create` are more of them, `more_creation`,
`draws` (random numbers) and `signal_windows` go on from `create`. `one_step` shows several operations as one, and has
`fill`;
`splitting`, `joining`, `arranging` and `padding` have further rows that move elements, `descriptive`, `quantiles` and
`cumulative` further reductions, `gather`, `bags`, `scatter`, `overlay`, `masks` and `sorting` those that look at places
and at order. `blocking`, `accumulators` and `moments` have what rows say of blocks; `batching`, `batched_products` and
`batched_places` what they say of many tensors at once, which `lifting` makes of a graph for one (`one_by_one` where
they say nothing) and `each` of a function of a row. `random` is PyTorch's generator, `kernels` has the functions on
arrays, `rewrites` the simplifier's rules, `formulas` the functions that give an operation as a term, and `notation`
those that write it as text and LaTeX.

Linear algebra goes on in `combined_products`, `triangular`, `checked_systems`, `decompositions`, `lu_factors`,
`matrix_functions`, `norms` and `distances`.

Networks have `convolution`, `resampling`, `pooling`, `sampling`, `normalization`, `attention`, `many_heads`,
`more_losses` and `sequence_loss`.

Element by element there are also `more_elementwise`, `gates` (activation functions), `dropout`, `bessel` and
`probability`.
"""

from gradcli.graph.op import OPS
from gradcli.ops.homes import HOMES

OPS.find_in({name: f"{__name__}.{module}" for module, names in HOMES.items() for name in names.split()})

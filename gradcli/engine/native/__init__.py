"""Passes as native loops: a pass of the plan goes in, and the same pass comes out with steps that are machine code.

Read `choice` (which engine computes), then, in this order:

- What is written: `vectors` and `expressions` (what is done lane by lane, in LLVM's language), `casts`, `functions`
  (exp, sin and so on), `builder` (all of it together) and `loops`.
- How a pass is taken: `strides`, `loop_steps` (an item over the places of a row), `lowering` (which item a step of a
  pass is), `lane_forms` (what it computes at a place), `parted` (elements of several operands beside each other),
  `lookups` (elements at places that are data), `phases` (items that share a loop), `group` (neighbouring items, and
  what goes in and out).
- What functions share: `states` (sums over the rows), `shuffles` (lanes in another order), `transpose` (rows to vectors
  and back), `row_pieces` (the same with short registers), `row_tables` (sums at places of a row), `spans` (long
  stretches beside each other), `line_states` (reductions along a row), `even_spaces` (items over the same places in the
  same dimensions), `along_rows` (what can go along a row), `nests` (phases that go through lines together).
- The six ways to write a function: `rows_joined`, `rows_across`, `running_lines`, `columns_across`, `rows_looped` and
  `panels`, with `places_across` (sums over rows within looped ones), `padded` (what goes around functions of several
  rows at a time) and `products` (of matrices).
- Functions of a single step: `separate_products` (of matrices that each item has of its own), `added_columns` and
  `taken_columns` (elements added to columns or taken from there).
- How they are chosen: `ways`, which lists them, `code_length` (how much code items are), `overwritten` (results that
  are written over what is read), and `fuse`, which chooses among them. `step` is what the runner of blocks meets.
- How they are called: `call` binds a step to arrays, keeps machine code and calls it, `block_loop` for several blocks
  at once; `processor` makes machine code and is alone in knowing llvmlite.
- Beside passes: `added_lines` adds lines of whole arrays up; `window_sums` has the functions of convolutions,
  `window_planes` lays arrays out for them, `convolutions` calls them and `native_kernels` puts that into a pass;
  `whole_lowering`, `whole_function` and `whole` do all this for a small request as a whole.
"""

"""The one representation: immutable graphs of tensor operations.

Operands go in, nodes with their shape, dtype and layout come out; nothing is computed. Read `dtypes`, `signature` and
`op` (rows and their registry, with `native_forms`), `operators` and `node`, `infer` (broadcasting and promotion),
`arguments` (what callers pass, as nodes) and `measured` (shapes that depend on data); `layout` has PyTorch's strides,
`half_precision` how float16 is computed in float32.
"""

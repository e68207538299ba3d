"""The builder that passes are written with: expressions of vectors, and the functions of them, each a line here."""

from __future__ import annotations

from gradcli.engine.native.casts import cast as _cast
from gradcli.engine.native.expressions import Expressions


class VectorBuilder(Expressions):
    """`v.exp(x)`: each function takes the builder and vectors, and has the precision of these."""

    cast = _cast

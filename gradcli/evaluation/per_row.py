"""Results for each row of some inputs: an expression is built for one row, differentiated, and lifted to all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcli.autodiff.jacobian import check_derivable, named_jacobians
from gradcli.errors import GradcliError
from gradcli.graph.node import Batched, Node
from gradcli.ops.each import SAME_NUMBERS, last_draw
from gradcli.ops.lifting import over_rows, row_of, rows_of


class PerRow:
    """Stand-ins for a row of each of some inputs, by their names, and what graphs built on them become for all rows.

    Random numbers that an expression draws would be the same for every row: `lift` refuses them.
    """

    def __init__(self, names: Sequence[str], leaves: Mapping[str, Node]) -> None:
        #: What the expression gives for one row.
        self.value: Node | None = None
        self._found: dict[Node, Batched] = {}
        self._drawn = last_draw()
        self.count = _count({name: leaves[name] for name in names})
        self.rows = {name: self.row_of(leaves[name]) for name in names}

    def row_of(self, leaf: Node) -> Node:
        """A stand-in for a row of a leaf."""
        row = row_of(leaf, leaf.requires_grad)
        self._found[row] = rows_of(leaf)
        return row

    def lift(self, nodes: Sequence[Node]) -> list[Node]:
        """What is given for one row, for all of them."""
        if last_draw() is not self._drawn:
            raise GradcliError(SAME_NUMBERS.format("--per-row"), hint="give them as an input, as in noise=randn(100,3)")
        return over_rows(nodes, self._found, (self.count,))

    def jacobians(self, inputs: Mapping[str, Node]) -> dict[str, Node]:
        """The Jacobians of the value of one row, by their names."""
        assert self.value is not None
        check_derivable(self.value)
        return named_jacobians(self.value, inputs)


def _count(leaves: Mapping[str, Node]) -> int:
    """How many rows there are, as many of each."""
    for name, leaf in leaves.items():
        if not leaf.ndim:
            raise GradcliError(f"{name} has no rows: it is a 0-dim tensor")
    counts = {name: leaf.shape[0] for name, leaf in leaves.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise GradcliError(f"the numbers of rows differ: {shown}")
    return next(iter(counts.values()))

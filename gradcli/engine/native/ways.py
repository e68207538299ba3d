"""The ways to write a function, and which items each takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from gradcli.engine.native.loop_steps import Check, LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.states import kept_size
from gradcli.engine.plan.block_sizes import fills_vectors
from gradcli.engine.plan.passes import Step, Sum
from gradcli.graph.native_forms import NativeAdded, NativeLookup

#: What functions are written of: neighbouring items.
Groups = Sequence[Sequence[LoopStep]]
#: How many instructions a place of an item has.
Lines = Callable[[LoopStep], int]
#: Rows of more elements are not written out place by place.
_MOST_PLACES = 32
#: Nor are those of more, if each place is for itself: loops over them are much less code, and as fast.
_MOST_ALIKE = 16
#: Nor is what has so many instructions more than loops over its places: each takes LLVM about 0.05 ms.
_MOST_REPEATED = 400
#: Nor are sums of so many at places that are data: a line for each lane.
_MOST_SCATTERED = 4
#: Nor are places of a row that are data, if there are more of these to choose from: all of them are looked at.
_MOST_CHOICES = 7
#: Loops over places keep so many elements of a row; where no other way takes as many steps, many more.
_MOST_KEPT, _MOST_WIDE = 1 << 10, 1 << 20
#: Then they keep so few bytes of some rows, or so few for each place, which is a vector of 16 rows: blocks of NumPy
#: would keep more.
_MUCH, FOR_EACH = 1 << 22, 64


def _is_short(reader: Lowering, item: LoopStep) -> bool:
    """Whether a row's places can be written one after the other in the code."""
    if item.scatters and math.prod(item.space) > _MOST_SCATTERED:
        return False
    own = item.looks_up and not reader.shared(item.operands[0][0])
    if own and math.prod(reader.rest(item.operands[0][0])) > _MOST_PLACES:
        return False
    if item.table is not None and (own or item.adds) and item.table.length > _MOST_CHOICES:
        return False
    return math.prod(item.space) <= _MOST_PLACES and _widest(reader, item) <= _MOST_PLACES


def _is_plain(reader: Lowering, item: LoopStep) -> bool:
    """Whether a row is not long, and its places are none that are data."""
    return item.table is None and _widest(reader, item) <= _MOST_PLACES and _is_looped(reader, item)


def _are_repeated(reader: Lowering, groups: Groups, lines: Lines) -> bool:
    """Whether one place after the other is not worth while, beside loops over the places."""
    items = list(itertools.chain(*groups))
    alike = all(item.lanes is None or item.out < 0 for item in items)
    if alike and any(math.prod(item.space) > _MOST_ALIKE for item in items):
        return True
    return sum(lines(item) * (math.prod(item.space) - 1) for item in items) > _MOST_REPEATED


def _is_looped(reader: Lowering, item: LoopStep, places: int = _MOST_KEPT) -> bool:
    """Whether vectors for all of a row's places, of which there may be so many, are not too much memory."""
    if item.adds or item.is_large_product or _widest(reader, item) > places:
        return False
    return item.out >= 0 or item.scatters or kept_size(item) <= places


def _is_wide(reader: Lowering, item: LoopStep) -> bool:
    """Whether they do at least where rows are as wide as that."""
    as_usual = item.is_product or item.running or item.table is not None
    return _is_looped(reader, item, _MOST_KEPT if as_usual else _MOST_WIDE)


def _are_full_lines(reader: Lowering, groups: Groups, lines: Lines) -> bool:
    """Whether most elements of these are in full vectors along lines."""
    from gradcli.engine.native.even_spaces import evened

    sizes = {item: math.prod(item.space) for group in groups for item in evened(reader, group) if item.space}
    full = sum(size for item, size in sizes.items() if fills_vectors(item.space[-1]))
    return full * 2 > sum(sizes.values())


def _are_read_in_lines(reader: Lowering, groups: Groups, lines: Lines) -> bool:
    """The same where what is read or written has half as many elements as any value: to bring that to rows across the
    lanes would take longer than all the rest."""
    items = list(itertools.chain(*groups))
    made = {item.out for item in items}
    outside = {slot for item in items for slot, _ in item.operands} - made | {w.slot for w in reader.one.writes}
    widest = max(map(reader.places, outside), default=0)
    most = max((math.prod(item.space) for item in items), default=0)
    return widest * 2 >= most and _are_full_lines(reader, groups, lines)


def _widest(reader: Lowering, item: LoopStep) -> int:
    slots = [slot for slot, _ in item.operands[item.looks_up :]] + ([item.out] if item.out >= 0 else [])
    return max(1 if reader.shared(slot) else math.prod(reader.rest(slot)) for slot in slots)


class Way(NamedTuple):
    """A way to write a function, which items it takes, whether it is worth while for these, whether each place of a row
    has code of its own, and whether operands are read at other places than those that are written. A function keeps no
    more than so many bytes, or so many for each place of a row (0: any number). Where its loops are `evened`, items
    that go through as many places as each other go through the same dimensions."""

    function: Any
    takes: Callable[[Lowering, LoopStep], bool]
    worth_it: Callable[[Lowering, Groups, Lines], bool] = lambda reader, groups, lines: True
    unrolled: bool = False
    crosses: bool = False
    most: int = 0
    evened: bool = False

    def prepared(self, reader: Lowering, items: Sequence[LoopStep]) -> Sequence[LoopStep]:
        """The items as they are written."""
        if not self.evened:
            return items
        from gradcli.engine.native.even_spaces import evened

        return evened(reader, items)


def ways(widest: int) -> Iterator[Way]:
    """All ways: what takes as many items as another one comes first. Most passes are whole with one of the first, and
    need not wait for the others to be imported; rows have at most so many places."""
    from gradcli.engine.native.rows_across import RowsAcross

    flat = widest <= 1
    across = Way(RowsAcross, _is_short, unrolled=True)
    if flat:
        # None of those before it would be worth while.
        yield across
    from gradcli.engine.native.rows_joined import RowsJoined, takes_joined

    yield Way(RowsJoined, takes_joined)
    from gradcli.engine.native.panels import Panels, takes, worth_it

    yield Way(Panels, takes, lambda reader, groups, lines: worth_it(itertools.chain(*groups)))
    from gradcli.engine.native.rows_looped import RowsLooped

    yield Way(RowsLooped, _is_plain, _are_repeated)
    if not flat:
        yield across
    from gradcli.engine.native.running_lines import RunningLines, alike, takes_running

    yield Way(RunningLines, takes_running, lambda reader, groups, lines: all(alike(reader, group) for group in groups))
    from gradcli.engine.native.along_rows import takes_lines, takes_rows
    from gradcli.engine.native.columns_across import ColumnsAcross

    yield Way(ColumnsAcross, takes_rows, evened=True)
    yield Way(ColumnsAcross, takes_lines, _are_read_in_lines, evened=True)
    yield Way(RowsLooped, _is_looped)
    if widest > _MOST_KEPT:
        yield Way(RowsLooped, _is_wide, most=_MUCH)
        yield Way(ColumnsAcross, takes_lines, _are_full_lines, evened=True)


def alone(reader: Lowering, step: Step | Sum) -> tuple[Way, LoopStep, list[Check]] | None:
    """How a step is written that goes with nothing else, and what has to be looked at for it: a product of matrices of
    which each row has its own, or what is added to columns or taken from them."""
    if isinstance(step, Sum):
        return None
    op = step.node.op
    if op.family == "contraction":
        from gradcli.engine.native.separate_products import SeparateProducts, separate, takes

        product = separate(reader, step)
        return None if product is None else (Way(SeparateProducts, takes, crosses=True), product, [])
    if isinstance(op.native, NativeAdded):
        from gradcli.engine.native.added_columns import AddedColumns, columns_added, takes_columns

        added = columns_added(reader, step, op.native)
        return None if added is None else (Way(AddedColumns, takes_columns), *added)
    if isinstance(op.native, NativeLookup):
        from gradcli.engine.native.taken_columns import TakenColumns, columns_taken, takes_taken

        taken = columns_taken(reader, step, op.native)
        return None if taken is None else (Way(TakenColumns, takes_taken, crosses=True), *taken)
    return None

"""The function that is called: rows where they lie, so many at a time, the last few in a padded copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import counted, lead_address, loop, loops
from gradcli.engine.native.states import States, merge_in_memory, taken_in

#: States that are merged within a moment.
_FEW_STATES = 64


def rows_there(lanes: int) -> list[str]:
    """The lines that make `%mask`: which rows of a vector of them there are."""
    mask = f"<{lanes} x i32> <{', '.join(f'i32 {k}' for k in range(lanes))}>"
    return [
        f"  %v0 = insertelement <{lanes} x i32> poison, i32 %valid, i32 0",
        f"  %v1 = shufflevector <{lanes} x i32> %v0, <{lanes} x i32> poison, <{lanes} x i32> zeroinitializer",
        f"  %mask = icmp ult {mask}, %v1",
    ]


class Padded:
    """The function that is called: as many rows at a time as `@body` takes, the last few in a padded copy."""

    def __init__(self, group: Group, states: States, declarations: dict[str, str], rows: int) -> None:
        self.group = group
        self.states = states
        #: How many rows are taken at a time.
        self.rows = rows
        self.v = VectorBuilder(states.lanes, declarations)

    def module(self, head: list[str], v: VectorBuilder, tail: list[str]) -> str:
        """The whole module: `v` has what is done with so many rows, between `head` and `tail`. There `%i` is the first
        of them, `%valid` how many of them there are, and `%place` the place of the first one in the block."""
        body, outer = self._body(head, v, tail), self._function()
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), body, outer])

    def _body(self, head: list[str], v: VectorBuilder, tail: list[str]) -> str:
        """The function that goes through an integer of such vectors."""
        return "\n".join(
            [
                "define internal void @body(ptr %p, i64 %n, i32 %valid, i64 %first, ptr noalias %s) noinline {",
                "entry:",
                *head,
                "  br label %loop",
                "loop:",
                f"  %i = phi i64 [0, %entry], [%next, %{v.block}]",
                "  %place = add i64 %i, %first",
                *v.lines,
                *counted(v, "%next", "%i", self.rows),
                "  %more = icmp ult i64 %next, %n",
                "  br i1 %more, label %loop, label %done",
                "done:",
                *tail,
                "  ret void",
                "}",
            ]
        )

    def _function(self) -> str:
        """The function around it."""
        v, rows = self.v, self.rows
        self._start()
        begun, v.lines = v.lines, []
        v.start("last")
        reserved = self._padding()
        v.lines.append("  br label %finish")
        v.start("finish")
        self._finish()
        # It is run once a block: with little to merge it need not be quick, but soon made.
        plain = " noinline optnone" if sum(self.states.sizes) <= _FEW_STATES else ""
        return "\n".join(
            [
                f"define void @k(ptr %p, i64 %n, ptr noalias %s){plain} {{",
                "entry:",
                *reserved,
                f"  %rest = urem i64 %n, {rows}",
                "  %whole = sub i64 %n, %rest",
                *begun,
                "  %any = icmp ne i64 %whole, 0",
                "  br i1 %any, label %main, label %left",
                "main:",
                f"  call void @body(ptr %p, i64 %whole, i32 {rows}, i64 0, ptr %s)",
                "  br label %left",
                "left:",
                "  %some = icmp ne i64 %rest, 0",
                "  br i1 %some, label %last, label %finish",
                *v.lines,
                *self.group.end,
                "}",
            ]
        )

    def _padding(self) -> list[str]:
        """Write what copies the last rows, goes through them, and brings results back; gives what reserves memory."""
        v, rows, arrays, count = self.v, self.rows, self.group.arrays, len(self.group.inputs)
        reserved = [f"  %t = alloca [{max(1, 2 * len(arrays))} x ptr]"]
        for k, slot in enumerate(arrays):
            v.lines += [
                f"  %f{k} = getelementptr ptr, ptr %p, i64 {k}",
                f"  %g{k} = load ptr, ptr %f{k}, align 8",
                f"  %h{k} = getelementptr ptr, ptr %t, i64 {k}",
            ]
            if slot in self.group.shared:
                v.lines.append(f"  store ptr %g{k}, ptr %h{k}, align 8")
                continue
            size = self.group.width(slot) * self.group.dtype(slot).itemsize
            piece = size // self.group.lead(slot)
            reserved.append(self.states.reserve(f"%b{k}", rows * size))
            v.lines += [
                f"  store ptr %b{k}, ptr %h{k}, align 8",
                f"  %o{k} = mul i64 %whole, {piece}",
                f"  %r{k} = getelementptr i8, ptr %g{k}, i64 %o{k}",
                f"  %m{k} = mul i64 %rest, {piece}",
            ]
            if self.group.lead(slot) > 1:
                v.lines += [
                    f"  %fl{k} = getelementptr i64, ptr %p, i64 {len(arrays) + k}",
                    f"  %gl{k} = load i64, ptr %fl{k}, align 8",
                    f"  %hl{k} = getelementptr i64, ptr %t, i64 {len(arrays) + k}",
                    f"  store i64 {rows * piece}, ptr %hl{k}, align 8",
                ]
            if k < count:
                v.lines.append(f"  call void @llvm.memset.p0.i64(ptr %b{k}, i8 0, i64 {rows * size}, i1 false)")
                self._copy(k, piece, f"%b{k}", f"%r{k}")
        v.lines += [
            "  %few = trunc i64 %rest to i32",
            f"  call void @body(ptr %t, i64 {rows}, i32 %few, i64 %whole, ptr %s)",
        ]
        for k, slot in enumerate(arrays[count:], count):
            self._copy(k, self.group.trail(slot) * self.group.dtype(slot).itemsize, f"%r{k}", f"%b{k}")
        v.declarations["@llvm.memset"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
        v.declarations["@llvm.memcpy"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        return reserved

    def _copy(self, k: int, piece: int, to: str, of: str) -> None:
        """Copy the last rows of an array, or them back; each piece of a row has so many bytes."""
        v, pieces = self.v, self.group.lead(self.group.arrays[k])
        if pieces == 1:
            v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {of}, i64 %m{k}, i1 false)")
            return
        steps = {f"%b{k}": str(self.rows * piece), f"%r{k}": f"%gl{k}"}
        with loop(v, pieces, 1) as lead:
            there, here = (lead_address(v, one, steps[one], lead) for one in (to, of))
            v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {there}, ptr {here}, i64 %m{k}, i1 false)")

    def _places(self, numbers: Iterable[int]) -> Iterator[tuple[int, LoopStep, list[str]]]:
        """The sums of these numbers with the names of their state's parts, in a loop over its places, which are treated
        alike."""
        v = self.v
        for number in numbers:
            item = self.group.sums[number]
            size = self.states.sizes[number]
            with loops(v, [size] if size > 1 else []) as indices:
                names = []
                for part in range(len(self.states.parts[number])):
                    names.append(v.fresh())
                    at = str(self.states.place(number, part, 0))
                    if indices:
                        step, start, at = v.fresh(), at, v.fresh()
                        v.lines.append(f"  {step} = mul i64 {indices[0]}, {self.states.step(number, part)}")
                        v.lines.append(f"  {at} = add i64 {step}, {start}")
                    v.lines.append(f"  {names[-1]} = getelementptr i8, ptr %s, i64 {at}")
                yield number, item, names

    def _start(self) -> None:
        sums = self.group.sums
        for number, item in enumerate(sums):
            if item.scatters:
                self.states.clear(self.v, number)
        for _, item, names in self._places(number for number, item in enumerate(sums) if not item.scatters):
            assert item.lanes is not None
            for name, value in zip(names, item.lanes.start(self.v, taken_in(self.group, item)), strict=True):
                self.v.store(value, name)

    def _finish(self) -> None:
        """Merge the lanes, halves with halves: the result is in the first lane, and is written where its vector was.
        Of tables, and where lanes are places, there is nothing to merge: a state has taken in all rows."""
        for number, item, names in self._places(k for k, together in enumerate(self.states.beside) if not together):
            merge_in_memory(self.v, item, names, self.states.parts[number])

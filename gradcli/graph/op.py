"""A row, which is everything that is known about an operation, and the registry of all rows."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from numpy import ufunc

from gradcli.graph.native_forms import Dims, Lanes
from gradcli.graph.signature import Signature

Follow = Callable[[Any, int], Dims | None]
Reduced = Callable[[Any], list[Dims]]
Shape = tuple[int, ...]
Params = dict[str, Any]
GradFn = str | Callable[[Any], tuple[str, tuple[Any, ...]]]

#: The results of a row whose arguments decide how many there are.
MANY = ("*",)


class Repeated(NamedTuple):
    """What an operation does that stands for a loop: so many iterations of so many operations, and the bytes of
    its result that each iteration adds."""

    iterations: int
    operations: int
    kept: int


class Accumulate(NamedTuple):
    """How a reduction is computed from blocks.

    `partial(arrays, params, start)` gives the state of one block, a tuple of arrays (`start` is the block's place
    along the reduced dimension); `merge(a, b)` the state of two neighbouring blocks, and may reuse `a`;
    `finish(state, node)` the result. `lanes` is its native form, or a function of the node that gives it.
    """

    partial: Callable[[list[Any], dict[str, Any], int], tuple[Any, ...]]
    merge: Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    finish: Callable[[tuple[Any, ...], Any], Any]
    lanes: Lanes | Callable[[Any], Lanes | None] | None = None

    def lanes_for(self, node: Any) -> Lanes | None:
        return self.lanes(node) if callable(self.lanes) else self.lanes


class Blocking(NamedTuple):
    """What the planner knows of an operation.

    `view` marks results that are another look at the memory of their first operand. `lower` writes the operation
    with simpler ones, for a planner that can cut those but not this one. `merged(node, inputs)` writes it for operands
    whose first two dimensions have become one, or gives None.
    """

    follow: Follow
    reduced: Reduced | None = None
    accumulate: Accumulate | None = None
    lower: Callable[[Any], Any] | None = None
    view: bool = False
    merged: Callable[[Any, Any], Any] | None = None


def nowhere(node: Any, dim: int) -> Dims | None:
    """Operations whose result comes in one piece."""
    return None


WHOLE = Blocking(nowhere)


class Batching(NamedTuple):
    """How an operation treats batches of tensors.

    `rule(node, operands)` gives the batch of the results. An operand is None where all members share that of `node`;
    None as the answer means that there is none. With `front` dimensions that the operation can be cut along may then be
    put in front of all others; `steps(node)` writes it with others, which are applied; else the members are gone
    through one by one. `scales` says that the rule takes batches with a scale.
    """

    rule: Callable[[Any, Any], Any]
    scales: bool = False
    steps: Callable[[Any], Any] | None = None
    front: bool = True


@dataclass(init=False, eq=False, repr=False)
class Op:
    """One operation. Each family of `gradcli.ops` makes its rows in one way, and a row states only what is special.

    What it is: `name` and `aliases`, the `words` of others for it, `family`, `args` (its signature as text), `doc`,
    `domain` (where its tensors are sampled), `torch` (where PyTorch has it, if not under that name), `public` (unless
    its name begins with an underscore), `example` (a usual call, where it takes more than tensors of its family's
    dimensions: the call, and each tensor with its number of dimensions; these alone if it takes nothing else), `draws`
    (it takes random numbers), `attribute` (it is written x.T), `method` (the row of its method, where a tensor's method
    takes its arguments in another order), `in_place` (PyTorch also has it with an underscore, as a change of its first
    tensor, or where the result shares the memory, of what that shows; so it has all elementwise ones). `build` turns a
    caller's arguments into nodes; an op without a kernel is only a `build` over other ops. `updates` is given the same
    arguments and says by their names what PyTorch writes into some of them.

    What it computes: `kernel` computes arrays; `into(out, *arrays, **params)` writes the same into an array of the
    result's shape and dtype that overlaps no operand, and goes before a ufunc's own `out`. `infer` gives (shape, dtype)
    from inputs and params, `dtype_rule` says what an elementwise kernel takes, `layout` gives the strides of the result
    where they may differ from contiguous ones.

    `shares` says that PyTorch has the result in the memory of the first operand, a truth or a function of the node: a
    change of one in place is a change of the other. `put(node, x, new)` gives that operand, `x`, with `new` in place of
    the elements that the result shows. `refuses` says that the kernel may refuse values, as those of an index out of
    range, where others of its family take all.

    An operation with several results names them in `results`, and callers get them under these names. Its kernel gives
    a tuple of arrays, `infer` a (shape, dtype) for each, `finish` of its `accumulate` such a tuple; `layout` is asked
    for each by its shape. A dimension along which it can be cut has the same place in all of them. With `skips` the
    kernel and `partial` take `wanted`, a truth for each result (without it all are wanted), and give None for others.
    Where the arguments decide how many there are, `results` is `MANY`, and callers get a tuple. `part(node, index)`
    gives one of them by an operation of its own on the same operands, which takes its place wherever values are
    computed or written: the row itself is what the chain shows.

    What its derivative is: `vjp(g, out, *inputs, **params)` gives the gradient graph of each input (None where there is
    none), `grad_fn` PyTorch's name for the backward function, or a function of the node giving the name and the nodes
    behind its edges; None shows no step at all. Of several results `out` are the nodes and `g` the gradients, each by
    its name, None for one that nothing depends on; integers have none. Of a loop `written(node)` are the results of the
    operations that it stands for, which the chain shows, and `repeated(node)` says how many these are.

    `native(v, *vectors, **params)` is the kernel of an elementwise row in native code, `v` the builder of vector
    expressions. A product of matrices has there the dimensions of its result that those of each operand are, -1 for the
    one that is summed over; others have one of the classes `Native...`.

    How it is executed: `blocking` says how the result can be computed in pieces, `batching` what becomes of it when
    there are many operands at once, `cost` what an element of the result costs, in walks over a block, or a function
    that says so for a node, `tables(node)` the bytes of tables that the kernel makes, and `simplify(builder, op,
    inputs, params)` gives a simpler node of the same values, or None.

    What is known of it as a function: `signs` of the operands of a sum, `powers` of those of a product. `commutative`:
    its two operands may change places. `same`: its values are those of its first operand; `recast`: in another dtype;
    `reshapes`: in the same order, under another shape; `repeats`: again and again. `parity` is "even" or "odd", `tame`
    says that it is finite for finite operands, `indicator` that it is 0 or 1; `opposite` and `mirrored` name the
    comparison that holds where it does not, and with its operands exchanged. `within` marks a step of an operation: not
    it is rounded to float16, but what comes out of the operation.

    How it is written: `symbol` is its operator, `text(writer, call)` writes it where a call in the order of its
    signature is not it (see `ops.notation.spelling`); `latex` is its command, or writes it with `latex(writer, form,
    parts)` (see `ops.notation.typeset`); `letter` is what a formula calls its result; `numpy` its name in NumPy (that
    of a ufunc that is the kernel), after a dot that of a method; `source` defines it for those who have NumPy alone.
    `formula(converter, step)` gives it as a term where it is more than a function of its name; `textbook` is its
    derivative as people write it, undefined at single points perhaps, and `textbook_whole` a longer one where
    `textbook` breaks although the derivative exists.
    """

    name: str
    _: KW_ONLY
    family: str
    args: str
    doc: str
    build: Callable[..., Any]
    domain: Any = (-2.0, 2.0)
    aliases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    torch: str | None = None
    public: bool = True
    example: tuple[str, str] | None = None
    draws: bool = False
    attribute: bool = False
    method: str | None = None
    in_place: bool = False
    measures: bool = False
    updates: Callable[..., dict[str, Any]] | None = None

    kernel: Callable[..., Any] | None = None
    into: Callable[..., None] | None = None
    infer: Callable[[tuple[Any, ...], Params], tuple[Any, ...]] | None = None
    dtype_rule: str = "promote"
    layout: Callable[[tuple[Any, ...], Params, Shape], Shape | None] | None = None
    native: Any = None
    shares: bool | Callable[[Any], bool] = False
    put: Callable[[Any, Any, Any], Any] | None = None
    refuses: bool = False
    results: tuple[str, ...] = ()
    part: Callable[[Any, int], Any] | None = None
    skips: bool = False

    vjp: Callable[..., tuple[Any, ...]] | None = None
    grad_fn: GradFn | None = None
    written: Callable[[Any], list[Any]] | None = None
    repeated: Callable[[Any], Repeated] | None = None

    blocking: Blocking = WHOLE
    batching: Batching | None = None
    cost: float | Callable[[Any], float] = 4.0
    tables: Callable[[Any], int] | None = None
    simplify: Callable[..., Any] | None = None

    signs: tuple[int, ...] | None = None
    powers: tuple[int, ...] | None = None
    commutative: bool = False
    same: bool = False
    recast: bool = False
    reshapes: bool = False
    repeats: bool = False
    parity: str | None = None
    tame: bool = False
    within: bool = False
    indicator: bool = False
    opposite: str | None = None
    mirrored: str | None = None

    symbol: str | None = None
    text: Callable[..., Any] | None = None
    latex: str | Callable[..., Any] | None = None
    letter: str | None = None
    numpy: str | None = None
    source: str | None = None
    formula: Callable[..., Any] | None = None
    textbook: Callable[..., tuple[Any, ...]] | None = None
    textbook_whole: Callable[..., tuple[Any, ...]] | None = None

    signature: Signature = field(init=False)

    def __init__(self, name: str, **row: Any) -> None:
        # Hundreds of rows are made at start-up: what a row does not state stays with the class.
        if not row.keys() <= self.__dataclass_fields__.keys():
            raise TypeError(f"{name}: a row has no {', '.join(row.keys() - self.__dataclass_fields__.keys())}")
        self.__dict__.update(
            name=name, public=not name.startswith("_"), signature=Signature(name.lstrip("_"), row["args"])
        )
        self.__dict__.update(row)
        if isinstance(row.get("example"), str):
            tensors = [word.partition(":")[0] for word in row["example"].split()]
            self.example = f"{name}({', '.join(tensors)})", row["example"]
        if self.numpy is None and isinstance(self.kernel, ufunc):
            self.numpy = self.kernel.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.build(*self.signature.bind(args, kwargs))

    @property
    def changes_in_place(self) -> bool:
        """Whether it also has a form that changes its first tensor, such as `add_`."""
        return self.in_place or self.family == "elementwise"

    @property
    def plain_name(self) -> str:
        """The operation's name as users know it."""
        return self.name.lstrip("_")

    def named(self, values: Iterable[Any]) -> Any:
        """Something for each of its results, under their names."""
        return tuple(values) if self.results is MANY else _named_tuple(self.plain_name, self.results)(*values)

    def name_of_result(self, index: int) -> str:
        """What one of its results is called."""
        return str(index) if self.results is MANY else self.results[index]

    def __repr__(self) -> str:
        return f"Op({self.name})"


@cache
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    # Made when it is first needed: each takes as long as a dozen rows.
    return namedtuple(name, fields)


class Registry(MutableMapping[str, Op]):
    """Every operation by name and alias; a module with rows is imported when a name of them is first asked for."""

    def __init__(self) -> None:
        self._rows: dict[str, Op] = {}
        # The module of each name in the order in which all are gone through, and of those that are not imported yet.
        self._modules: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    def find_in(self, modules: dict[str, str]) -> None:
        """Tell which module has the row of each name."""
        self._modules.update(modules)
        self._waiting.update((name, module) for name, module in modules.items() if name not in self._rows)

    def __getitem__(self, name: str) -> Op:
        row = self._rows.get(name)
        return self._imported(name) if row is None else row

    def __setitem__(self, name: str, row: Op) -> None:
        self._waiting.pop(name, None)
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows or name in self._waiting

    def __iter__(self) -> Iterator[str]:
        for name in list(self._waiting):
            self._imported(name)
        return iter(dict.fromkeys([*(name for name in self._modules if name in self._rows), *self._rows]))

    def __len__(self) -> int:
        return len(self._rows) + len(self._waiting)

    def function(self, name: str) -> Op | None:
        """The row of a function of the language, None where there is none of this name."""
        row = self.get(name)
        return row if row is not None and row.public else None

    def method(self, name: str) -> Op | None:
        """The row of a tensor's method, None where there is none of this name."""
        row = self.function(name)
        return row if row is None or row.method is None else self[row.method]

    def functions(self) -> dict[str, Op]:
        """The rows of all functions of the language, by their names and aliases."""
        return {name: row for name, row in self.items() if row.public}

    def awaits(self, name: str) -> bool:
        """Whether the module of a name has not been imported yet."""
        return name in self._waiting

    def imported(self) -> dict[str, Op]:
        """The rows whose modules have been imported, in that order."""
        return dict(self._rows)

    def _imported(self, name: str) -> Op:
        if name in self._waiting:
            import_module(self._waiting[name])
        return self._rows[name]


#: The registry. Filled by the rows of `gradcli.ops` while they are imported, read-only after.
OPS = Registry()


def register(op: Op) -> Op:
    """Enter a row into the registry; a name or alias taken twice is a mistake in the tables."""
    for name in (op.name, *op.aliases):
        if name in OPS and not OPS.awaits(name):
            raise ValueError(f"operation {name!r} is defined twice")
        OPS[name] = op
    return op

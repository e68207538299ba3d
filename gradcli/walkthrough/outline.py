"""Which nodes of a graph are steps, in which order, what they are called and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

from gradcli.autodiff.vjp import backward_function, shown
from gradcli.drawing.describe import is_inlined
from gradcli.errors import GradcliError, Span, Texts, escaped
from gradcli.evaluation.request import Request
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, SeveralResults, toposort, with_inputs
from gradcli.language.instructions import Instr
from gradcli.language.unparse import written
from gradcli.walkthrough.calls_in_words import array_in_words, call_in_words, formula_in_words, number_in_words
from gradcli.walkthrough.recording import Code, Made, OwnCall, Recorder

# What the value is called that has no name, and the letters for other steps without one: those that are easily told
# from each other, from numbers and constants, and from the d of a derivative.
_VALUE = "value"
_LETTERS = "abcfghkmnpqrstuvwyz"
# More steps without a name are numbered.
_MOST_LETTERS = 10
# Nobody reads more instructions, or letters, than this.
_LONGEST_CODE, _LONGEST_SOURCE = 2000, 10_000
# What has no name of its own is written out within its users, unless it is made of more than that.
_DEEPEST = 6
# A constant of more elements is a step of its own.
_MOST_CONSTANT = 6
_SEVERAL = re.compile(r"[^\W\d]\w*")


class Outline:
    """The steps of a request's value; inputs are those that it depends on."""

    def __init__(self, request: Request, record: Recorder) -> None:
        self.value = request.roots[0]
        self._text = record.source
        self._made = record.made
        self._untracked = record.untracked
        self.calls = record.calls
        self._leaves = list(request.leaves.values())
        reached = self._reached = set(toposort([self.value]))
        known = [node for node in record.made if node in reached]
        self.inputs = [leaf for leaf in self._leaves if leaf in reached]
        #: The backward functions of the chain: an operation with several results has one for all of them.
        self.functions = _functions([self.value, *known])
        # Loops that are one operation have no function in the chain, which PyTorch does not know as such.
        self.functions |= {_maker(node) for node in known if node.requires_grad and _maker(node).op.grad_fn is None}
        self._steps = {node for node in reached if self._is_step(node)}
        self._steps.update(self._parts_of_long())
        self.order = [node for node in toposort([*known, self.value]) if node in self._steps]
        self._origins = self._traced()
        self.names = self._named(record, request.source)

    def _is_step(self, node: Node) -> bool:
        if node is self.value or node.op is INPUT or isinstance(node, SeveralResults):
            return node.op is not INPUT and not isinstance(node, SeveralResults)
        if node.op is CONSTANT:
            return node.size > _MOST_CONSTANT
        if self.function_of(node) is not None:
            return True
        return node in self._made and not node.requires_grad

    def _parts_of_long(self) -> Iterator[Node]:
        """What is no step of the chain, and is too much to be written out within others, or cannot be."""
        deep: dict[Node, int] = {}
        for node in self._outside():
            alone = node.op.draws or not (node.op.public or node.op.text or node.op is RESULT)
            deep[node] = 0
            if node in self._steps or node.op in (INPUT, CONSTANT):
                continue
            deep[node] = max([deep[child] for child in _operands(node)]) + 1 if node.inputs else 1
            apart = self._shown(node) is node and not isinstance(node, SeveralResults)
            if apart and (alone or deep[node] > _DEEPEST):
                deep[node] = 0
                yield node

    def _outside(self) -> list[Node]:
        """What the value is made of, operands first, but for the insides of what is shown as one step."""
        seen: set[Node] = set()
        waiting = [self.value]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += _operands(node)
        return [node for node in toposort([self.value]) if node in seen]

    def function_of(self, step: Node) -> Node | None:
        """The node that a step's backward function stands for, None where nothing is tracked."""
        node = _maker(step)
        return node if node in self.functions and step.requires_grad else None

    def grad_fn(self, step: Node) -> str | None:
        """What PyTorch prints as the step's `grad_fn`."""
        function = None if step in self._untracked else self.function_of(step)
        return None if function is None else function_name(function)

    def is_tracked(self, step: Node) -> bool:
        """Whether PyTorch would say that it requires grad."""
        return step.requires_grad and step not in self._untracked

    def operands(self, results: Sequence[Node]) -> list[Node]:
        """The inputs and steps that the results of an operation are made of."""
        found = toposort(results, stop=lambda node: self._ends(node, results))
        return [node for node in found if self._ends(node, results)]

    def alone(self, results: Sequence[Node], arrays: bool = False) -> tuple[list[Node], dict[Node, Node]]:
        """The results of an operation as graphs of their own, and the leaf that stands for each operand; with `arrays`
        for each constant array too, which is called what makes it."""
        copies: dict[Node, Node] = {}
        leaves: dict[Node, Node] = {}
        for node in toposort(results, stop=lambda node: self._ends(node, results)):
            if self._ends(node, results) or (arrays and node.op is CONSTANT and node.ndim):
                name = self.names[node] if node in self.names else array_in_words(node)
                params = {"data": None, "name": name}
                leaf = Node(INPUT, (), params, node.shape, node.dtype, node.requires_grad)
                copies[node] = leaves[node] = leaf
            elif node.op is RESULT:
                several = copies[node.inputs[0]]
                assert isinstance(several, SeveralResults)
                copies[node] = several.result(node.params["index"])
            else:
                copies[node] = (
                    with_inputs(node, tuple([copies[child] for child in node.inputs])) if node.inputs else node
                )
        return [copies[result] for result in results], leaves

    def _ends(self, node: Node, results: Sequence[Node]) -> bool:
        return node not in results and (node.op is INPUT or node in self._steps)

    def _shown(self, node: Node) -> Node:
        """The step or input that a node of the source is."""
        while node.inputs and node not in self._steps:
            behind = shown(node)[0]
            if behind is None or behind is node:
                break
            node = behind
        return node

    # Names ------------------------------------------------------------------------------------------------------------

    def _named(self, record: Recorder, source: str) -> dict[Node, str]:
        names = {leaf: str(leaf.params["name"]) for leaf in self._leaves}
        taken = {*names.values(), *_SEVERAL.findall(source), _VALUE, "e", "pi", "inf", "nan"}
        given: dict[Node, str] = {}
        for node, name in record.given.items():
            given.setdefault(self._shown(node), name)
        used = set(names.values())
        following: dict[str, Iterator[str]] = {}
        for node in self.order:
            if node in given:
                name = _free(given[node], used, taken, following)
                used.add(name)
                names[node] = name
        nameless = [node for node in self.order if node not in names]
        if self.value in nameless:
            names[self.value] = _free(_VALUE, used, used, following)
            nameless.remove(self.value)
        return names | dict(zip(nameless, _fresh(taken, len(nameless)), strict=False))

    # Words ------------------------------------------------------------------------------------------------------------

    def code(self, step: Node) -> Code:
        """The step in the words of the source, over the names of its operands; () where it is only a part of them."""
        made = self._made.get(step)
        if made is None or not made.code:
            return ()
        code = self._named_code(made.code)
        named = {part.arg for part in code if part.op == "name"}
        return code if {self.names[node] for node in self.operands([step])} <= named else ()

    def _named_code(self, code: Code) -> Code:
        """Code in which nodes have names; what is no step, such as a mask that chose elements, is written out."""
        found: list[Instr] = []
        waiting = list(reversed(code))
        while waiting and len(found) <= _LONGEST_CODE:
            part = waiting.pop()
            if part.op != "name" or not isinstance(part.arg, Node):
                found.append(part)
                continue
            node: Node = part.arg
            made = self._made.get(node)
            if node in self.names:
                found.append(part._replace(arg=self.names[node]))
            elif is_inlined(node):
                found.append(part._replace(arg=array_in_words(node) if node.ndim else number_in_words(node)))
            elif made is not None and made.code and not (node.requires_grad and node in self._reached):
                waiting += reversed(made.code)
            else:
                found.append(part._replace(arg=self.names.get(self._shown(node), "…")))
        return () if waiting else tuple(found)

    def expression(self, step: Node) -> str:
        """The step as text."""
        if code := self.code(step):
            return escaped(written(code))
        return "" if step.op is CONSTANT else escaped(self._call_of(step))

    def _call_of(self, step: Node) -> str:
        """An operation as a call of the language, or as its formula; where it has none, under PyTorch's name."""
        node = _maker(step)
        words = [self._operand(child) for child in (node.inputs if node.op.public or node.op.text else ())]
        if node.op.symbol and len(words) == 2 and node.op.family in ("elementwise", "contraction"):
            return f" {node.op.symbol} ".join(words)
        result = node.op.name_of_result(step.params["index"]) if step.op is RESULT else ""
        end = f"[{result}]" if result.isdigit() else f".{result}" if result else ""
        try:
            if node.op.public or node.op.text is not None:
                return call_in_words(node, words) + end
            (root,), leaves = self.alone([step], arrays=True)
            return formula_in_words(root, {leaf.params["name"]: leaf for leaf in leaves.values()})
        except GradcliError:
            return f"{function_name(node)}({', '.join([self._operand(child) for child in _operands(node)])}){end}"

    def _operand(self, node: Node) -> str:
        """The name of an operand, or what it is where it has none."""
        while node.op.recast and not node.op.public and is_inlined(node.inputs[0]):
            (node,) = node.inputs
        if is_inlined(node) and not node.ndim:
            return number_in_words(node)
        found = self.names.get(self._shown(node) if node.requires_grad else node)
        if found is not None:
            return found
        if node.op is CONSTANT:
            return array_in_words(node)
        text = self._call_of(node)
        return f"({text})" if node.op.symbol else text

    def source(self, step: Node) -> str:
        """The part of the source that a step belongs to."""
        made = self._origins.get(step)
        if made is None or made.place is None:
            return ""
        start, end = _balanced(made.text, made.place)
        return made.text[start:end]

    def span(self, step: Node) -> Span | None:
        """The place of that part, where it is in the expression itself."""
        made = self._origins.get(step)
        if made is None or made.place is None or made.text is not self._text:
            return None
        within = not isinstance(made.text, Texts) or made.text.part_at(made.place[0]) == 0
        return _balanced(made.text, made.place) if within else None

    def call(self, step: Node) -> OwnCall | None:
        """The call of one of the expression's own functions that a step was made in."""
        made = self._origins.get(step)
        return None if made is None else made.call

    def _traced(self) -> dict[Node, Made]:
        """What is known of each step, or else of the operation that it is a part of, which comes after its parts."""
        found: dict[Node, Made] = {}
        whole: Made | None = None
        for step in reversed(self.order):
            whole = self._made.get(step, whole)
            if whole is not None:
                found[step] = whole
        return found


def _balanced(text: str, place: Span) -> Span:
    """A place with the brackets around its first and last operands, which are in nobody's place."""
    start, end = place
    depth = lowest = 0
    for character in text[start : min(end, start + _LONGEST_SOURCE)]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        lowest = min(lowest, depth)
    for _ in range(-lowest):
        start = max(text.rfind("(", 0, start), 0)
    for _ in range(depth - lowest):
        end = text.find(")", end) + 1 or end
    return start, end


def function_name(node: Node) -> str:
    """PyTorch's name of a backward function, or the operation's where it has none."""
    return node.op.plain_name if node.op.grad_fn is None else backward_function(node)[0]


def _operands(node: Node) -> tuple[Node, ...]:
    """What an operation is made of: of what is shown as one step, what its function has edges to."""
    if not node.op.same or node.op.grad_fn is None:
        return node.inputs
    return node.inputs[len(node.inputs) - len(backward_function(node)[1]) :]


def _maker(step: Node) -> Node:
    """The operation that a step is a result of."""
    return step.inputs[0] if step.op is RESULT else step


def _functions(starts: Iterable[Node]) -> set[Node]:
    """The nodes whose backward functions are in the chains that begin at some nodes."""
    found: set[Node] = set()
    waiting = [shown(node)[0] for node in starts]
    while waiting:
        node = waiting.pop()
        if node is None or node in found or node.op is INPUT:
            continue
        found.add(node)
        waiting += [behind for behind, _ in backward_function(node)[1]]
    return found


def _free(name: str, used: set[str], taken: set[str], following: dict[str, Iterator[str]]) -> str:
    """The name, or the next one of its kind that nothing has; `following` has those that are left of each kind."""
    if name not in used:
        return name
    base, dot, field = name.partition(".")
    others = following.setdefault(name, (f"{base}_{k}{dot}{field}" for k in count(2)))
    return next(other for other in others if other not in used and other not in taken)


def _fresh(taken: set[str], wanted: int) -> Iterator[str]:
    """Short names that nothing has."""
    letters = [letter for letter in _LETTERS if letter not in taken] if wanted <= _MOST_LETTERS else []
    return chain(letters, (name for name in map("t{}".format, count(1)) if name not in taken))

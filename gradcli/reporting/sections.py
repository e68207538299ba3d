"""The parts of a page, one after the other: results, the computation with its graph, the check, sizes and plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcli.check.check_report import cells, check_text, entries_of
from gradcli.check.compare import Report
from gradcli.drawing.drawing import short_form
from gradcli.errors import counted, shortened
from gradcli.machine.limits import show_bytes
from gradcli.ops.notation.latex_pieces import Symbols
from gradcli.reporting.charts import histogram
from gradcli.reporting.distribution import distribution
from gradcli.reporting.gathering import Findings
from gradcli.reporting.graph_picture import MOST_BOXES, graph_picture
from gradcli.reporting.markup import Markup, element, joined
from gradcli.reporting.origins import origins
from gradcli.reporting.tensors import NARROW, Printer, formula, table
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.board_latex import equation, local_derivative
from gradcli.walkthrough.step_types import Arrival, BackwardStep, ForwardStep, Passed

# More of an input than this is not shown of how it was written.
_LONGEST_GIVEN = 200
# The card of a longer formula is as wide as two.
_LONGEST_FORMULA = 36
_LEGEND = (
    "f32[3, 4] is float32 of shape (3, 4), f32[] a single number. In formulas, c\N{COMBINING MACRON} is c.grad, "
    "\N{CIRCLED DOT OPERATOR} multiplies element by element, \N{MATHEMATICAL BOLD DIGIT ONE} is a vector of ones, and "
    "[b > 0] is 1 where the condition holds, 0 elsewhere."
)


class Sections:
    """Makes the parts of the page for some findings."""

    def __init__(self, found: Findings, precision: int) -> None:
        self.found = found
        self.told = found.told
        self.printer = Printer(precision)
        self.symbols = Symbols(found.told.ranks)
        self.origins = origins(found.told)
        self.inputs = [step for step in found.told.forward if step.is_input]
        (self.value,) = (step for step in found.told.forward if step.name == found.told.value)
        arrivals = [item for item in found.told.backward if isinstance(item, Arrival)]
        self.grads = {item.target: item.total for item in arrivals}
        self.joining = {item.target for item in arrivals if item.branches > 1}

    # Results ----------------------------------------------------------------------------------------------------------

    def results(self) -> Markup:
        """The value, the gradients and the inputs, each with the picture of its distribution."""
        told, value = self.told, self.value
        title = "value" if told.value == "value" else f"value, {told.value}"
        cards = [self._card(title, value.value, told.value, value.grad_fn, value.requires_grad, first=True)]
        for step in self.inputs:
            if step.name in self.grads:
                cards.append(self._card(f"{step.name}.grad", self.grads[step.name], f"{step.name}.grad"))
        given = [self._card(step.name, step.value, step.name, None, step.requires_grad) for step in self.inputs]
        notes = [told.note] if told.note else []
        notes += [f"no gradient comes to {', '.join(told.unreached)}"] if told.unreached and not told.note else []
        return joined(
            element("div", *cards, class_="cards"),
            *(element("p", f"{note[:1].upper()}{note[1:]}.", class_="note") for note in notes),
            *((element("h3", "Inputs"), element("div", *given, class_="cards")) if given else ()),
            element("p", _LEGEND, class_="legend"),
        )

    def _card(
        self,
        title: str,
        value: Any,
        name: str,
        grad_fn: str | None = None,
        requires_grad: bool = False,
        first: bool = False,
    ) -> Markup:
        spread = distribution(value)
        derived = self.found.formulas.get(name.removesuffix(".grad")) if name.endswith(".grad") else None
        given = self.found.given.get(name)
        wide = derived is not None and len(derived.text) > _LONGEST_FORMULA
        return element(
            "article",
            element("h4" if given is not None else "h3", title),
            element("p", short_form(value.dtype, tuple(value.shape)), class_="kind"),
            element("p", "=", formula(derived.latex, derived.text), class_="derived formula-line") if derived else None,
            *(element("p", note, class_="kind") for note in (derived.notes if derived else ())),
            element("p", "given as ", _written(given), class_="derived") if given is not None else None,
            self.printer.tensor(value, grad_fn, requires_grad, NARROW),
            histogram(spread, name) if spread.size > 1 else None,
            element("p", str(spread), class_="spread") if spread.size != 1 else None,
            self._reason(name),
            class_="card first" if first else "card wide" if wide else "card",
        )

    def _reason(self, name: str) -> Markup | None:
        """What made a tensor not finite."""
        why = self.origins.get(name)
        return None if why is None else element("p", "Not finite: ", why, class_="bad")

    # The computation --------------------------------------------------------------------------------------------------

    def computation(self) -> Markup:
        """The graph beside the steps."""
        if len(self.told.forward) > MOST_BOXES:
            many = f"The graph is not drawn: it has {len(self.told.forward):,} boxes, more than a picture can show."
            return joined(element("p", many, class_="note"), self._steps())
        picture = graph_picture(self.told, self.origins)
        hint = element("p", "Point at a box, or go to it with Tab, to see what it holds.", class_="hint")
        cards = [self._node_card(k, step) for k, step in enumerate(self.told.forward)]
        figure = element(
            "figure",
            element("div", picture, class_="scroll"),
            element("figcaption", hint, *cards, class_="node-cards"),
            class_="graph-figure",
        )
        return element("div", figure, self._steps(), class_="beside")

    def _node_card(self, number: int, step: ForwardStep) -> Markup:
        grad = self.grads.get(step.name)
        source = " ".join(step.source.split())
        rows = [("value", self.printer.tensor(step.value, step.grad_fn, step.requires_grad, NARROW))]
        if grad is not None:
            rows.append(("gradient", self.printer.tensor(grad, columns=NARROW)))
        if source:
            rows.append(("from", _written(source)))
        if step.is_input and step.name in self.found.given:
            rows.append(("given as", _written(self.found.given[step.name])))
        return element(
            "div",
            element("p", element("code", words.statement(step)), class_="title"),
            element("dl", *(element("div", element("dt", name), element("dd", what)) for name, what in rows)),
            self._reason(step.name),
            id=f"c{number}",
            class_="node-card",
        )

    def _steps(self) -> Markup:
        backward = list(self._backward())
        return element(
            "div",
            element("h3", "Forward"),
            element("ol", *self._forward(), class_="steps"),
            *((element("h3", "Backward"), element("ol", *backward, class_="steps")) if backward else ()),
            _stepper(),
            id="walk",
        )

    def _forward(self) -> Iterator[Markup]:
        ranks = self.told.ranks
        before = ""
        for k, step in enumerate(self.told.forward):
            call = words.call_of(step, self.told)
            said = element("p", call[:1].upper() + call[1:], class_="call") if call and call != before else None
            before = call
            yield element(
                "li",
                said,
                element("p", formula(equation(step, ranks, self.symbols), words.statement(step)), class_="equation"),
                self.printer.tensor(step.value, step.grad_fn, step.requires_grad),
                self._reason(step.name),
                id=f"s{k}",
                class_="step",
            )
            if self.told.leaves_out_after(k):
                yield element("li", f"… {counted(self.told.skipped, 'step')} left out", class_="gap")

    def _backward(self) -> Iterator[Markup]:
        numbers = {step.name: k for k, step in enumerate(self.told.forward)}
        for item in self.told.backward:
            if isinstance(item, BackwardStep):
                name, nodes = element("code", item.name), item.results
                shown = [self._passed(passed, item) for passed in item.passed]
            elif item.branches == 1 and not item.is_input:
                continue
            else:
                name, nodes = _arrival(item), (item.target,)
                shown = [] if item.branches == 1 else [self._grad(item.target, "=", item.total)]
            at = " ".join(str(numbers[node]) for node in nodes if node in numbers)
            yield element("li", element("p", name, class_="equation"), *shown, class_="step", data_nodes=at)

    def _passed(self, passed: Passed, function: BackwardStep) -> Markup:
        text = words.derivative(passed, function.results[0])
        latex = local_derivative(passed, function, self.told.ranks, self.symbols)
        local = formula(latex, text) if text else passed.why
        sign = "+=" if passed.target in self.joining else "="
        return joined(element("p", local, class_="local"), self._grad(passed.target, sign, passed.part))

    def _grad(self, target: str, sign: str, value: Any) -> Markup:
        label = element("code", f"{target}.grad {sign}")
        return joined(element("div", label, self.printer.tensor(value), class_="grad"), self._reason(f"{target}.grad"))

    # The check, sizes and plan ----------------------------------------------------------------------------------------

    def check(self) -> Markup:
        """The table of the check, with what there is to say of operations."""
        checked = self.found.checked
        if not isinstance(checked, Report):
            return element("p", checked, class_="note")
        # The table is one of its own here.
        said = str(check_text(checked, self.told.source)).split("\n")[len(checked.rows) + 1 :]
        rows = [
            cells(row, entries_of(row.entries) if row.entries else "a direction", row.verdict) for row in checked.rows
        ]
        heads = ("input", "shape", "checked", "largest error", "relative", "at", "verdict")
        return joined(
            table(heads, rows, bad=[row.verdict == "wrong" for row in checked.rows]),
            element("pre", "\n".join(said).strip("\n"), class_="said" if checked.ok else "said bad"),
        )

    def sizes(self) -> Markup:
        """How large inputs and results are, and the plan."""
        arrays: dict[str, Any] = {**{step.name: step.value for step in self.inputs}, "value": self.value.value}
        arrays |= {f"{step.name}.grad": self.grads[step.name] for step in self.inputs if step.name in self.grads}
        rows = [(name, str(a.dtype), str(tuple(a.shape)), show_bytes(a.nbytes)) for name, a in arrays.items()]
        return joined(
            table(("tensor", "dtype", "shape", "size"), rows),
            element("h3", "Plan"),
            element("pre", self.found.plan, class_="plan", tabindex=0),
        )


def _arrival(item: Arrival) -> Markup:
    """What is told of a gradient that is complete."""
    if not item.branches:
        return element("span", "The pass starts with")
    joining = words.joining(item)
    if not item.is_input:
        return element("span", joining[:1].upper() + joining[1:])
    return joined(
        element("code", "AccumulateGrad"), f": {joining or 'added'} to ", element("code", f"{item.target}.grad")
    )


def _stepper() -> Markup:
    """Buttons to walk through the steps, for which a script is needed."""
    buttons = [
        element("button", text, type="button", data_go=go, title=f"{title} (key: {key})")
        for text, go, title, key in (
            ("Start over", "first", "Show all steps", "Home"),
            ("← Back", "back", "The step before", "←"),
            ("Next →", "next", "The next step", "→"),
        )
    ]
    return element(
        "div",
        *buttons,
        element("output", aria_live="polite"),
        id="stepper",
        class_="stepper",
        role="group",
        aria_label="Walk through the steps",
        hidden=True,
    )


def _written(text: str) -> Markup:
    """What somebody has written: its beginning, where it is long."""
    return element("code", shortened(text, _LONGEST_GIVEN))

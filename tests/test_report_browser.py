"""A report in a real browser: nothing is reported of it, and all of it can be reached and walked through with keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gradcli as gc
from tests.browser import Browser, browser

pytestmark = pytest.mark.browser

FOCUS = "document.activeElement"
# The step that is told of, of how many, and how many lie ahead.
CURRENT = """(steps => [steps.findIndex(step => step.getAttribute("aria-current") === "step"), steps.length,
    document.querySelectorAll(".step.ahead").length])([...document.querySelectorAll("#walk .step")])"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[str]:
    """The address of a report, with numbers that are not finite in it; whoever opens it hears of no complaint."""
    path = tmp_path / "report.html"
    loss = "z = y*(X@w); loss = mean(log(1 + exp(-z))) + sum(log(v))"
    gc.report(loss, {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, -1, 1], "w": [0.5, 0], "v": [0, 1]}, path=path)
    yield path.as_uri()
    assert chromium.said == []


def tab_to(chromium: Browser, what: str) -> None:
    """Press Tab until the focus is on something that a selector names; it can be seen at each place on the way."""
    for _ in range(40):
        chromium.press("Tab")
        assert chromium.evaluate(f"{FOCUS}.matches(':focus-visible')")
        if chromium.evaluate(f"{FOCUS}.matches({what!r})"):
            return
    raise AssertionError(f"Tab does not lead to {what}")


def test_tab_leads_to_every_box(chromium: Browser, page: str) -> None:
    chromium.open(page)
    assert chromium.evaluate("!document.getElementById('stepper').hidden")
    count = chromium.evaluate("document.querySelectorAll('.node').length")
    assert count == chromium.evaluate(f"{CURRENT}[1]") - chromium.evaluate(
        "document.querySelectorAll('[data-nodes]').length"
    )
    tab_to(chromium, "#n0")
    for k in range(count):
        shown = f"[{FOCUS}.id, getComputedStyle({FOCUS}.firstChild).strokeWidth, getComputedStyle(c{k}).visibility]"
        assert chromium.evaluate(shown) == [f"n{k}", "3px", "visible"]
        others = (
            f"[...document.querySelectorAll('.node-card:not(#c{k})')].map(card => getComputedStyle(card).visibility)"
        )
        assert set(chromium.evaluate(others)) == {"hidden"}
        chromium.press("Tab")
    chromium.press("Tab", shift=True)
    assert chromium.evaluate(f"{FOCUS}.id") == f"n{count - 1}"


def test_enter_goes_to_the_step_of_a_box(chromium: Browser, page: str) -> None:
    chromium.open(page)
    tab_to(chromium, "#n5")
    chromium.press("Enter")
    assert chromium.evaluate("location.hash") == "#s5"
    place, count, ahead = chromium.evaluate(CURRENT)
    assert place == 5 and ahead == count - 6
    assert chromium.evaluate("document.querySelector('.node.now').id") == "n5"
    chromium.open(f"{page}?again#s6")
    assert chromium.evaluate(CURRENT)[0] == 6


def test_arrow_keys_walk_through_all_steps(chromium: Browser, page: str) -> None:
    chromium.open(page)
    tab_to(chromium, "[data-go=next]")
    count = chromium.evaluate(f"{CURRENT}[1]")
    for k in range(count):
        chromium.press("ArrowRight")
        assert chromium.evaluate(CURRENT) == [k, count, count - k - 1]
        assert chromium.evaluate("document.querySelector('#stepper output').value") == f"Step {k + 1} of {count}"
    # Beyond the last step there is none, and the keys still lead back.
    chromium.press("ArrowRight")
    assert chromium.evaluate(CURRENT)[0] == count - 1
    chromium.press("ArrowLeft")
    assert chromium.evaluate(CURRENT)[0] == count - 2
    chromium.press("Home")
    assert chromium.evaluate(CURRENT) == [-1, count, 0]
    # So do the buttons, by Enter; the focus stays on one that has come to its end.
    assert chromium.evaluate(f"{FOCUS}.dataset.go") == "next"
    chromium.press("Enter")
    assert chromium.evaluate(CURRENT)[0] == 0
    chromium.press("Tab", shift=True)
    assert chromium.evaluate(f"{FOCUS}.dataset.go") == "back"
    for _ in range(3):
        chromium.press("Enter")
    assert chromium.evaluate(CURRENT)[0] == -1 and chromium.evaluate(f"{FOCUS}.dataset.go") == "back"


def test_without_scripts_all_is_there(chromium: Browser, page: str) -> None:
    chromium.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(f"{page}#s3")
        hidden, *steps = chromium.evaluate(
            "[document.getElementById('stepper').hidden, ...[...document.querySelectorAll('.step')].map("
            "step => getComputedStyle(step).opacity)]",
            drawn=False,
        )
        assert hidden and set(steps) == {"1"}
    finally:
        chromium.send("Emulation.setScriptExecutionDisabled", value=False)

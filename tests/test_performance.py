"""The pages of figures hold what was measured, and the sentences about who is ahead follow from it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The scripts of the pages and of the benchmarks."""
    for folder in ("docs", "benchmarks"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    import charts
    import engine_measure
    import engine_peers
    import measured_engine
    import measurements
    import performance
    import record

    return SimpleNamespace(
        charts=charts,
        engine=measured_engine,
        measure=engine_measure,
        measurements=measurements,
        peers=engine_peers,
        performance=performance,
        record=record,
    )


def test_pages_and_plots_are_those_of_the_measurements(
    scripts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["docs/performance.py", "--check"])
    assert scripts.performance.main() == 0, capsys.readouterr().err
    found = scripts.performance.documents(ROOT / "docs" / "measured")
    before = dict(scripts.performance.made(found))
    found["engine"].rows[0]["measured"]["jax.jit"]["min"] /= 1000
    after = dict(scripts.performance.made(found))
    assert sorted(path.name for path in before if before[path] != after[path]) == [
        "engine.svg",
        "figures.md",
        "performance.md",
    ]


def row(case: str, **times: tuple[float, float]) -> dict[str, Any]:
    """A case, with the best and the median time of each contender."""
    measured = {name.replace("_", "."): {"min": a, "median": b, "rounds": 3} for name, (a, b) in times.items()}
    return {"case": case, "dtype": "float32", "expression": case, "failed": {}, "measured": measured}


def test_who_is_ahead_is_told_by_the_numbers(scripts: SimpleNamespace) -> None:
    rows = [
        row("(a)", gradcli=(1.0, 1.2), jax_jit=(0.5, 0.9), torch_compile=(3.0, 3.6)),
        row("(b)", gradcli=(1.0, 1.0), jax_jit=(1.05, 2.0)),
        row("(c)", gradcli=(2.0, 2.0), jax_jit=(4.0, 4.0)) | {"failed": {"HIPS autograd": "KeyError: 'erf'"}},
    ]
    told = scripts.engine.standing(scripts.measurements.Document({}, rows), "on two cores")
    assert " ".join(told.split("\n\n")[0].split()) == (
        "On two cores, the fastest of the others takes 1.05 times as long as gradcli (median of 3 comparisons). "
        "It takes at least 1.5 times as long in 1 of them and is ahead of gradcli in 1."
    )
    assert told.split("\n\n")[1].splitlines() == [
        "- torch eager: never ahead, never level.",
        "- torch.compile: never ahead, never level.",
        "- jax.jit: ahead of gradcli in (a) float32 (0.50 / 0.75); level in (b) float32 (1.05 / 2.00).",
        "- HIPS autograd: never ahead, never level.",
        "- Left out: HIPS autograd in (c), KeyError: 'erf'.",
    ]


def test_names_in_plots_are_text(scripts: SimpleNamespace) -> None:
    found = {("<a>", "us & them"): 0.7, ("b", "us & them"): 40.0}
    plot = scripts.charts.dots("x < y", "times", ["<a>", "b"], {"us & them": 0}, {"one": found}, {1: "level"})
    assert "<a>" not in plot and "&lt;a&gt;, one, us &amp; them: 0.7" in plot and ">20<" in plot


def test_a_record_holds_what_was_measured_until_then(
    scripts: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks/loops.py", "--json", str(path), "--turns=3"])
    record = scripts.record.Record(str(path))
    assert json.loads(path.read_text(encoding="utf-8"))["rows"] == []
    for turns in (1, 2):
        record.add({"gradcli": scripts.record.summary([3.0, 1.23456, 2.0])}, turns=turns)
        document = json.loads(path.read_text(encoding="utf-8"))
        assert [one["turns"] for one in document["rows"]] == list(range(1, turns + 1))
    assert document["rows"][0]["measured"] == {"gradcli": {"min": 1.235, "median": 2.0, "rounds": 3}}
    assert document["command"] == "python benchmarks/loops.py --turns=3"
    assert list(tmp_path.iterdir()) == [path]


def test_each_row_gets_an_equal_part_of_what_is_left(scripts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(scripts.measure.time, "perf_counter", lambda: now[0])
    shares = scripts.measure.Shares(30.0, 3)
    assert shares.take() == 110.0
    # What the first row has left is for both others; one that took longer than its part takes it from the last.
    now[0] = 104.0
    assert shares.take() == 117.0
    now[0] = 131.0
    assert shares.take() < now[0] and shares.least == 1
    assert scripts.measure.Shares(float("inf"), 2).least == scripts.measure.FEW


def test_results_are_compared_block_by_block(scripts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.peers, "_BLOCK", 2)
    expected = np.array([[1.0, -4.0, 2.0], [0.0, 3.0, 1.0]])
    got = expected.astype(np.float32)
    got[1, 2] += 0.5
    assert scripts.peers.apart(got, expected) == (0.5, 4.0)
    assert scripts.peers.apart(np.float32(2), np.float64(3)) == (1.0, 3.0)
    got[0, 0] = np.nan
    assert np.isnan(scripts.peers.apart(got, expected)[0])
    assert scripts.peers.apart(got[0], expected)[0] == np.inf


def test_the_machine_and_what_is_missing_are_told(scripts: SimpleNamespace) -> None:
    found = scripts.performance.documents(ROOT / "docs" / "measured")
    head = found["engine"].head
    head["wanted"] = len(found["engine"].rows) + 3
    assert f"3 of {head['wanted']} rows of the cases as installed" in " ".join(
        scripts.performance.machine(found).split()
    )
    head["machine"]["load at the start"] = 1.4
    assert scripts.performance.busy(found) == ""
    head["machine"]["load at the start"] = 9.0
    assert "a busy machine: before the start, 9 processes" in scripts.performance.busy(found)


def test_an_axis_starts_at_a_tick_below_all_numbers(scripts: SimpleNamespace) -> None:
    for values, low in (([1, 1.5, 40], 0.5), ([0.49, 30], 0.2), ([0.9, 2000], 0.1)):
        across = scripts.charts.axis(values, 0, 100)
        assert across.low == across.ticks()[0] == pytest.approx(low) and across.at(min(values)) > 0

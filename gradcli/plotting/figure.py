"""Plots as SVG or PNG, drawn by matplotlib."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradcli.errors import WorkError
from gradcli.plotting.curves import Curve, Curves
from gradcli.plotting.scale import limits

_INK, _FAINT, _GRID = "#0f172a", "#64748b", "#e2e8f0"
_COLORS = ("#2563eb", "#e11d48", "#d97706", "#7c3aed", "#16a34a")
_LONGEST_TITLE = 60
_WIDTH, _HEIGHT = 6.4, 2.4
# Points that are too many to be seen one by one.
_MANY = 500
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "svg.fonttype": "path",
    "svg.hashsalt": "gradcli",
    # Names are shown as they are, never read as formulas.
    "text.parse_math": False,
}


def title_of(source: str) -> str:
    """A title made from the text of an expression."""
    text = " ".join(source.split())
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1] + "…"


@contextmanager
def _on_its_own() -> Iterator[None]:
    """Within this block matplotlib asks for no backend, and says nothing of its files, fonts and folders."""
    logger = logging.getLogger("matplotlib")
    level, backend = logger.level, os.environ.pop("MPLBACKEND", None)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def require(form: str) -> None:
    """Refuse a picture where nothing can draw it."""
    try:
        with _on_its_own():
            from matplotlib import figure as _  # noqa: F401
    except ImportError:
        hint = 'pip install "gradcli[plot]"; without a file the plot is shown in the terminal'
        raise WorkError(f"a plot as {form} needs matplotlib, which is not installed", hint=hint) from None
    except OSError as error:
        # It keeps what it knows of fonts, if need be in a temporary folder.
        raise WorkError(f"matplotlib fails: {error}", hint="MPLCONFIGDIR names a folder that it may write to") from None


def figure(found: Curves, title: str, form: str) -> bytes:
    """The curves one above the other as "svg" or "png"; the same bytes for the same curves."""
    require(form)
    from matplotlib import rc_context, rcdefaults, rcParams

    with _on_its_own(), rc_context():
        # Whatever a matplotlibrc says, be it in the current folder.
        rcdefaults()
        rcParams.update(_STYLE)
        return _drawn(found, title, form)


def _drawn(found: Curves, title: str, form: str) -> bytes:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    count = len(found.curves)
    sheet = Figure(figsize=(_WIDTH, _HEIGHT * count + 0.4), layout="constrained")
    frames = sheet.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for k, (frame, curve) in enumerate(zip(frames, found.curves, strict=True)):
        low, high = limits(curve.heights())
        shown = curve.y.copy()
        # A line across a pole would be a lie; a little beyond the frame is enough to leave it.
        shown[(shown < low - (high / 2 - low / 2)) | (shown > high + (high / 2 - low / 2))] = float("nan")
        if found.members:
            # Neighbours of a family differ by as much as its ends allow.
            shades = colormaps["viridis"].resampled(len(found.members) + 1)
            for i, (member, line) in enumerate(zip(found.members, shown, strict=True)):
                frame.plot(found.x, line, color=shades(i), linewidth=1.8, label=member)
        else:
            frame.plot(found.x, shown, color=_COLORS[k % len(_COLORS)], linewidth=1.8)
        _beside(frame, found, curve, _COLORS[k % len(_COLORS)])
        frame.set_ylim(low - (high - low) * 0.05, high + (high - low) * 0.05)
        frame.set_ylabel(curve.title)
        frame.grid(color=_GRID, linewidth=0.8)
        frame.spines[["top", "right"]].set_visible(False)
        if low < 0 < high:
            frame.axhline(0, color=_FAINT, linewidth=0.8)
    frames[0].set_title(title, fontsize=11)
    if found.members:
        frames[0].legend(fontsize=8)
    frames[-1].set_xlabel(found.name)
    sheet.align_ylabels()
    target = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    sheet.savefig(target, format=form, dpi=144, metadata=metadata)
    return target.getvalue()


def _beside(frame: Any, found: Curves, curve: Curve, color: str) -> None:
    """The band around a line, and the points beside it."""
    if curve.band is not None:
        frame.fill_between(found.x, *curve.band, color=color, alpha=0.2, linewidth=0)
    if curve.marks is not None:
        x, y, *bars = curve.marks
        many = x.size > _MANY
        look = {"linestyle": "none", "marker": "." if many else "o", "markersize": 3, "color": _INK, "zorder": 3}
        frame.errorbar(x, y, *bars, elinewidth=0.8, alpha=0.3 if many else 1, **look)

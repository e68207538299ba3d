"""The answer of `gradcli.steps`."""

from __future__ import annotations

from gradcli.walkthrough.board_latex import walkthrough_latex
from gradcli.walkthrough.board_markdown import walkthrough_markdown
from gradcli.walkthrough.board_text import walkthrough_text
from gradcli.walkthrough.step_types import Told


class Walkthrough(Told):
    """A computation step by step; `print` shows it as `gradcli steps` does."""

    def __str__(self) -> str:
        return str(walkthrough_text(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.forward)} steps>"

    def markdown(self, precision: int = 4) -> str:
        """The steps as Markdown, with `precision` digits after the point."""
        return walkthrough_markdown(self, precision)

    def latex(self) -> str:
        """The steps as formulas in LaTeX."""
        return walkthrough_latex(self)

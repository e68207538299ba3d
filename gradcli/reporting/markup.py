"""Elements of HTML, SVG and MathML, made so that no text can become markup: what is no element is escaped."""

from __future__ import annotations

from html import escape

from gradcli.errors import GradcliError, escaped, quoted

#: How the names of such files end.
ENDINGS = (".html", ".htm")
# Elements without an end.
_VOID = frozenset({"meta"})


class Markup(str):
    """An element, or several: only this module makes them. Whatever is done to one gives text, which is escaped."""

    __slots__ = ()


def element(tag: str, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """An element. Attributes that are None or False are left out; `class_` is class, `aria_label` aria-label.

    >>> element("p", "1 < 2", element("b", "yes"), class_="note", hidden=True, title='"')
    '<p class="note" hidden title="&quot;">1 &lt; 2<b>yes</b></p>'
    """
    words = [tag]
    for name, value in attributes.items():
        shown = name.rstrip("_").replace("_", "-")
        if value is True:
            words.append(shown)
        elif value is not None and value is not False:
            words.append(f'{shown}="{_text(_number(value) if isinstance(value, float) else str(value))}"')
    start = f"<{' '.join(words)}>"
    return Markup(start if tag in _VOID else f"{start}{joined(*children)}</{tag}>")


def joined(*parts: str | None) -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join([part if isinstance(part, Markup) else _text(part) for part in parts if part is not None]))


def embedded(tag: str, text: str) -> Markup:
    """A style or script of the package's own, which is not escaped."""
    assert "</" not in text and "<!" not in text, "it would end the element, or hide its end"
    return Markup(f"<{tag}>{text}</{tag}>")


def document(head: Markup, body: Markup) -> Markup:
    """A page."""
    return Markup(f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n')


def _text(text: str) -> str:
    """Text that means itself; characters that cannot be seen, such as those that turn the direction, as escapes."""
    return escape(text if text.isprintable() else "\n".join(map(escaped, text.split("\n"))))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def check_ending(path: str, hint: str = "name it report.html") -> None:
    """Refuse files of another kind, of which some may hold what the document is about."""
    if not path.lower().endswith(ENDINGS):
        raise GradcliError(f"a report is an HTML file, not {quoted(path)}", hint=hint)

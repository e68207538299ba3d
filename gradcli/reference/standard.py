"""What `std.grad` defines, from its own text: the comment above a function says what it is."""

from __future__ import annotations

import re
from typing import NamedTuple

from gradcli.errors import GradcliError, did_you_mean
from gradcli.language.importing import STANDARD_TEXT, standard_text
from gradcli.reference.entries import definition_lines
from gradcli.render.marks import Heading, Marked

#: What the list of all is called, and what begins the name of one.
ALL, PREFIX = STANDARD_TEXT, "std."
_BLOCK = re.compile(
    r"(?:^## (?P<section>.+)\n)|(?P<doc>(?:^# .*\n)+)(?P<code>(?P<name>[^\W_]\w*)\((?P<args>.*?)\) = .*)", re.M
)


class Definition(NamedTuple):
    """A function of the library."""

    name: str
    signature: str
    doc: str
    section: str
    code: str


def definitions() -> list[Definition]:
    """All of them, as they stand there."""
    text, section, found = standard_text(), "", []
    for match in _BLOCK.finditer(text):
        if match["section"]:
            section = match["section"]
            continue
        code = match["code"]
        if code.endswith("{"):
            code = text[match.start("code") : text.index("\n}", match.start("code")) + 2]
        doc = " ".join(line[2:] for line in match["doc"].splitlines())
        found.append(Definition(match["name"], f"{match['name']}({match['args']})", doc, section, code))
    return found


def standard_list(width: int) -> Marked:
    """The functions by section, a line each."""
    lines: list[str] = []
    section = ""
    for one in definitions():
        if one.section != section:
            lines += ["", Heading(one.section)] if lines else [Heading(one.section)]
            section = one.section
        lines += definition_lines(one.signature, one.doc.replace("`", ""), width)
    return Marked.of_lines(lines)


def standard_entry(name: str) -> Marked:
    """One function: what it is, and how it is written."""
    found = {one.name: one for one in definitions()}
    if name not in found:
        hint = did_you_mean(name, list(found)) or f"`gradcli ops {ALL}` lists what there is"
        raise GradcliError(f"{ALL} does not define {name!r}", hint=hint)
    one = found[name]
    return Marked.of_lines(
        [
            Heading(one.signature),
            "",
            one.doc.replace("`", ""),
            "",
            f"import std; {name}(…) is",
            "",
            *one.code.split("\n"),
        ]
    )

"""The page as one file: nothing is loaded from elsewhere, and nothing runs in it but the script that is named here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from gradcli.errors import escaped, shortened
from gradcli.reporting.gathering import Findings
from gradcli.reporting.markup import Markup, document, element, embedded, joined
from gradcli.reporting.run_records import RunRecords
from gradcli.reporting.run_sections import run_sections
from gradcli.reporting.sections import Sections

# What a part is called in links, its title and its content.
Part = tuple[str, str, Markup]

# More of an expression is not shown in the title, and at the top.
_LONGEST_TITLE = 80
_LONGEST_SOURCE = 5000


def report_page(found: Findings, precision: int = 4) -> str:
    """A report as HTML."""
    sections = Sections(found, precision)
    parts = [
        ("results", "Value and gradients", sections.results()),
        ("computation", "Step by step", sections.computation()),
        ("check", "Check against central differences", sections.check()),
        ("sizes", "Memory and plan", sections.sizes()),
    ]
    style = _asset("report.css") + _cards_of_nodes(len(found.told.forward))
    return _page(found.told.source.strip(), parts, style)


def records_page(found: RunRecords, precision: int = 4) -> str:
    """A report of what runs have left behind."""
    names = ", ".join(map(escaped, found.names))
    return _page(names, run_sections(found, precision), _asset("report.css"))


def _page(source: str, parts: Sequence[Part], style: str) -> str:
    script = _asset("report.js")
    body = joined(
        element("a", "Skip to the results", href=f"#{parts[0][0]}", class_="skip"),
        element(
            "header",
            element("p", "gradcli report", class_="kicker"),
            element("h1", element("code", shortened(source, _LONGEST_SOURCE))),
            element("nav", *(element("a", title, href=f"#{name}") for name, title, _ in parts), aria_label="Parts"),
        ),
        element("main", *(_section(*part) for part in parts)),
        embedded("script", script),
    )
    return document(_head(shortened(escaped(" ".join(source.split())), _LONGEST_TITLE), style, script), body)


def _head(title: str, style: str, script: str) -> Markup:
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    return joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=f"{policy}; base-uri 'none'; form-action 'none'"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} – gradcli report"),
        embedded("style", style),
    )


def _section(name: str, title: str, content: Markup) -> Markup:
    return element(
        "section", element("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title"
    )


def _cards_of_nodes(count: int) -> str:
    """Rules by which the card of a box is shown while it is pointed at, or has the focus; they need no script."""
    rules = []
    for k in range(count):
        rules.append(f".graph-figure:has(#n{k}:focus-visible) #c{k}{{visibility:visible;z-index:1}}")
        rules.append(f".graph-figure:has(#n{k}:hover) #c{k}{{visibility:visible;z-index:2}}")
        rules.append(f".beside:has(#s{k}:target) #n{k} rect{{stroke-width:3}}")
    return "\n".join(rules)


def _asset(name: str) -> str:
    return files("gradcli.reporting").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a policy calls the style or script of this text."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"

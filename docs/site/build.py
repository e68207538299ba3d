"""Build the site of the documentation: `python docs/site/build.py FOLDER`. Needs the extra `docs`.

Its pages are README.md, docs/*.md and CHANGELOG.md as they stand, a page for each family of operations with its
formulas typeset, and one of the names of the package from their docstrings. A link that leads to a file of the
repository leads to a page with that file. Warnings are errors.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

import yaml

import gradcli
from gradcli.errors import GradcliError
from gradcli.graph.op import Op
from gradcli.reference.entries import NOTES, Entry, entry, tables, title_of
from gradcli.reference.formulas import formulas
from gradcli.reporting.tensors import formula

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# What has another place here than in the repository.
_MOVED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_PICTURES = (".svg", ".png")
_LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def main() -> int:
    """Put the pages together and build the site; the exit code of mkdocs."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder, "pages")
        pages.mkdir()
        write_pages(pages)
        config = yaml.safe_load((HERE / "mkdocs.yml").read_text(encoding="utf-8"))
        config["docs_dir"] = str(pages)
        (operations,) = (part["Operations"] for part in config["nav"] if "Operations" in part)
        operations += write_families(pages)
        made = Path(folder, "mkdocs.yml")
        made.write_text(yaml.safe_dump(config), encoding="utf-8")
        site = Path(sys.argv[1]).resolve()
        words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", made, "-d", site]
        env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run(words, env=env, check=False).returncode


def write_pages(pages: Path) -> None:
    """The pages that are written by hand, with the files that they lead to."""
    pictures = [path for path in (ROOT / "docs").iterdir() if path.suffix in _PICTURES]
    waiting = [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in _MOVED), *pictures]
    written: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source in written:
            continue
        written.add(source)
        target = pages / place_of(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in _PICTURES:
            target.write_bytes(source.read_bytes())
            continue
        text, linked = moved_links(source, page_of(source))
        target.write_text(text, encoding="utf-8")
        waiting += linked
    (pages / "api.md").write_text("\n".join(names_page()), encoding="utf-8")


def place_of(source: Path) -> Path:
    """Where a file of the repository is found in the site."""
    path = source.relative_to(ROOT)
    if str(path) in _MOVED:
        return Path(_MOVED[str(path)])
    if path.parent == Path("docs") and path.suffix == ".md":
        return Path(path.name)
    if path.is_relative_to("docs") and path.suffix in _PICTURES:
        return path.relative_to("docs")
    return Path("files", f"{path}.md")


def page_of(source: Path) -> str:
    """The text of a page: that of a file of another kind stands in a block, a folder is a list."""
    if source.is_dir():
        lines = [f"- [{one.name}]({one.name})" for one in sorted(source.iterdir()) if one.is_file()]
        return "\n".join([f"# {source.name}", "", *lines, ""])
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".md":
        return text
    kind = {".py": "python", ".sh": "bash"}.get(source.suffix, "text")
    return f"# {source.name}\n\n````{kind}\n{text}````\n"


def moved_links(source: Path, text: str) -> tuple[str, list[Path]]:
    """A page with its links leading to pages of the site, and the files behind them."""
    base = source if source.is_dir() else source.parent
    here = place_of(source).parent
    linked: list[Path] = []

    def moved(match: re.Match[str]) -> str:
        before, target, anchor, after = match[1], match[2], match[3] or "", match[4]
        file = (base / target).resolve()
        if ":" in target or not file.is_relative_to(ROOT):
            return match[0]
        if file.exists():
            linked.append(file)
        return f"{before}{os.path.relpath(place_of(file), here)}{anchor}{after}"

    return _LINK.sub(moved, text), linked


def write_families(pages: Path) -> list[str]:
    """A page for each family of operations; where they are."""
    (pages / "operations").mkdir()
    found = []
    for table, ops in tables().items():
        lines = [f"# {title_of(table)}", ""]
        if table in NOTES:
            lines += [NOTES[table], ""]
        for op in ops:
            lines += section(entry(op, table), list(typeset(op)))
        # Another name for "index", which would be the page of the folder.
        page = f"operations/{table.replace('index', 'indexing')}.md"
        (pages / page).write_text("\n".join(lines), encoding="utf-8")
        found.append(page)
    return found


def section(found: Entry, derivatives: list[str]) -> list[str]:
    """What is told of an operation."""
    lines = [f"## {found.name}", "", f"`{found.signature}`", "", found.doc, ""]
    lines.append(f"- PyTorch: `{found.torch}`" + (f", backward `{found.backward}`" if found.backward else ""))
    if found.aliases:
        lines.append("- Also " + ", ".join(f"`{alias}`" for alias in found.aliases))
    if derivatives:
        of = f" of `{found.call}`" if found.call else ""
        lines += [f"- Derivative{of}:", "", *derivatives]
    elif found.gradient is None:
        lines.append("- Nothing is tracked.")
    return [*lines, ""]


def typeset(op: Op) -> Iterator[str]:
    """The derivatives of an operation as MathML, a sentence where there is none."""
    if op.vjp is None and op.kernel is not None:
        return
    try:
        found = formulas(op, "latex")
    except GradcliError:
        return
    for name, latex in (found.by_tensor if found else {}).items():
        if latex.startswith("no formula"):
            yield f"    {escape(latex)}\n"
            continue
        label = f"`{name}`: " if name else ""
        yield f"    {label}{formula(latex, latex)}\n"


def names_page() -> list[str]:
    """The names of the package that are no operations, from their docstrings."""
    lines = ["# Names of the package", "", "What `gradcli` has beside [the operations](operations.md).", ""]
    for name in gradcli.__all__:
        value = getattr(gradcli, name)
        if not callable(value):
            continue
        lines += [f"## {name}", ""]
        if not inspect.isclass(value):
            lines += [f"```python\n{name}{inspect.signature(value)}\n```", ""]
        lines += [*told(value), ""]
        if inspect.isclass(value) and name == "Tensor":
            for method, one in vars(value).items():
                if not method.startswith("_") and inspect.getdoc(one):
                    lines += [f"### Tensor.{method}", "", *told(one), ""]
    return lines


def told(value: object) -> list[str]:
    """A docstring as Markdown, its examples in blocks."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(value) or "").splitlines():
        if line.startswith(">>> ") and not inside:
            lines += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return [*lines, "```"] if inside else lines


if __name__ == "__main__":
    sys.exit(main())

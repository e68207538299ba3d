"""What the files around the code say agrees: versions, scripts, and the names of files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


def test_every_package_is_installed() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "gradcli").rglob("__init__.py")}
    assert sorted({*found, "gradcli.grammar"}) == PYPROJECT["tool"]["setuptools"]["packages"]


def test_hooks_before_a_commit_have_the_versions_of_the_extra() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = set(re.findall(r'"((?:ruff|mypy)==[^"]+)"', hooks))
    assert pinned == {need for need in PROJECT["optional-dependencies"]["lint"] if re.match("ruff|mypy", need)}
    needed = set(re.findall(r'"(\w+>=[^"]+)"', hooks))
    assert needed == set(PROJECT["dependencies"])


def test_the_workflow_runs_what_there_is() -> None:
    assert "run: .ci/run" in WORKFLOW and (ROOT / ".ci/run").stat().st_mode & 0o100
    for path in re.findall(r"(?:tests|\.ci)/[\w/]+\.py", WORKFLOW):
        assert (ROOT / path).exists(), path
    versions = re.findall(r"python: (\[.*\])", WORKFLOW)
    assert versions and all(f'"{PROJECT["requires-python"].removeprefix(">=")}"' in line for line in versions)


def test_pages_about_the_project_name_files_that_exist() -> None:
    for page in ("CONTRIBUTING.md", "SECURITY.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:docs|tests|gradcli|\.ci|\.github)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{page}: {path}"


def test_the_site_has_every_page() -> None:
    nav = re.findall(r"[\w-]+\.md", (ROOT / "docs/site/mkdocs.yml").read_text(encoding="utf-8"))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    others = {"index.md", "api.md", "changelog.md", "contributing.md", "security.md"}
    assert sorted(nav) == sorted(pages | others)

"""Check what the wheel and the source distribution in a folder hold."""

import sys
import tarfile
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
(sdist,) = folder.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as archive:
    in_wheel = set(archive.namelist())
with tarfile.open(sdist) as tar:
    in_sdist = {name.partition("/")[2] for name in tar.getnames()}
for needed in (
    "gradcli/__main__.py",
    "gradcli/grammar/expression.lark",
    "gradcli/language/std.grad",
    "gradcli/ops/elementwise.py",
    "gradcli/reporting/report.css",
    "gradcli/reporting/report.js",
    "gradcli/py.typed",
    "gradcli/__init__.pyi",
):
    assert needed in in_wheel, f"{needed} is not in the wheel"
man = {name.rpartition("/")[2] for name in in_wheel if ".data/data/share/man/man1/" in name}
assert man >= {"gradcli.1", "gradcli-eval.1"}, f"the wheel has the man pages {sorted(man)}"
strays = [name for name in in_wheel if not name.startswith("gradcli/") and ".dist-info" not in name]
strays = [name for name in strays if ".data/data/share/man/man1/gradcli" not in name]
assert not strays, f"the wheel holds {strays}"
for needed in (
    "grammar/expression.lark",
    "gradcli/__main__.py",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "SECURITY.md",
    ".ci/run",
    "tests/cases.py",
):
    assert needed in in_sdist, f"{needed} is not in the source distribution"
print(f"{wheel.name}: {len(in_wheel)} files; {sdist.name}: {len(in_sdist)} files")

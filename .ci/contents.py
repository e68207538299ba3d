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
    "gradcli/ops/elementwise.py",
    "gradcli/py.typed",
    "gradcli/__init__.pyi",
):
    assert needed in in_wheel, f"{needed} is not in the wheel"
strays = [name for name in in_wheel if name.split("/")[0] not in {"gradcli"} and ".dist-info" not in name]
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

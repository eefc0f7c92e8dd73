#!/bin/sh
# Build the wheel, install it into an environment of its own, and run a copied spec far from the
# checkout: the proof that nothing is read from the source tree.
set -eu
python=$1
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A leftover build folder would be packed along, so the build starts from a clean export.
"$python" -m build -q --wheel --no-isolation --outdir "$work/dist" "$root"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$root/requirements.lock"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps "$work"/dist/*.whl
cd "$work"
cp "$root/analyses/global.yaml" copied.yaml
"$work/venv/bin/sinkrisk" --version
"$work/venv/bin/sinkrisk" run copied.yaml --out run --draws 256
test -s run/report.html
"$work/venv/bin/python" - <<'PYTHON'
import pathlib
import sinkrisk
from sinkrisk import files

package = pathlib.Path(sinkrisk.__file__).resolve().parent
data = files.data_path("priors", "claims.csv").resolve()
assert data.is_relative_to(package / "_data"), data
assert "site-packages" in str(package), package
print("wheel: data read from the installed package")
PYTHON
